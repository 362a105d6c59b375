"""A qcow2 file that holds nothing yet, as `qemu-img create` makes it (QEMU docs/interop/qcow2.txt).

Making a volume is mostly making this file; a program started for it takes longer than all the rest together. Clusters
of 64 KiB: header, refcount table, refcount block, L1 table. The optional table of feature names is left out.
"""

import struct

from attrs import frozen

from virgate.errors import InvalidParameter

CLUSTER = 1 << 16
_CLUSTER_BITS = 16
_SECTOR = 512
_COVERED = CLUSTER * CLUSTER // 8
"""Bytes of the disk that one entry of the L1 table stands for."""
_LARGEST_L1 = 32 << 20
_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSION_3 = struct.Struct(">QQQIIQ")
_VERSION_3_LENGTH = 112
_REFCOUNT_ORDER = 4
_BACKING_FORMAT = 0xE2792ACA
_NAME_LIMIT = 1023


@frozen
class EmptyFile:
    """What is not zero: bytes at offsets, in order; and how long the file is. On a device all else must be zeroed."""

    pieces: tuple[tuple[int, bytes], ...]
    length: int


def empty(size: int, level: str, backing: str = "", backing_format: str = "") -> EmptyFile:
    """A disk of `size` bytes (rounded up to sectors) for `compat` level 0.10 or 1.1, perhaps based on another file.

    Raises InvalidParameter for what qcow2 cannot hold.
    """
    size = -(-size // _SECTOR) * _SECTOR
    entries = -(-size // _COVERED)
    if size < 0 or entries * 8 > _LARGEST_L1:
        raise InvalidParameter("size", size)
    if level not in ("0.10", "1.1"):
        raise InvalidParameter("compat", level)
    clusters = 3 + -(-entries * 8 // CLUSTER)
    counts = struct.pack(">H", 1) * clusters
    header = _header(size, level, entries, backing, backing_format)
    pieces = ((0, header), (CLUSTER, struct.pack(">Q", 2 * CLUSTER)), (2 * CLUSTER, counts))
    return EmptyFile(pieces, 3 * CLUSTER + entries * 8)


def _header(size: int, level: str, entries: int, backing: str, backing_format: str) -> bytes:
    extensions = _extension(_BACKING_FORMAT, backing_format.encode()) if backing else b""
    name = backing.encode()
    if len(name) > _NAME_LIMIT:
        raise InvalidParameter("backing", backing)
    newer = level == "1.1"
    length = _VERSION_3_LENGTH if newer else _HEADER.size
    place = length + len(extensions) + 8 if name else 0
    fixed = _HEADER.pack(
        b"QFI\xfb",
        3 if newer else 2,
        place,
        len(name),
        _CLUSTER_BITS,
        size,
        0,
        entries,
        3 * CLUSTER,
        CLUSTER,
        1,
        0,
        0,
    )
    if newer:
        fixed += _VERSION_3.pack(0, 0, 0, _REFCOUNT_ORDER, _VERSION_3_LENGTH, 0)
    return fixed + extensions + bytes(8) + name


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack(">II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\0")
