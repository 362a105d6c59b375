"""The xml form: a client brings the whole document, the host fills in what only it knows (spec xmlrpc-host-vm 3.6)."""

from collections.abc import Container, Iterator, Mapping
from typing import Any, Literal

from attrs import frozen

from virgate.domxml import fitting, metadata, running
from virgate.domxml.devices.disk import path as disk_path
from virgate.domxml.drives import decode_files, sharing
from virgate.domxml.errors import BadDevice, CannotCreate, MachineExists, MissingParameter
from virgate.domxml.facts import (
    FORMATS,
    DiskRequest,
    DiskSource,
    HostFacts,
    LeaseRequest,
    Leases,
    LeaseSource,
    PayloadRequest,
    Sources,
)
from virgate.domxml.metadata import DeviceMetadata, VmMetadata
from virgate.domxml.parameters import check_id
from virgate.domxml.tree import Element, attribute, child_text, copy, element, parse
from virgate.domxml.values import Conf, flag, safe_component, safe_path, text
from virgate.units import Size

PAYLOAD = "PAYLOAD:"
LEASE_PATH = "LEASE-PATH:"
SOURCE_ATTRIBUTES = {"file": "file", "block": "dev", "network": "name"}


@frozen
class Document:
    """A client's document, checked, with what the host must prepare for it."""

    root: Element
    conf: Conf
    memory: Size
    launch_paused: bool
    acpi: bool
    disks: tuple[DiskRequest, ...]
    payloads: tuple[PayloadRequest, ...]
    leases: tuple[LeaseRequest, ...]
    notices: tuple[str, ...]


def read(params: Mapping[str, Any], facts: HostFacts, taken: Container[str]) -> Document:
    """The document in the parameter `xml`. Its uuid is the machine's id, whatever the other parameters say."""
    root = parse(str(params["xml"]))
    if root.tag != "domain":
        raise CannotCreate(f"Not a domain document: {root.tag}")
    known = child_text(root, "uuid").strip()
    if known in taken:
        raise MachineExists(known)
    if not known:
        raise MissingParameter.named("vmId")
    check_id(known)
    memory = running.memory(root)
    if memory.bytes == 0:
        raise MissingParameter("Must specify nonzero memSize")
    kept = metadata.read(root)
    notices = fitting.fit_document(root, facts)
    disks, payloads = _disks(root, kept)
    return Document(
        root=root,
        conf=_conf(params, root, kept),
        memory=memory,
        launch_paused=flag(kept.values.get("launchPaused")),
        acpi=root.find("features/acpi") is not None,
        disks=disks,
        payloads=payloads,
        leases=tuple(_leases(root)),
        notices=notices,
    )


def _conf(params: Mapping[str, Any], root: Element, kept: VmMetadata) -> Conf:
    """What `list full` tells of the machine: other parameters as given, the rest from the document."""
    conf: Conf = {name: value for name, value in params.items() if name not in ("xml", "vmID")}
    conf |= running.basics(root)
    if flag(kept.values.get("launchPaused")):
        conf["launchPaused"] = ""
    if "minGuaranteedMemoryMb" in kept.values:
        conf["memGuaranteedSize"] = kept.values["minGuaranteedMemoryMb"]
    conf["custom"] = kept.custom
    conf["devices"] = running.described(root, kept)
    return conf


def _disks(root: Element, kept: VmMetadata) -> tuple[tuple[DiskRequest, ...], tuple[PayloadRequest, ...]]:
    disks, payloads = [], []
    for disk in root.iterfind("devices/disk"):
        target = str(attribute(disk, "target", "dev"))
        if not target:
            raise CannotCreate("A disk has no target")
        entry = kept.device(devtype="disk", name=target) or DeviceMetadata({})
        if "payload" in entry.values:
            payloads.append(_payload(target, disk, entry.values["payload"]))
        else:
            disks.append(_disk(target, disk, entry.values))
    return tuple(disks), tuple(payloads)


def _disk(target: str, disk: Element, values: Mapping[str, Any]) -> DiskRequest:
    for name in ("poolID", "domainID", "imageID", "volumeID", "GUID"):
        safe_component(name, values.get(name))
    path = "" if disk.get("type") == "network" else safe_path(target, disk_path(disk))
    kind = attribute(disk, "driver", "type")
    return DiskRequest(
        target=target,
        device=str(disk.get("device", "disk")),
        format="cow" if kind == "qcow2" else "raw",
        pool_id=text(values, "poolID"),
        domain_id=text(values, "domainID"),
        image_id=text(values, "imageID"),
        volume_id=text(values, "volumeID"),
        guid=text(values, "GUID"),
        path="" if path.startswith(PAYLOAD) else path,
        disk_type=str(disk.get("type", "")),
        read_only=disk.find("readonly") is not None,
        shared=sharing(values),
    )


def _payload(target: str, disk: Element, payload: object) -> PayloadRequest:
    kind: Literal["cdrom", "floppy"] = "floppy" if disk.get("device") == "floppy" else "cdrom"
    if not isinstance(payload, dict):
        raise CannotCreate(f"Payload of {target} has no files")
    return PayloadRequest(target, kind, text(payload, "volId"), decode_files(target, payload.get("file")))


def _placeholder(target: Element | None) -> tuple[str, str] | None:
    """Lease and storage domain that a lease's target stands for; None when it says a path itself."""
    path = "" if target is None else str(target.get("path", ""))
    if not path.startswith(LEASE_PATH):
        return None
    lease, _, domain = path.removeprefix(LEASE_PATH).partition(":")
    return safe_component("lease", lease), safe_component("storage domain", domain)


def _leases(root: Element) -> Iterator[LeaseRequest]:
    for target in root.iterfind("devices/lease/target"):
        if (found := _placeholder(target)) is not None:
            yield LeaseRequest(*found)


def finish(root: Element, conf: Conf, facts: HostFacts, sources: Sources, leases: Leases) -> Element:
    """The document with the host's part filled in; the client's own document stays as it was."""
    fitting.check_document(root, facts)
    done = copy(root)
    if facts.virt_type == "qemu" and done.get("type") == "kvm":
        done.set("type", "qemu")
    _fill_sysinfo(done, facts)
    for disk in done.iterfind("devices/disk"):
        source = sources.get(str(attribute(disk, "target", "dev")))
        if source is not None:
            _fill_disk(disk, source)
        elif disk_path(disk).startswith(PAYLOAD):
            raise BadDevice("disk", "the payload of a drive was not prepared")
        if not disk_path(disk) and (medium := disk.find("source")) is not None:
            # An empty name means an empty drive to libvirt and nothing to its schema.
            disk.remove(medium)
    _fill_leases(done, sources, leases)
    _mark(done, conf)
    return done


def _fill_sysinfo(root: Element, facts: HostFacts) -> None:
    host = {"OS-NAME:": facts.os_name, "OS-VERSION:": facts.os_version, "HOST-SERIAL:": facts.host_uuid}
    for entry in root.iterfind("sysinfo/system/entry"):
        for placeholder, value in host.items():
            if (entry.text or "").startswith(placeholder):
                entry.text = value


def _fill_disk(disk: Element, source: DiskSource) -> None:
    """Points a disk at its source. Children of `<source>` that the client wrote (seclabel, slices) stay."""
    found = disk.find("source")
    if found is None:
        if not source.path:
            return
        found = element("source")
        disk.append(found)
    for name in SOURCE_ATTRIBUTES.values():
        found.attrib.pop(name, "")
    disk.set("type", source.kind)
    found.set(SOURCE_ATTRIBUTES[source.kind], source.path)
    if source.kind == "network":
        for label in found.findall("seclabel"):
            found.remove(label)  # meant for a file of this host
        _fill_network(found, source)
    driver = disk.find("driver")
    if driver is not None and source.format:
        driver.set("type", FORMATS.get(source.format, source.format))


def _fill_network(found: Element, source: DiskSource) -> None:
    if protocol := source.info.get("protocol"):
        found.set("protocol", str(protocol))
    if hosts := source.info.get("hosts"):
        for old in found.findall("host"):
            found.remove(old)
        names = ("name", "port", "transport")
        found.extend([element("host", **{name: host.get(name) for name in names}) for host in hosts])


def _fill_leases(root: Element, sources: Sources, leases: Leases) -> None:
    known = dict(_volume_leases(sources)) | dict(leases)
    for target in root.iterfind("devices/lease/target"):
        wanted = _placeholder(target)
        if wanted is None:
            continue
        if wanted not in known:
            raise BadDevice("lease", f"lease {wanted[0]} of domain {wanted[1]} was not found")
        target.set("path", known[wanted].path)
        target.set("offset", str(known[wanted].offset))


def _volume_leases(sources: Sources) -> Iterator[tuple[tuple[str, str], LeaseSource]]:
    for source in sources.values():
        for volume in source.chain:
            if volume.get("leasePath"):
                key = (str(volume["volumeID"]), str(volume["domainID"]))
                yield key, LeaseSource(str(volume["leasePath"]), int(volume.get("leaseOffset", 0)))


def _mark(root: Element, conf: Conf) -> None:
    """Makes the document ours: the elements that recovery looks for, where the client wrote none."""
    wanted = []
    if metadata.find(root, metadata.TUNE, "qos") is None:
        wanted.append(metadata.empty(metadata.TUNE, "qos"))
    if metadata.vm_element(root) is None:
        wanted.append(metadata.empty(metadata.VM, "vm"))
    # Devices are in the document itself; what they are called there is read back from it.
    echo = {name: value for name, value in conf.items() if name != "devices"} | {"xmlForm": True}
    metadata.place(root, [*wanted, metadata.conf_element(echo)])
