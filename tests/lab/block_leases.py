"""A block domain as the server sees it: leases and data in the file that a disk lies in."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.nodes import Node
from lab.pools import Disk
from virgate.node.storage.formats.layout import alignment, sdm_offset
from virgate.node.storage.formats.sanlock import SDM

EXTENT = 128 << 20
START = 135266304
"""Where the extents of a physical volume begin."""
IDS, LEASES = 1, 4
"""The first extents of these special volumes (vector C-07 of spec storage-format)."""
SLOTS = 16
BLOCK = 512


@dataclass(frozen=True)
class BlockLeases:
    """What a watcher reads: host ids, the SPM's lease and those of the first volumes. `file` is the first disk's."""

    file: Path

    def host(self, number: int) -> bytes:
        return self._read(IDS, (number - 1) * BLOCK)

    def held(self) -> Iterator[tuple[str, bytes]]:
        unit = alignment(BLOCK)
        yield SDM, self._read(LEASES, sdm_offset(unit))

    def _read(self, extent: int, offset: int) -> bytes:
        return read(self.file, START + extent * EXTENT + offset, BLOCK)


@dataclass(frozen=True)
class Region:
    """Where the extents of one volume are, if they are in one piece."""

    file: Path
    offset: int
    size: int

    def digest(self) -> str:
        digest = hashlib.sha256()
        with self.file.open("rb") as file:
            file.seek(self.offset)
            for _ in range(self.size // (16 << 20)):
                digest.update(file.read(16 << 20))
        return digest.hexdigest()


def region(node: Node, disk: Disk, file: Path) -> Region | None:
    """As the host's LVM says; None if there is no such volume."""
    report = "lvm lvs --config 'devices { hints=none }' --noheadings --units b --nosuffix --separator '|'"
    told = node.host.shell(f"{report} -o name,size,devices {disk.domain}")
    for line in told.splitlines():
        name, size, devices = line.strip().split("|")
        if name == disk.volume:
            extent = int(devices.rstrip(")").rpartition("(")[2])
            return Region(file, START + extent * EXTENT, int(size))
    return None


def read(file: Path, offset: int, length: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(length)
