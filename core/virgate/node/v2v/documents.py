"""Machines of other hypervisors as libvirt's documents describe them (spec xmlrpc-host-vm 2.5, engine-logic 8.5)."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from virgate.domxml.tree import Element, attribute, child_text, parse

PLACES = {"file": "file", "block": "dev"}
"""Attributes of a disk's source, by its type."""
MIB = {"b": 1 / (1 << 20), "bytes": 1 / (1 << 20), "k": 1 / 1024, "kib": 1 / 1024, "kb": 1000 / (1 << 20)} | {
    "m": 1,
    "mib": 1,
    "mb": 10**6 / (1 << 20),
    "g": 1024,
    "gib": 1024,
    "gb": 10**9 / (1 << 20),
    "t": 1 << 20,
    "tib": 1 << 20,
    "tb": 10**12 / (1 << 20),
}
"""Units of memory in such a document, in MiB."""


@frozen
class Place:
    """A disk as the other hypervisor finds it; `pool` only for volumes of a pool."""

    kind: str
    name: str
    pool: str = ""


@frozen
class Foreign:
    """One machine of the other hypervisor. Sizes are (capacity, allocation) in bytes."""

    xml: str
    running: bool
    sizes: Mapping[Place, tuple[int, int]]
    snapshots: bool | None = None


class Unreadable(ValueError):
    """Some disk cannot be read there, so the machine cannot be imported."""


def places(xml: str) -> list[Place]:
    """Where the machine's hard disks are."""
    return [place(disk) for disk in hard_disks(parse(xml))]


def hard_disks(root: Element) -> list[Element]:
    return [disk for disk in root.iterfind("devices/disk") if disk.get("device", "disk") in ("disk", "lun")]


def place(disk: Element) -> Place:
    """An empty name for a source that is of no known type."""
    kind = disk.get("type", "")
    if kind == "volume":
        return Place(kind, attribute(disk, "source", "volume"), attribute(disk, "source", "pool"))
    return Place(kind, attribute(disk, "source", PLACES.get(kind, "file")))


def formats(xml: str) -> list[str]:
    """raw or qcow2, and so on, of each hard disk."""
    return [attribute(disk, "driver", "type") or "raw" for disk in hard_disks(parse(xml))]


def told(found: Foreign) -> dict[str, Any]:
    """The struct that clients get. `Unreadable` for a machine with a disk whose size nobody knows."""
    root = parse(found.xml)
    machine = root.find("os/type")
    return {
        "vmName": child_text(root, "name"),
        "status": "Up" if found.running else "Down",
        "vmId": child_text(root, "uuid"),
        "memSize": _memory(root),
        "smp": _processors(root),
        "arch": "" if machine is None else machine.get("arch", ""),
        **({} if found.snapshots is None else {"has_snapshots": found.snapshots}),
        "disks": [_disk(disk, found.sizes) for disk in hard_disks(root)],
        "networks": [_network(nic) for nic in root.iterfind("devices/interface")],
        **_screen(root),
    }


def _memory(root: Element) -> int:
    memory = root.find("memory")
    if memory is None or memory.text is None:
        return 0
    try:
        return min(int(float(memory.text) * MIB.get(memory.get("unit", "KiB").lower(), 0)), 0x7FFFFFFF)
    except (ValueError, OverflowError):
        return 0


def _processors(root: Element) -> int:
    text = child_text(root, "vcpu", "1").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _disk(disk: Element, sizes: Mapping[Place, tuple[int, int]]) -> dict[str, str]:
    where = place(disk)
    if where not in sizes:
        raise Unreadable(where.name or f"of type {where.kind}")
    capacity, allocation = sizes[where]
    return {
        "type": "disk",
        "dev": attribute(disk, "target", "dev"),
        "disktype": where.kind,
        "alias": where.name,
        "format": "COW" if attribute(disk, "driver", "type") == "qcow2" else "RAW",
        "capacity": str(capacity),
        "allocation": str(allocation),
    }


def _network(nic: Element) -> dict[str, str]:
    found = {
        "type": nic.get("type", ""),
        "macAddr": attribute(nic, "mac", "address"),
        "bridge": attribute(nic, "source", "bridge") or attribute(nic, "source", "network"),
        "dev": attribute(nic, "target", "dev"),
        "model": attribute(nic, "model", "type"),
    }
    return {key: value for key, value in found.items() if value}


def _screen(root: Element) -> dict[str, str]:
    found = {
        "graphics": attribute(root, "devices/graphics", "type"),
        "video": attribute(root, "devices/video/model", "type"),
    }
    return {key: value for key, value in found.items() if value}
