"""What the hypervisor made of a machine: addresses, aliases, ports and names back into its configuration, and the
shape its statistics have. Done after the start, after recovery and whenever devices change."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from virgate.domxml import metadata, running, tree
from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.domxml.values import struct
from virgate.node.vm import pids
from virgate.node.vm.blocks import chain
from virgate.node.vm.stats import Nic, Shape

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


def drive(conf: Mapping[str, Any], disk: DiskRequest, source: DiskSource) -> dict[str, Any]:
    """The drive as `after_disk_prepare` gets it: what the client gave, with the path that storage prepared."""
    known = next((one for one in _disks(conf) if one.get("name") == disk.target), {})
    given = {"type": "disk", "device": disk.device, "name": disk.target, **known, **identity(disk)}
    return {**given, "path": source.path, "format": _client_format(source.format), "diskType": source.kind}


def identity(disk: DiskRequest) -> dict[str, str]:
    """The ids that storage knows the disk by."""
    named = {
        "poolID": disk.pool_id,
        "domainID": disk.domain_id,
        "imageID": disk.image_id,
        "volumeID": disk.volume_id,
        "GUID": disk.guid,
    }
    return {name: value for name, value in named.items() if value}


def note_chain(conf: Mapping[str, Any], disk: DiskRequest, source: DiskSource) -> None:
    """Lets `list full` tell the volumes behind a disk."""
    for device in _disks(conf):
        if device.get("name") == disk.target and source.chain:
            device["volumeChain"] = [dict(volume) for volume in source.chain]
            device["volumeInfo"] = dict(source.info)


def note_paths(conf: Mapping[str, Any], sources: Mapping[str, DiskSource]) -> None:
    """Lets `list full` tell where each disk lies, before libvirt does."""
    for device in _disks(conf):
        if (source := sources.get(str(device.get("name")))) is not None and source.path:
            device["path"] = source.path


def changed(source: DiskSource, values: Mapping[str, Any]) -> DiskSource:
    """The source with what a hook left in the drive."""
    return attrs.evolve(
        source,
        path=str(values.get("path", source.path)),
        format=str(values.get("format", source.format)),
        kind=values.get("diskType") or source.kind,
    )


def _client_format(name: str) -> str:
    return "cow" if name == "qcow2" else name


def refresh(machine: "Machine") -> None:
    """Reads the last known document of the machine into its configuration and its statistics."""
    record, conf = machine.record, machine.record.conf
    root = tree.parse(record.xml)
    conf["devices"] = [one for one in running.devices(root, conf.get("devices", ())) if is_there(one, root)]
    chain.follow(record, root)
    ids = {disk.target: identity(disk) for disk in record.disks}
    for device in _disks(conf):
        device.update(ids.get(str(device.get("name")), {}))
    for device in conf["devices"]:
        if device.get("type") == "balloon" and (target := _target(root, conf)):
            device["target"] = target
    conf["memSize"] = running.memory(root).bytes >> 20
    displays = running.displays(root)
    conf.update(_first_display(displays))
    machine.figures.reshape(shape(root, conf, displays))
    record.pid = pids.find(machine.means.pid_folders, record.name)


def is_there(device: Mapping[str, Any], root: tree.Element) -> bool:
    """Of disks and nics only: one may have been noted and never plugged, or unplugged while nobody looked."""
    if device.get("type") == "disk" and device.get("name"):
        return any(one.get("dev") == device["name"] for one in root.iterfind("devices/disk/target"))
    if device.get("type") == "interface" and device.get("macAddr"):
        mac = str(device["macAddr"]).lower()
        return any(str(one.get("address")).lower() == mac for one in root.iterfind("devices/interface/mac"))
    return True


def has_disk(conf: Mapping[str, Any], disk: DiskRequest) -> bool:
    """Whether the guest has a disk that was made ready for it, or is about to get it."""
    return any(device.get("name") == disk.target for device in _disks(conf))


def _first_display(displays: list[dict[str, str]]) -> dict[str, str]:
    """The members that old clients look for beside the list; none for a machine without a screen."""
    if not displays:
        return {}
    first = displays[0]
    return {
        "display": "qxl" if first["type"] == "spice" else first["type"],
        "displayPort": first["port"],
        "displaySecurePort": first["tlsPort"],
        "displayIp": first["ipAddress"],
    }


def shape(root: tree.Element, conf: Mapping[str, Any], displays: list[dict[str, str]]) -> Shape:
    """What the statistics of the machine in this document name."""
    memory = running.memory(root).bytes >> 10
    balloon = root.find("devices/memballoon")
    return Shape(
        members=_members(root, conf, displays),
        nics=tuple(_nics(root)),
        disks={str(device.get("name")): _shown_identity(device) for device in _disks(conf)},
        raw_disks=frozenset(_raw_disks(root)),
        vcpus=int(running.basics(root)["smp"]),
        memory_kib=memory,
        balloon_min_kib=_kib(conf.get("memGuaranteedSize")),
        balloon_target_kib=_target(root, conf),
        ballooning=balloon is not None and balloon.get("model") != "none",
    )


def unborn(conf: Mapping[str, Any]) -> Shape:
    """What the statistics of a machine without a guest name."""
    return Shape(members={**_from_conf(conf), "displayInfo": [], "hash": "0"})


def _from_conf(conf: Mapping[str, Any]) -> dict[str, Any]:
    members = {
        "vmType": str(conf.get("vmType", "kvm")),
        "kvmEnable": str(conf.get("kvmEnable", "true")),
        "acpiEnable": str(conf.get("acpiEnable", "true")),
    }
    return members | {name: str(conf[name]) for name in ("cdrom", "boot") if name in conf}


def _members(root: tree.Element, conf: Mapping[str, Any], displays: list[dict[str, str]]) -> dict[str, Any]:
    members: dict[str, Any] = _from_conf(conf)
    members |= {"displayInfo": displays, "hash": running.hash_text(root)}
    if first := _first_display(displays):
        members |= {("displayType" if name == "display" else name): value for name, value in first.items()}
    if (quota := root.findtext("cputune/quota")) is not None:
        members["vcpuQuota"] = quota
    if (period := root.findtext("cputune/period")) is not None:
        members["vcpuPeriod"] = int(period)
    if limit := _vcpu_limit(root):
        members["vcpuUserLimit"] = limit
    if tuned := [_tuned(device) for device in _disks(conf) if _io_limits(device)]:
        members["ioTune"] = tuned
    return members


def _vcpu_limit(root: tree.Element) -> int:
    """Percent of the host that a policy allows the machine; 0 when none does."""
    qos = metadata.find(root, metadata.TUNE, "qos")
    text = "" if qos is None else tree.child_text(qos, f"{{{metadata.TUNE}}}vcpuLimit")
    return int(text) if text.strip().isdecimal() else 0


def _disks(conf: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [device for device in conf.get("devices", ()) if device.get("type") == "disk"]


def _raw_disks(root: tree.Element) -> Iterator[str]:
    for found in root.iterfind("devices/disk"):
        if tree.attribute(found, "driver", "type") == "raw":
            yield tree.attribute(found, "target", "dev")


def _shown_identity(device: Mapping[str, Any]) -> dict[str, str]:
    if device.get("imageID"):
        return {"imageID": str(device["imageID"])}
    return {"lunGUID": str(device["GUID"])} if device.get("GUID") else {}


def _io_limits(device: Mapping[str, Any]) -> dict[str, Any]:
    return struct(struct(device, "specParams"), "ioTune")


def _tuned(device: Mapping[str, Any]) -> dict[str, Any]:
    limits = {name: str(value) for name, value in _io_limits(device).items()}
    return {"name": str(device.get("name", "")), "path": str(device.get("path", "")), "ioTune": limits}


def _nics(root: tree.Element) -> Iterator[Nic]:
    for found in root.iterfind("devices/interface"):
        name = tree.attribute(found, "target", "dev")
        if name and found.get("type") != "hostdev":
            yield Nic(name, tree.attribute(found, "mac", "address"), tree.attribute(found, "model", "type"))


def _target(root: tree.Element, conf: Mapping[str, Any]) -> int:
    """As last set, which the domain remembers; else as the client gave it."""
    vm = metadata.vm_element(root)
    kept = "" if vm is None else tree.child_text(vm, f"{{{metadata.VM}}}balloonTarget")
    if kept.isdecimal():
        return int(kept)
    targets = [device.get("target") for device in conf["devices"] if device.get("type") == "balloon"]
    return next((int(target) for target in targets if target), 0)


def _kib(mebibytes: Any) -> int:
    try:
        return int(mebibytes or 0) << 10
    except ValueError:
        return 0
