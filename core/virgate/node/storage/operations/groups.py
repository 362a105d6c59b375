"""What block domains need of their special volumes and of the folders around them."""

import grp
import mmap
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from virgate.node.storage.operations.files import BLOCK, Owner

CHUNK = 1 << 20


def time_read(path: str) -> float:
    """Seconds that a direct read of the first block takes."""
    started = time.monotonic()
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, BLOCK) as buffer:
            if os.preadv(file, [buffer], 0) != BLOCK:
                raise OSError(0, "is empty", path)
    finally:
        os.close(file)
    return time.monotonic() - started


def zero_start(path: str, length: int) -> None:
    """Overwrites the beginning with zeros, whole blocks of them; lasting when this comes back."""
    file = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
    try:
        with mmap.mmap(-1, CHUNK) as zeros, memoryview(zeros) as view:
            done = 0
            while done < length:
                done += os.pwrite(file, view[: min(CHUNK, length - done)], done)
    finally:
        os.close(file)


def measure_devices(paths: list[str]) -> list[dict[str, int]]:
    """Size, logical and physical block size of each block device, as the kernel has them."""
    return [_measure(path) for path in paths]


def _measure(path: str) -> dict[str, int]:
    number = Path(path).stat().st_rdev
    folder = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    sectors, logical, physical = (
        int((folder / name).read_text()) for name in ("size", "queue/logical_block_size", "queue/physical_block_size")
    )
    return {"size": sectors * 512, "logical": logical, "physical": physical}


def names_of_links(folder: str) -> list[str]:
    """The links in the folders of a folder; where they point to is not looked at."""
    root = Path(folder)
    places = [place for place in root.iterdir() if not place.is_symlink()] if root.is_dir() else []
    return sorted(link.name for place in places if place.is_dir() for link in place.iterdir() if link.is_symlink())


def dress_special(own: Sequence[str], leases: Sequence[str], owner: Owner = None, group: str = "sanlock") -> None:
    """Devices of special volumes get owner and mode as on every other host; udev does not do it for us.

    Those with leases are read and written by the daemon of the leases, too, if it has a group of its own.
    """
    user, usual = owner or (-1, -1)
    try:
        keeper = grp.getgrnam(group).gr_gid
    except KeyError:
        keeper = usual
    for path in own:
        _dress(path, 0o600, user, usual)
    for path in leases:
        _dress(path, 0o660, user, keeper)


def _dress(path: str, mode: int, user: int, group: int) -> None:
    os.chown(path, user, group)
    Path(path).chmod(mode)


def own_folder(path: str, owner: Owner = None) -> None:
    """A folder of a file system that was just mounted belongs to whom the rest belongs."""
    if owner:
        os.chown(path, *owner)


OPERATIONS: tuple[Callable[..., Any], ...] = (
    time_read,
    zero_start,
    measure_devices,
    names_of_links,
    dress_special,
    own_folder,
)
