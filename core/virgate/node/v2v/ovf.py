"""The machine that an OVF describes, as clients of the old API are told of it (spec engine-logic 8.4).

OVF texts come from strangers: they are parsed without entities, and every number in them is bounded.
"""

import re
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from virgate.domxml.tree import Element, child_text, parse

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"
OVIRT = "http://www.ovirt.org/ovf"
ORIGIN_OVIRT = 3

PROCESSORS, MEMORY, NETWORK = "3", "4", "10"
"""Types of hardware items (CIM)."""

LARGEST = 1 << 62
"""Bytes of a disk; whatever says more is no size."""

_UNIT = re.compile(r"byte(?: ?\* ?([0-9]{1,12}))?(?: ?\* ?([0-9]{1,3})\^([0-9]{1,2}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)


class Unreadable(ValueError):
    """The text says nothing that could be imported."""


@frozen
class Disk:
    capacity: int
    allocation: int | None
    alias: str

    def told(self) -> dict[str, str]:
        found = {"type": "disk", "capacity": str(self.capacity), "alias": self.alias}
        return found if self.allocation is None else {**found, "allocation": str(self.allocation)}


def read(text: str, default_name: str) -> dict[str, Any]:
    """The struct of getExternalVmFromOva. `Unreadable` or `UnsafeXml` for a text that is no such description."""
    root = parse(text)
    if root.tag != f"{OVF}Envelope":
        raise Unreadable(f"the root element is {root.tag}, not an OVF envelope")
    system = root.find(f".//{OVF}VirtualSystem")
    if system is None:
        raise Unreadable("it describes no VirtualSystem")
    found: dict[str, Any] = {
        "status": "Down",
        "vmName": child_text(system, f"{OVF}Name").strip() or default_name,
        "memSize": _quantity(system, MEMORY, "memory"),
        "smp": _quantity(system, PROCESSORS, "processors"),
        "disks": [disk.told() for disk in _disks(root)],
        "networks": list(_networks(system)),
    }
    if OVIRT in _namespaces(root):
        found["originType"] = ORIGIN_OVIRT
    return found


def check_files(text: str) -> None:
    """`Unreadable` for a description whose disks lie outside its archive: the converter runs as root."""
    for file in parse(text).iterfind(f".//{OVF}References/{OVF}File"):
        href = file.get(f"{OVF}href", "")
        if href.startswith("/") or ".." in href.split("/") or "://" in href:
            raise Unreadable(f"it refers to a file outside of it: {href}")


def unit(text: str) -> int:
    """Bytes in an allocation unit such as `byte * 2^20`."""
    match = _UNIT.fullmatch(text.strip())
    if match is None:
        raise Unreadable(f"unknown unit of size: {text!r}")
    times, base, exponent = match.groups()
    value = int(times or 1) * (int(base) ** int(exponent) if base else 1)
    if not 0 < value <= LARGEST:
        raise Unreadable(f"impossible unit of size: {text!r}")
    return value


def _disks(root: Element) -> Iterator[Disk]:
    files = {one.get(f"{OVF}id", ""): one for one in root.iterfind(f".//{OVF}References/{OVF}File")}
    for one in root.iterfind(f".//{OVF}DiskSection/{OVF}Disk"):
        capacity = _number(one.get(f"{OVF}capacity", "")) * unit(one.get(f"{OVF}capacityAllocationUnits") or "byte")
        if capacity > LARGEST:
            raise Unreadable(f"impossible size of a disk: {capacity}")
        file = files.get(one.get(f"{OVF}fileRef", ""))
        if file is None:
            raise Unreadable(f"disk {one.get(f'{OVF}diskId', '')} refers to no file")
        sizes = [one.get(f"{OVF}populatedSize"), file.get(f"{OVF}size")]
        known = [_number(size) for size in sizes if size is not None]
        yield Disk(capacity, max(known, default=None), file.get(f"{OVF}href", ""))


def _networks(system: Element) -> Iterator[dict[str, str]]:
    for item in _items(system, NETWORK):
        dev, model = child_text(item, f"{RASD}ElementName"), child_text(item, f"{RASD}ResourceSubType")
        if not dev or not model:
            raise Unreadable("a network card has no name or no model")
        bridge = child_text(item, f"{RASD}Connection")
        where = {"type": "bridge", "bridge": bridge} if bridge else {"type": "interface"}
        yield {"dev": dev, "model": model, **where}


def _items(system: Element, kind: str) -> Iterator[Element]:
    for item in system.iterfind(f"{OVF}VirtualHardwareSection/{OVF}Item"):
        if child_text(item, f"{RASD}ResourceType").strip() == kind:
            yield item


def _quantity(system: Element, kind: str, what: str) -> int:
    for item in _items(system, kind):
        value = _number(child_text(item, f"{RASD}VirtualQuantity"))
        if value > 0x7FFFFFFF:  # XML-RPC's integers end here
            raise Unreadable(f"impossible amount of {what}: {value}")
        return value
    raise Unreadable(f"it does not say how much {what} the machine has")


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text.strip()) is None:
        raise Unreadable(f"not a number: {text!r}")
    return int(text)


def _namespaces(root: Element) -> set[str]:
    return {str(uri) for prefix, uri in root.nsmap.items() if prefix == "ovirt"}
