"""The header of a qcow2 file, as far as it leads to other files (QEMU docs/interop/qcow2.txt).

Storage content is not to be trusted: a header that names a foreign file makes QEMU read it as part of a disk. This is
the look before QEMU looks.
"""

import struct
from typing import ClassVar

from attrs import frozen

from virgate.errors import VirgateError, error

START = 64 << 10
"""Bytes from the beginning of a file that are enough to read: the header and all it names come first."""

MAGIC = b"QFI\xfb"
_FIXED = struct.Struct(">4sIQI")
_EXTENSION = struct.Struct(">II")
_VERSION_2_LENGTH = 72
_LENGTH_AT = 100
_SIZE_AT = 24
_INCOMPATIBLE_AT = 72
_DATA_FILE_BIT = 1 << 2
_BACKING_FORMAT = 0xE2792ACA
_DATA_FILE_NAME = 0x44415441


@error
class BrokenHeader(VirgateError):
    """The file begins like qcow2 and goes on like nothing known."""

    code: ClassVar[int] = 207
    text: ClassVar[str] = "The qcow2 header cannot be read: {self.reason}"
    reason: str


@frozen
class Header:
    """What the file leads to. `backing` is empty without one, `backing_format` where the header does not tell."""

    backing: str = ""
    backing_format: str = ""
    data_file: bool = False
    """Whether the guest's data lie in another file."""
    virtual_size: int = 0
    """Bytes of the disk that a guest sees."""


def decode(start: bytes) -> Header | None:
    """From the first bytes of a file; None if it is no qcow2 file. Raises `BrokenHeader`."""
    if start[:4] != MAGIC:
        return None
    try:
        _, version, offset, size = _FIXED.unpack_from(start)
        length, incompatible = _VERSION_2_LENGTH, 0
        if version >= 3:
            (incompatible,) = struct.unpack_from(">Q", start, _INCOMPATIBLE_AT)
            (length,) = struct.unpack_from(">I", start, _LENGTH_AT)
        (virtual_size,) = struct.unpack_from(">Q", start, _SIZE_AT)
        extensions = _extensions(start, length, offset or len(start))
    except struct.error:
        raise BrokenHeader("it ends too early") from None
    if offset and offset + size > len(start):
        raise BrokenHeader("the name of its backing file lies too far behind")
    return Header(
        start[offset : offset + size].decode("utf-8", "surrogateescape") if offset else "",
        extensions.get(_BACKING_FORMAT, b"").decode("ascii", "replace"),
        bool(incompatible & _DATA_FILE_BIT) or _DATA_FILE_NAME in extensions,
        virtual_size,
    )


def _extensions(start: bytes, at: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while at + _EXTENSION.size <= min(end, len(start)):
        kind, size = _EXTENSION.unpack_from(start, at)
        if not kind:
            break
        at += _EXTENSION.size
        if at + size > len(start):
            raise BrokenHeader("an extension is longer than the header")
        found[kind] = start[at : at + size]
        at += -(-size // 8) * 8
    return found
