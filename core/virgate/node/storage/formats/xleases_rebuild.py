"""Mending the index of external leases from what lies in its slots (spec storage-format 5.5)."""

from collections.abc import Mapping
from typing import Self

from attrs import frozen

from virgate.node.storage.formats import xleases
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.sanlock import Leader
from virgate.node.storage.formats.xleases import HEAD, RECORD, RECORDS, Index, Lease


@frozen
class Found:
    """What lies in one slot: the name of a lease of this domain, or `other` things that do not belong there."""

    name: str = ""
    other: bool = False

    @classmethod
    def of(cls, sector: bytes, space: str) -> Self:
        if not sector.strip(b"\0"):
            return cls()
        try:
            leader = Leader.decode(sector)
        except UnreadableMetadata:
            return cls(other=True)
        if leader.absent:
            return cls()
        return cls(leader.resource) if leader.space == space else cls(other=True)


@frozen
class Mended:
    """The index as it should be, and what its slots need first. Numbers are those of records."""

    index: Index
    write: Mapping[int, str]
    """Leases to be written anew, free, by their names."""
    clear: tuple[int, ...]
    """Slots whose leases nobody knows."""

    @property
    def blocks(self) -> tuple[xleases.Block, xleases.Block]:
        """The two writes, in order: all of it marked as unfinished, then its beginning as it stays."""
        flag = bytearray(self.index.data)
        flag[70:71] = b"u"
        return xleases.Block(0, bytes(flag)), xleases.Block(0, self.index.data[:4096])


def mend(data: bytes, slots: Mapping[int, Found], space: str, modified: int, align: int) -> Mended:
    """The index is the truth: a good record's lease is made good, a slot without a record is cleared.

    A record that cannot be read, or whose change did not end, is told by the lease in its slot; all are when the index
    itself cannot be read. `slots` has those that the volume has room for; records beyond are dropped.
    """
    whole = _readable(data)
    names: dict[int, str] = {}
    lost: list[int] = []
    for number in range(min(RECORDS, max(slots, default=-1) + 1)):
        record = _record(data, number) if whole else None
        if record is None or record.updating:
            lost.append(number)
        elif record.name and record.name not in names.values():
            names[number] = record.name
    for number in lost:
        found = slots.get(number, Found()).name
        if found and found not in names.values():
            names[number] = found
    index = xleases.fresh(space, modified)
    for number, name in names.items():
        index = index.having(number, name, align)
    write = {number: name for number, name in names.items() if slots[number].name != name}
    clear = tuple(number for number, found in slots.items() if (found.name or found.other) and number not in names)
    return Mended(index, write, clear)


def _readable(data: bytes) -> bool:
    """One left half formatted is read all the same: its records may be there."""
    return len(data) >= HEAD + RECORD and data[:4] == xleases.MAGIC and data[5:9] == xleases.VERSION


def _record(data: bytes, number: int) -> Lease | None:
    """None for bytes that are no record."""
    raw = data[HEAD + number * RECORD : HEAD + (number + 1) * RECORD]
    name = raw[: xleases.NAME].rstrip(b"\0")
    sound = (
        len(raw) == RECORD and raw[48:49] == raw[60:61] == b"\0" and raw[49:60].isdigit() and raw[61:62] in (b"-", b"u")
    )
    if not sound or raw[63:] != b"\n" or b"\0" in name:
        return None
    try:
        return Lease(number, name.decode(), raw[61:62] == b"u")
    except UnicodeDecodeError:
        return None
