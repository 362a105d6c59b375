"""Whole blocks at places of a file or device, past the page cache: other hosts read and write them, too."""

import errno
import mmap
import os
import stat
from collections.abc import Callable
from typing import Any

BLOCK = 4096


def read_blocks(path: str, offset: int, length: int) -> bytes:
    """Fewer bytes where the file ends. Offset and length count whole blocks."""
    file = _open(path, os.O_RDONLY)
    try:
        with mmap.mmap(-1, length) as buffer:
            return buffer[: _fill(file, buffer, offset, length)]
    finally:
        os.close(file)


def read_used_blocks(path: str, count: int) -> list[tuple[int, bytes]]:
    """Of the first `count` blocks those that are not all zero, with their numbers."""
    data = read_blocks(path, 0, count * BLOCK)
    blocks = ((number, data[number * BLOCK : (number + 1) * BLOCK]) for number in range(-(-len(data) // BLOCK)))
    return [(number, block) for number, block in blocks if block.count(0) != len(block)]


def write_blocks(path: str, offset: int, data: bytes) -> None:
    """Lasting when this comes back. A file is not made longer or anew by it."""
    file = _open(path, os.O_WRONLY | os.O_DSYNC)
    try:
        if offset + len(data) > os.lseek(file, 0, os.SEEK_END):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        with mmap.mmap(-1, len(data)) as buffer:
            buffer.write(data)
            with memoryview(buffer) as view:
                written = 0
                while written < len(data):
                    written += os.pwrite(file, view[written:], offset + written)
    finally:
        os.close(file)


def length_of_device(path: str) -> int | None:
    """Bytes of a block device; None if there is none."""
    try:
        device = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        return os.lseek(device, 0, os.SEEK_END) if stat.S_ISBLK(os.fstat(device).st_mode) else None
    finally:
        os.close(device)


def _open(path: str, how: int) -> int:
    try:
        return os.open(path, how | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as problem:
        if problem.errno != errno.EINVAL:
            raise
        return os.open(path, how | os.O_CLOEXEC)


def _fill(file: int, buffer: mmap.mmap, offset: int, length: int) -> int:
    got = 0
    with memoryview(buffer) as view:
        while got < length:
            count = os.preadv(file, [view[got:]], offset + got)
            if count == 0 or count % BLOCK:
                return got + count
            got += count
    return got


OPERATIONS: tuple[Callable[..., Any], ...] = (read_blocks, read_used_blocks, write_blocks, length_of_device)
