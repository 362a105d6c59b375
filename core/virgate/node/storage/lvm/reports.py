"""What `pvs`, `vgs` and `lvs` say, as values (spec storage-format 2.7). Pure; sizes are in bytes."""

import re
from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen

from virgate.node.storage.errors.volume_groups import UnreadableReport

UNKNOWN = "[unknown]"
"""What a physical volume is called whose device is not there."""

_DEVICE = re.compile(r"(.*)\((\d+)\)")


@frozen
class PhysicalVolume:
    """One device of a group, or one that is prepared for it: then `vg` is empty."""

    name: str
    uuid: str
    size: int
    vg: str
    vg_uuid: str
    pe_start: int
    pe_count: int
    pe_alloc_count: int
    mda_count: int
    mda_used_count: int
    """2 on the one device of a domain that carries the group's metadata."""
    dev_size: int


@frozen
class VolumeGroup:
    name: str
    uuid: str
    size: int
    free: int
    extent_size: int
    extent_count: int
    free_count: int
    tags: frozenset[str]
    mda_size: int
    mda_free: int
    lv_count: int
    pv_count: int
    pvs: tuple[str, ...]
    """Devices; `[unknown]` for each that is missing."""
    attr: str
    away: bool = False
    """Its devices do not answer: this is what was known before."""

    @property
    def partial(self) -> bool:
        """Whether a device is missing."""
        return self.away or self.attr[3:4] == "p"


@frozen
class LogicalVolume:
    name: str
    vg: str
    uuid: str
    size: int
    tags: frozenset[str]
    attr: str
    device: str
    """Where its first extent is; empty for one just made here, until the group is read again."""
    first_extent: int

    @property
    def active(self) -> bool:
        """Whether it has a device on this host."""
        return self.attr[4:5] == "a"

    @property
    def open(self) -> bool:
        """Whether something on this host has that device open."""
        return self.attr[5:6] == "o"

    @property
    def writable(self) -> bool:
        return self.attr[1:2] == "w"

    def switched(self, *, active: bool) -> "LogicalVolume":
        """As it will be reported after an activation or its end."""
        return evolve(self, attr=self.attr[:4].ljust(4, "-") + ("a-" if active else "--") + self.attr[6:])


def physical_volumes(report: bytes) -> dict[str, PhysicalVolume]:
    """By device; those that are missing are left out, there may be several under one name."""
    found = {}
    for row in _rows(report, 11):
        uuid, name, size, vg, vg_uuid, *numbers = row
        pe_start, pe_count, pe_alloc, mda_count, dev_size, mda_used = map(_number, numbers)
        if name != UNKNOWN:
            found[name] = PhysicalVolume(
                name, uuid, _number(size), vg, vg_uuid, pe_start, pe_count, pe_alloc, mda_count, mda_used, dev_size
            )
    return found


def volume_groups(report: bytes) -> dict[str, VolumeGroup]:
    """By name, from one row for each physical volume."""
    found: dict[str, VolumeGroup] = {}
    for row in _rows(report, 14):
        uuid, name, attr, size, free, extent_size, extent_count, free_count, tags, *last = row
        mda_size, mda_free, lv_count, pv_count, pv_name = last
        if name in found and found[name].uuid == uuid:
            found[name] = evolve(found[name], pvs=(*found[name].pvs, pv_name))
            continue
        found[name] = VolumeGroup(
            name,
            uuid,
            _number(size),
            _number(free),
            _number(extent_size),
            _number(extent_count),
            _number(free_count),
            _tags(tags),
            _number(mda_size),
            _number(mda_free),
            _number(lv_count),
            _number(pv_count),
            (pv_name,),
            attr,
        )
    return found


def logical_volumes(report: bytes) -> dict[str, dict[str, LogicalVolume]]:
    """By group and name. Of a volume in several pieces the first one says where it begins."""
    found: dict[str, dict[str, LogicalVolume]] = {}
    for uuid, name, vg, attr, size, start, devices, tags in _rows(report, 8):
        if _number(start) == 0:
            device, extent = _place(devices)
            found.setdefault(vg, {})[name] = LogicalVolume(
                name, vg, uuid, _number(size), _tags(tags), attr, device, extent
            )
    return found


def _rows(report: bytes, fields: int) -> Iterator[list[Any]]:
    for line in report.decode("utf-8", "surrogateescape").splitlines():
        if line.strip():
            row = line.strip().split("|")
            if len(row) != fields:
                raise UnreadableReport(line.strip()[:200])
            yield row


def _number(text: str) -> int:
    """Numbers are missing where a group has lost all its metadata."""
    try:
        return int(text or 0)
    except ValueError:
        raise UnreadableReport(text[:200]) from None


def _tags(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))


def _place(devices: str) -> tuple[str, int]:
    first = devices.partition("),")[0]
    match = _DEVICE.fullmatch(first if first.endswith(")") else first + ")")
    return (match[1], int(match[2])) if match else ("", 0)
