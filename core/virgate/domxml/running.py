"""A live domain document, read back: what libvirt made of the devices, where screens listen, whose machine it is."""

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import adler32, crc32

from attrs import frozen
from lxml import etree

from virgate.domxml import metadata
from virgate.domxml.devices import READERS, simple
from virgate.domxml.learning import learn
from virgate.domxml.metadata import VmMetadata
from virgate.domxml.pairing import pair
from virgate.domxml.tree import Element, attribute, attributes, child_text, children, parse
from virgate.units import GiB, KiB, MiB, Size

OUR_CHANNEL = "com.redhat.rhevm.vdsm"
FOREIGN_CHANNEL = "org.libguestfs.channel.0"
UNITS = {
    "b": 1,
    "bytes": 1,
    "kb": 1000,
    "k": KiB,
    "kib": KiB,
    "mb": 1000**2,
    "m": MiB,
    "mib": MiB,
    "gb": 1000**3,
    "g": GiB,
    "gib": GiB,
    "tb": 1000**4,
    "t": GiB << 10,
    "tib": GiB << 10,
}
LETTERS = {"fd": "a", "hd": "c", "cdrom": "d", "network": "n"}
SECRETS = ("passwd", "passwdValidTo")
NOT_DEVICES = ("emulator", "panic", "audio", "iommu", "serial")
"""Children of `<devices>` that no device list has ever told of."""
NOT_TOLD = ("payload", "volumeChain", "volumeInfo")
"""Metadata of devices that no list tells: contents of payloads, and what storage knows afresh."""
PORTS = {"port": "displayPort", "tlsPort": "displaySecurePort", "ipAddress": "displayIp"}


@frozen
class Running:
    """A machine as its document tells it, all that a restarted daemon knows of it."""

    id: str
    name: str
    memory: Size
    ours: bool
    xml_form: bool
    custom: dict[str, str]
    conf: dict[str, Any]
    """The conf of `list full`: what the request said, with addresses, aliases and names as they now are."""
    metadata: VmMetadata
    displays: list[dict[str, str]]
    root: Element


def read(xml: str) -> Running:
    """The machine in a document of libvirt. `UnsafeXml` for what is no document."""
    root = parse(xml)
    kept = metadata.read(root)
    conf = metadata.read_conf(root)
    xml_form = bool(conf.pop("xmlForm", not conf))
    if xml_form:
        conf |= basics(root)
    custom = {**kept.custom, **metadata.texts(conf.get("custom"))}
    conf["custom"] = custom
    conf["devices"] = described(root, kept) if xml_form else devices(root, conf.get("devices", ()))
    screens = displays(root)
    if screens:
        conf |= {new: screens[0][old] for old, new in PORTS.items()}
    return Running(
        id=child_text(root, "uuid"),
        name=child_text(root, "name"),
        memory=memory(root),
        ours=ours(root),
        xml_form=xml_form,
        custom=custom,
        conf=conf,
        metadata=kept,
        displays=screens,
        root=root,
    )


def ours(root: Element) -> bool:
    """Whether a daemon of the family started it: by our metadata, or by the agent channel of older daemons."""
    return metadata.vm_element(root) is not None or OUR_CHANNEL in channels(root)


def channels(root: Element) -> set[str]:
    """The names of the guest's channels."""
    return {str(target.get("name")) for target in root.iterfind("devices/channel/target") if target.get("name")}


def is_appliance(root: Element) -> bool:
    """Whether it is a tool's short-lived machine, nobody's to manage."""
    return FOREIGN_CHANNEL in channels(root)


def memory(root: Element) -> Size:
    """The machine's memory; libvirt counts in KiB when no unit stands beside."""
    found = root.find("memory")
    if found is None:
        return Size(0)
    try:
        return Size(int((found.text or "0").strip()) * UNITS[str(found.get("unit", "KiB")).lower()])
    except (KeyError, ValueError):
        return Size(0)


def basics(root: Element) -> dict[str, Any]:
    """The keys of `list full` that the document itself tells."""
    vcpu = root.find("vcpu")
    most = child_text(root, "vcpu", "1").strip()
    conf = {
        "vmId": child_text(root, "uuid").strip(),
        "vmName": child_text(root, "name"),
        "vmType": "kvm",
        "kvmEnable": "true" if root.get("type") == "kvm" else "false",
        "memSize": memory(root).bytes // MiB,
        "smp": most if vcpu is None else str(vcpu.get("current", most)),
        "maxVCpus": most,
        "acpiEnable": "true" if root.find("features/acpi") is not None else "false",
        "emulatedMachine": attribute(root, "os/type", "machine"),
    }
    boot = "".join(LETTERS.get(str(one.get("dev")), "") for one in root.iterfind("os/boot"))
    if boot:
        conf["boot"] = boot
    if offset := attribute(root, "clock", "adjustment"):
        conf["timeOffset"] = offset
    return conf


def devices(root: Element, known: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """The device list with what libvirt decided; `known` entries keep their other keys and their order.

    Devices nobody listed (libvirt adds controllers, channels ...) follow in the document's order, when they have a
    place on a bus; without `known` entries, all do.
    """
    listed = [dict(device) for device in known]
    shown = [one for one in children(root.find("devices")) if one.tag not in NOT_DEVICES]
    pairs = pair(shown, listed)
    for device, one in pairs:
        learn(device, _tell(one))
    taken = {id(one) for _, one in pairs}
    more = [one for one in shown if id(one) not in taken and (not listed or one.find("address") is not None)]
    return listed + [_tell(one) for one in more]


def described(root: Element, kept: VmMetadata) -> list[dict[str, Any]]:
    """The device list of a document, each device with what its client keeps of it in the metadata."""
    told = devices(root)
    for device in told:
        entry = next((one for one in kept.devices if _means(one.match, device)), None)
        for name, value in entry.values.items() if entry is not None else ():
            if name not in NOT_TOLD:
                device[name] = {**device.get(name, {}), **value} if isinstance(value, dict) else value
    return told


def _means(match: Mapping[str, str], device: Mapping[str, Any]) -> bool:
    if "mac_address" in match:
        return match["mac_address"].lower() == str(device.get("macAddr", "")).lower()
    if "alias" in match:
        return match["alias"] == device.get("alias")
    names = (device.get("name"), device.get("lease_id"), device["device"] if device["type"] == "hostdev" else None)
    return match.get("devtype") == device["type"] and match.get("name") in names and "name" in match


def _tell(found: Element) -> dict[str, Any]:
    return READERS.get(str(found.tag), simple.read_generic)(found)


def displays(root: Element) -> list[dict[str, str]]:
    """`displayInfo` of the statistics: where each screen listens; "-1" for a port it does not have."""
    return [
        {
            "type": str(screen.get("type")),
            "port": str(screen.get("port", "-1")),
            "tlsPort": str(screen.get("tlsPort", "-1")),
            "ipAddress": attribute(screen, "listen", "address") or str(screen.get("listen", "0")),
        }
        for screen in root.iterfind("devices/graphics")
    ]


def hash_text(root: Element, guest_disks: object = None) -> str:
    """Changes whenever a device or the guest's view of its disks changes; clients then ask for the whole conf.

    Whatever becomes of screens' passwords and of text that is only laid out differently does not count.
    """
    below = root.find("devices")
    shown: list[object] = [guest_disks]
    for one in () if below is None else below.iter(etree.Element):
        members = sorted((name, value) for name, value in attributes(one).items() if name not in SECRETS)
        shown.append((one.tag, members, (one.text or "").strip()))
    text = repr(shown).encode()
    return f"{crc32(text):08x}{adler32(text):08x}"


def to_text(root: Element) -> str:
    """The document as libvirt takes it."""
    return str(etree.tostring(root, encoding="unicode"))
