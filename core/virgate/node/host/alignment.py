"""Whether a disk's partitions begin where storage works best (spec xmlrpc-host-vm 2.5, getDiskAlignment).

Only where partitions start has to be read: a few sectors, which qemu-img takes out of an image of any format. What
they say is the guest's word and bounded.
"""

import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from virgate.errors import InvalidParameter, VirgateError, error
from virgate.run.process import run

if TYPE_CHECKING:
    from virgate.node.vm.disks import Disks

GOOD = 64 << 10
"""Partitions that begin at multiples of this are aligned, as virt-alignment-scan counts it."""

HEAD = 64 << 10
"""Bytes from the beginning that hold every table but those of logical partitions."""
SECTOR = 512
LOGICAL = 64
"""Logical partitions that are looked for."""
PATIENCE = 60.0
"""Seconds that one piece of a disk may take to be read."""

EXTENDED = frozenset({0x05, 0x0F, 0x85})
PROTECTIVE = 0xEE


@error
class CannotScan(VirgateError):
    """The disk cannot be read; old clients know it by the general code."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "The partitions of {self.path} cannot be read: {self.detail}"
    path: str
    detail: str


@error
class OnlyForDisks(VirgateError):
    """A machine's disk is asked for by the id of no machine."""

    code: ClassVar[int] = 44
    text: ClassVar[str] = "Not implemented: alignment is told of disks that no machine uses, not of machine {self.vm}"
    vm: str


@frozen
class Table:
    """Where partitions begin, in bytes by number; `extended` is where a chain of logical ones begins."""

    starts: Mapping[int, int] = field(factory=dict)
    extended: int | None = None

    @property
    def told(self) -> dict[str, bool]:
        return {f"/dev/sda{number}": start % GOOD == 0 for number, start in sorted(self.starts.items())}


def table(head: bytes) -> Table:
    """Of the first bytes of a disk; an empty one for a disk without partitions."""
    entries = _records(head)
    if any(kind == PROTECTIVE for kind, _ in entries):
        for size in (SECTOR, 4096):
            if head[size : size + 8] == b"EFI PART":
                return Table(_gpt(head, size))
    extended = [start for kind, start in entries if kind in EXTENDED]
    starts = {
        number: start * SECTOR
        for number, (kind, start) in enumerate(entries, 1)
        if kind not in (0, PROTECTIVE) and start
    }
    return Table(starts, extended[0] * SECTOR if extended else None)


def logical(sector: bytes, place: int, extended: int) -> tuple[int | None, int | None]:
    """Of the table at `place`: where its partition begins, and where the next table is. All in bytes."""
    first, following = (*_records(sector), (0, 0), (0, 0))[:2]
    start = place + first[1] * SECTOR if first[0] and first[1] else None
    return start, extended + following[1] * SECTOR if following[0] in EXTENDED and following[1] else None


def _records(sector: bytes) -> list[tuple[int, int]]:
    """Kind and first sector of the four records; none without the mark at the end."""
    if sector[510:512] != b"\x55\xaa":
        return []
    return [struct.unpack_from("<4xB3xI4x", sector, 446 + 16 * number) for number in range(4)]


def _gpt(head: bytes, sector: int) -> dict[int, int]:
    place, count, size = struct.unpack_from("<QII", head, sector + 72)
    found = {}
    for number in range(min(count, 128)):
        entry = place * sector + number * size
        if size < 128 or entry + 40 > len(head):
            break
        if any(head[entry : entry + 16]):
            found[number + 1] = struct.unpack_from("<Q", head, entry + 32)[0] * sector
    return found


async def scan(path: str, form: str) -> dict[str, bool]:
    """By the names of partitions, as if the disk were /dev/sda; `form` is raw or qcow2."""
    found = table(await _read(path, form, 0, HEAD))
    if found.extended is None:
        return found.told
    starts, place = dict(found.starts), found.extended
    for number in range(5, 5 + LOGICAL):
        try:
            sector = await _read(path, form, place, SECTOR)
        except CannotScan:  # a table that points behind the end of the disk
            break
        start, following = logical(sector, place, found.extended)
        if start is None:
            break
        starts[number] = start
        if following is None or following <= place:
            break
        place = following
    return Table(starts).told


async def _read(path: str, form: str, start: int, length: int) -> bytes:
    """Also while somebody uses the disk. Of the beginning fewer bytes where it ends."""
    with tempfile.TemporaryDirectory(prefix="virgate-alignment-") as work:
        piece = Path(work) / "piece"
        if start:
            argv = [
                "qemu-img",
                "convert",
                "-U",
                "--image-opts",
                "-O",
                "raw",
                window(path, form, start, length),
                str(piece),
            ]
        else:
            count = [f"bs={SECTOR}", f"count={length // SECTOR}"]
            argv = ["qemu-img", "dd", "-U", "-f", form, "-O", "raw", *count, f"if={path}", f"of={piece}"]
        done = await run(argv, timeout=PATIENCE)
        if done.code:
            raise CannotScan(path, done.stderr.decode("utf-8", "replace").strip()[:300])
        return piece.read_bytes()


def window(path: str, form: str, start: int, length: int) -> str:
    """Some bytes of an image as an image of its own. `qemu-img dd` counts what it skips, or not, by its version."""
    inner = "" if form == "raw" else f"file.driver={form},file."
    return f"driver=raw,offset={start},size={length},{inner}file.filename={path.replace(',', ',,')}"


async def scan_disk(disks: "Disks", drive: Mapping[str, Any]) -> dict[str, bool]:
    """Of a volume, or of a disk by its path or its device's id; it is prepared for that long."""
    from virgate.domxml.drives import check_paths, disk_request

    check_paths(dict(drive))
    disk = disk_request({**drive, "name": "sda"})
    if disk.is_empty or not (disk.path or "/").startswith("/"):  # other paths have a meaning of their own to qemu-img
        raise InvalidParameter("disk", disk.path or sorted(drive))
    source = await disks.prepare(disk)
    try:
        return await scan(source.path, source.format or "raw")
    finally:
        await disks.teardown(disk)
