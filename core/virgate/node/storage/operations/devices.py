"""Volumes of a block domain: their metadata slots and leases, their first bytes, and the folders that show them.

Devices are reached past the page cache: every host of a pool reads and writes them.
"""

import mmap
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from virgate.node.storage.operations.blocks import BLOCK, read_blocks, write_blocks
from virgate.node.storage.operations.files import Owner, make_link

SLOT = 512
PIECE = 1 << 20
"""Slots that lie as near are read at once: a few blocks too many cost less than a read."""
DEVICE_MODE = 0o660


def read_slots(path: str, offsets: Sequence[int]) -> list[bytes]:
    """The 512 bytes at each offset."""
    found: dict[int, bytes] = {}
    for group in _near(sorted(set(offsets))):
        start = group[0] // BLOCK * BLOCK
        data = read_blocks(path, start, -(-(group[-1] + SLOT - start) // BLOCK) * BLOCK)
        found |= {offset: data[offset - start : offset - start + SLOT] for offset in group}
    return [found[offset] for offset in offsets]


def _near(offsets: Sequence[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for offset in offsets:
        if group and offset + SLOT - group[0] // BLOCK * BLOCK > PIECE:
            yield group
            group = []
        group.append(offset)
    if group:
        yield group


def write_slot(path: str, offset: int, data: bytes) -> None:
    """One write of 512 bytes, which other hosts see as a whole or not at all; lasting when this comes back."""
    write_blocks(path, offset, data)


def enroll_volume(path: str, offset: int, data: bytes, leases: str, place: int, lease: bytes, size: int) -> None:
    """Writes metadata and lease of a volume that no tag names so far. The lease is followed by zeros up to `size`."""
    if size:
        write_blocks(leases, place, lease.ljust(size, b"\0"))
    write_slot(path, offset, data)


def read_device_starts(paths: Sequence[str], length: int) -> list[bytes]:
    """The first bytes of each device, whole blocks."""
    found = []
    for path in paths:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_DIRECT)
        try:
            with mmap.mmap(-1, length) as buffer:
                found.append(buffer[: os.preadv(file, [buffer], 0)])
        finally:
            os.close(file)
    return found


def dress_devices(paths: Sequence[str], owner: Owner) -> None:
    """Lets the user of guests open devices that have just appeared; udev gives them to root."""
    for path in paths:
        Path(path).chmod(DEVICE_MODE)
        if owner:
            os.chown(path, *owner)


def show_volumes(folders: Sequence[str], targets: Mapping[str, str]) -> None:
    """Links volumes into folders, which are made if need be."""
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, target in targets.items():
            make_link(target, f"{folder}/{name}")


def hide_volumes(folder: str, names: Sequence[str]) -> None:
    """Takes links away, and the folder when nothing is left in it."""
    for name in names:
        Path(folder, name).unlink(missing_ok=True)
    with suppress(OSError):
        Path(folder).rmdir()


def shown_volumes(folder: str) -> dict[str, list[str]]:
    """The folders in a folder, with the names that are shown in each."""
    found = {}
    with suppress(FileNotFoundError):
        for image in sorted(Path(folder).iterdir()):
            if image.is_dir() and not image.is_symlink():
                found[image.name] = sorted(path.name for path in image.iterdir())
    return found


OPERATIONS: tuple[Callable[..., Any], ...] = (
    read_slots,
    write_slot,
    enroll_volume,
    read_device_starts,
    dress_devices,
    show_volumes,
    hide_volumes,
    shown_volumes,
)
