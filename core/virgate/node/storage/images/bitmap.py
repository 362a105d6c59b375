"""A bitmap in the header of a qcow2 volume: what an incremental backup goes by. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from virgate.errors import InvalidParameter

GRANULARITY = 64 << 10
"""Bytes that one bit of a new bitmap stands for: a cluster of qcow2."""
LONGEST_NAME = 1023
"""Bytes."""


@frozen
class Bitmap:
    """Which blocks of a volume changed since it was made."""

    name: str
    granularity: int = GRANULARITY
    valid: bool = True
    """False if a program that wrote to the volume died: blocks may be missing."""
    enabled: bool = True
    """Whether what is written from now on is recorded."""

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Bitmap":
        """From what `qemu-img info` says."""
        flags = found["flags"]
        return cls(found["name"], int(found["granularity"]), "in-use" not in flags, "auto" in flags)

    def told(self) -> dict[str, Any]:
        flags = [*([] if self.valid else ["in-use"]), *(["auto"] if self.enabled else [])]
        return {"name": self.name, "granularity": self.granularity, "flags": flags}


def bitmap_name(name: str) -> str:
    """`InvalidParameter` (1000) for what QEMU does not take as a name."""
    if not name.isprintable() or not 0 < len(name.encode()) <= LONGEST_NAME:
        raise InvalidParameter("bitmap", ascii(name))
    return name
