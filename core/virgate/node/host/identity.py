"""Who this host is: its id, its hardware, its operating system."""

import re
import uuid

from attrs import frozen
from lxml import etree

from virgate.node.host.tree import Tree

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_NAMESPACE = uuid.UUID("5b3c3c9e-2a38-4d0f-9a1e-6f2f3f0a7c11")  # makes host ids out of machine ids, says nothing else
_USELESS = {"", "Not Specified", "None", "To Be Filled By O.E.M.", "00000000-0000-0000-0000-000000000000"}
_SMBIOS = {
    "manufacturer": "systemManufacturer",
    "product": "systemProductName",
    "version": "systemVersion",
    "serial": "systemSerialNumber",
    "uuid": "systemUUID",
    "family": "systemFamily",
}
_DMI = {
    "sys_vendor": "systemManufacturer",
    "product_name": "systemProductName",
    "product_version": "systemVersion",
    "product_serial": "systemSerialNumber",
    "product_uuid": "systemUUID",
    "product_family": "systemFamily",
}
_NAMES = {"rhel": "RHEL", "centos": "RHEL", "fedora": "Fedora", "debian": "Debian"}
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def host_id(tree: Tree) -> str:
    """Stays the same for as long as the machine does: an id the administrator gave, the hardware's, the system's."""
    given = tree.text("etc/vdsm/vdsm.id").split()[:1]
    if given and _UUID.fullmatch(given[0]):
        return given[0].lower()
    hardware = tree.text("sys/class/dmi/id/product_uuid")
    if _UUID.fullmatch(hardware) and hardware not in _USELESS:
        return hardware.lower()
    machine = tree.text("etc/machine-id")
    return str(uuid.uuid5(_NAMESPACE, machine)) if machine else ""


def hardware(sysinfo: str, tree: Tree) -> dict[str, str]:
    """Maker, model and numbers, from libvirt's `sysinfo` document or where the kernel shows them; may be empty."""
    found = _from_sysinfo(sysinfo) or {name: tree.text(f"sys/class/dmi/id/{file}") for file, name in _DMI.items()}
    return {name: value for name, value in found.items() if value.strip() not in _USELESS}


def _from_sysinfo(sysinfo: str) -> dict[str, str]:
    if not sysinfo:
        return {}
    try:
        root = etree.fromstring(sysinfo.encode(), _PARSER)
    except etree.XMLSyntaxError:
        return {}
    entries = {entry.get("name", ""): entry.text or "" for entry in root.iterfind("system/entry")}
    return {wire: entries[name].strip() for name, wire in _SMBIOS.items() if name in entries}


@frozen
class OperatingSystem:
    """`name` is one of the words old managers know, `release` what follows the major version."""

    name: str
    version: str
    release: str
    pretty_name: str


def operating_system(tree: Tree) -> OperatingSystem:
    found: dict[str, str] = {}
    for line in tree.lines("etc/os-release") or tree.lines("usr/lib/os-release"):
        name, equals, value = line.partition("=")
        if equals:
            found[name] = value.strip().strip("\"'")
    version, _, release = found.get("VERSION_ID", "").partition(".")
    if tree.exists("etc/debian_version"):
        release = release or tree.text("etc/debian_version").partition(".")[2]
    kinds = [found.get("ID", ""), *found.get("ID_LIKE", "").split()]
    name = next((_NAMES[kind] for kind in kinds if kind in _NAMES), "unknown")
    return OperatingSystem(name, version, release, found.get("PRETTY_NAME", ""))
