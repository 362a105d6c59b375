"""The index of external (machine) leases in `xleases` (spec storage-format 5.5).

A value over the 253,952 bytes of the index: changes answer a new index and the block that must reach the disk.
"""

from typing import Self

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import MetadataOverflow, NoSuchLease, UnreadableMetadata
from virgate.node.storage.formats.layout import XLEASES_INDEX, vm_lease_offset

MAGIC = bytes.fromhex("12152016")
VERSION = b"0001"
RECORDS = 3960
HEAD = 512
RECORD = 64
NAME = 48

_FREE = b"\0" * 49 + b"00000000000\0--\n"
_STABLE, _UPDATING = b"-", b"u"
_HEAD_FLAG, _RECORD_FLAG = 70, 61


@frozen
class Lease:
    """One record. `updating`: a writer stopped half way; such a record counts as missing until it is written again."""

    number: int
    name: str
    updating: bool = False

    def offset(self, align: int) -> int:
        """Where the lease itself is. Computed: the offset stored in the record only informs."""
        return vm_lease_offset(self.number, align)


@frozen
class Block:
    """Bytes to write at an offset that counts from the start of the index."""

    offset: int
    data: bytes


@frozen(repr=False)
class Index:
    data: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """UnreadableMetadata when the index must be formatted or rebuilt before use."""
        if len(data) < XLEASES_INDEX:
            raise UnreadableMetadata(f"lease index of {len(data)} bytes")
        if data[:4] != MAGIC or data[5:9] != VERSION:
            raise UnreadableMetadata(f"lease index begins with {data[:9].hex()}")
        if data[_HEAD_FLAG : _HEAD_FLAG + 1] != _STABLE:
            raise UnreadableMetadata("lease index was left half formatted")
        return cls(bytes(data[:XLEASES_INDEX]))

    @property
    def lockspace(self) -> str:
        return self.data[10:58].rstrip(b"\0").decode(errors="replace")

    @property
    def modified(self) -> int:
        """Seconds since the epoch at the last format or rebuild; other changes do not touch it."""
        try:
            return int(self.data[59:69])
        except ValueError:
            return 0

    def leases(self) -> list[Lease]:
        """Every record that has a name, in order."""
        return [lease for number in range(RECORDS) if (lease := self.record(number)).name]

    def record(self, number: int) -> Lease:
        raw = self._raw(number)
        name = raw[:NAME].rstrip(b"\0").decode(errors="replace")
        return Lease(number, name, raw[_RECORD_FLAG : _RECORD_FLAG + 1] == _UPDATING)

    def find(self, name: str) -> Lease:
        """Raises NoSuchLease, also for a record that is being written."""
        lease = self._search(name)
        if lease is None or lease.updating:
            raise NoSuchLease(name)
        return lease

    def add(self, name: str, align: int, usable: int = RECORDS) -> tuple["Index", Lease]:
        """With a record for `name`; one that exists is answered unchanged. `usable`: leases that the volume holds.

        The lease itself is written first, then the block of the record.
        """
        found = self._search(name)
        if found is not None and not found.updating:
            return self, found
        number = found.number if found is not None else self._free(min(usable, RECORDS))
        return self._with(number, _encode_record(name, vm_lease_offset(number, align))), Lease(number, name)

    def remove(self, name: str) -> tuple["Index", Lease]:
        """Without the record. Its block is written first, then the lease is overwritten."""
        lease = self.find(name)
        return self._with(lease.number, _FREE), lease

    def having(self, number: int, name: str, align: int) -> "Index":
        """With that very record, whatever it was."""
        return self._with(number, _encode_record(name, vm_lease_offset(number, align)))

    def block(self, number: int, block_size: int) -> Block:
        """The block that holds a record: changes are written by whole blocks."""
        start = (HEAD + number * RECORD) // block_size * block_size
        return Block(start, self.data[start : start + block_size])

    def _search(self, name: str) -> Lease | None:
        wanted = _encode_name(name) + b"\0"
        position = self.data.find(wanted, HEAD)
        while position >= 0 and (position - HEAD) % RECORD:
            position = self.data.find(wanted, position + 1)
        return None if position < 0 else self.record((position - HEAD) // RECORD)

    def _free(self, usable: int) -> int:
        for number in range(usable):
            if self._raw(number)[:1] == b"\0":
                return number
        raise MetadataOverflow(usable + 1, usable)

    def _raw(self, number: int) -> bytes:
        start = HEAD + number * RECORD
        return self.data[start : start + RECORD]

    def _with(self, number: int, record: bytes) -> "Index":
        start = HEAD + number * RECORD
        return Index(self.data[:start] + record + self.data[start + RECORD :])


def fresh(lockspace: str, modified: int) -> Index:
    """An index without leases, complete."""
    return Index(_fill(_encode_head(lockspace, modified, _STABLE)))


def formatting(lockspace: str, modified: int, block_size: int) -> tuple[Block, Block]:
    """The two writes of a format, in order: the whole index marked as unfinished, then the first block as stable."""
    unfinished = _fill(_encode_head(lockspace, modified, _UPDATING))
    return Block(0, unfinished), Block(0, fresh(lockspace, modified).data[:block_size])


def _fill(head: bytes) -> bytes:
    return (head + _FREE * RECORDS).ljust(XLEASES_INDEX, b"\0")


def _encode_head(lockspace: str, modified: int, flag: bytes) -> bytes:
    stamp = f"{modified:010d}".encode()
    head = MAGIC + b"\0" + VERSION + b"\0" + _encode_name(lockspace) + b"\0" + stamp + b"\0" + flag
    return head.ljust(HEAD - 1, b"\0") + b"\n"


def _encode_record(name: str, offset: int) -> bytes:
    return _encode_name(name) + b"\0" + f"{offset:011d}".encode() + b"\0--\n"


def _encode_name(name: str) -> bytes:
    encoded = name.encode()
    if not encoded or len(encoded) > NAME or b"\0" in encoded:
        raise InvalidParameter("lease", name)
    return encoded.ljust(NAME, b"\0")
