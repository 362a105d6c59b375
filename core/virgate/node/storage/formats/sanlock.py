"""Lease records as sanlock keeps them on disk (spec storage-format 5.4), little endian.

Used to make a domain's `ids`, `leases` and volume leases where no sanlock runs, and to read what is there. While a
lockspace is joined only sanlock writes.
"""

import struct
from typing import Self

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.units import MiB

LOCKSPACE_MAGIC = 0x12212010
RESOURCE_MAGIC = 0x06152010
CLEARED_MAGIC = 0x11282016
REQUEST_MAGIC = 0x08292011
LOCKSPACE_VERSION = 0x00030004
RESOURCE_VERSION = 0x00060004
REQUEST_VERSION = 0x00010001
SDM = "SDM"
IO_TIMEOUT = 10
LVB_SECTOR = 2002

_LEADER = struct.Struct("<IIIIQQQQQ48s48sQQIHHQQQ")
_REQUEST = struct.Struct("<IIQI")
_CHECKED = 168
_ALIGN_FLAGS = {1 * MiB: 0x10, 2 * MiB: 0x20, 4 * MiB: 0x40, 8 * MiB: 0x80}
_MAX_HOSTS = {
    (512, 1 * MiB): 2000,
    (4096, 1 * MiB): 250,
    (4096, 2 * MiB): 500,
    (4096, 4 * MiB): 1000,
    (4096, 8 * MiB): 2000,
}


def _table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_CRC32C = _table()


def checksum(record: bytes) -> int:
    """CRC-32C of the first 168 bytes, with sanlock's own start value and no final inversion."""
    crc = 0xFFFFFFFE
    for byte in record[:_CHECKED]:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


@frozen(kw_only=True)
class Leader:
    """The first record of a lease: whose it is. `timestamp` 0 means free."""

    magic: int
    version: int
    flags: int
    sector_size: int
    num_hosts: int
    max_hosts: int
    owner_id: int = 0
    owner_generation: int = 0
    lver: int = 0
    space: str = ""
    resource: str = ""
    timestamp: int = 0
    io_timeout: int = 0
    write_id: int = 0
    write_generation: int = 0
    write_timestamp: int = 0

    @property
    def absent(self) -> bool:
        """A resource that was removed, in the manner of either sanlock or vdsm."""
        return self.magic == CLEARED_MAGIC or (self.magic == RESOURCE_MAGIC and not self.space and not self.resource)

    def encode(self) -> bytes:
        """200 bytes; the rest of the sector is zero."""
        record = self._pack(0)
        return self._pack(checksum(record))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """UnreadableMetadata for a sector without a record, or with a damaged one."""
        if len(data) < _LEADER.size:
            raise UnreadableMetadata(f"lease record of {len(data)} bytes")
        values = _LEADER.unpack_from(data)
        magic, version, stored = values[0], values[1], values[13]
        if magic not in (LOCKSPACE_MAGIC, RESOURCE_MAGIC, CLEARED_MAGIC):
            raise UnreadableMetadata(f"lease magic {magic:#010x}")
        if stored != checksum(data):
            raise UnreadableMetadata(f"lease checksum {stored:#010x}, computed {checksum(data):#010x}")
        return cls(
            magic=magic,
            version=version,
            flags=values[2],
            sector_size=values[3],
            num_hosts=values[4],
            max_hosts=values[5],
            owner_id=values[6],
            owner_generation=values[7],
            lver=values[8],
            space=_text(values[9]),
            resource=_text(values[10]),
            timestamp=values[11],
            io_timeout=values[15],
            write_id=values[16],
            write_generation=values[17],
            write_timestamp=values[18],
        )

    def _pack(self, crc: int) -> bytes:
        return _LEADER.pack(
            self.magic,
            self.version,
            self.flags,
            self.sector_size,
            self.num_hosts,
            self.max_hosts,
            self.owner_id,
            self.owner_generation,
            self.lver,
            _name(self.space),
            _name(self.resource),
            self.timestamp,
            0,
            crc,
            0,
            self.io_timeout,
            self.write_id,
            self.write_generation,
            self.write_timestamp,
        )


def max_hosts(block_size: int, align: int) -> int:
    """How many hosts one lease of this geometry serves."""
    try:
        return _MAX_HOSTS[block_size, align]
    except KeyError:
        raise InvalidParameter("alignment", f"{align} with blocks of {block_size}") from None


def lockspace(name: str, block_size: int, align: int, io_timeout: int = IO_TIMEOUT) -> bytes:
    """A whole fresh lockspace area (`ids`): one free host lease per sector."""
    hosts = max_hosts(block_size, align)
    record = Leader(
        magic=LOCKSPACE_MAGIC,
        version=LOCKSPACE_VERSION,
        flags=_ALIGN_FLAGS[align],
        sector_size=block_size,
        num_hosts=0,
        max_hosts=1,
        space=name,
        io_timeout=io_timeout,
    )
    return (record.encode().ljust(block_size, b"\0") * hosts).ljust(align, b"\0")


def resource(space: str, name: str, block_size: int, align: int) -> bytes:
    """A whole fresh lease nobody owns."""
    sectors = fresh_leader(space, name, block_size, align).encode().ljust(block_size, b"\0") + encode_request()
    return sectors.ljust(align, b"\0")


def removed_resource(block_size: int, align: int) -> bytes:
    """What takes the place of a lease that was removed: one without names."""
    return resource("", "", block_size, align)


def fresh_leader(space: str, name: str, block_size: int, align: int) -> Leader:
    """The leader of `resource`."""
    hosts = max_hosts(block_size, align)
    return Leader(
        magic=RESOURCE_MAGIC,
        version=RESOURCE_VERSION,
        flags=_ALIGN_FLAGS[align],
        sector_size=block_size,
        num_hosts=hosts,
        max_hosts=hosts,
        space=space,
        resource=name,
    )


def cleared(leader: Leader) -> Leader:
    """The same record as newer sanlock leaves it behind when it clears a lease."""
    return evolve(leader, magic=CLEARED_MAGIC)


def encode_request(lver: int = 0, force_mode: int = 0) -> bytes:
    """The record of sector 1, where a host asks the owner of a lease to give it up."""
    return _REQUEST.pack(REQUEST_MAGIC, REQUEST_VERSION, lver, force_mode)


def decode_request(data: bytes) -> tuple[int, int]:
    """(lver, force mode) that are asked for; (0, 0) when nobody asks."""
    magic, version, lver, force_mode = _REQUEST.unpack_from(data)
    if magic != REQUEST_MAGIC or version >> 16 != REQUEST_VERSION >> 16:
        raise UnreadableMetadata(f"request magic {magic:#010x}")
    return lver, force_mode


def _name(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > 48:
        raise InvalidParameter("name", name)
    return encoded


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")
