"""The bytes of a volume, a piece at a time, past the page cache where the file system can do that.

A device is reached by a link. A volume that is a file must be that file itself (`own`): whoever may write to storage
could put a link to a file of this host in its place.
"""

import errno
import mmap
import os
from collections.abc import Callable
from typing import Any

from virgate.node.storage.operations.files import BLOCK


def read_data(path: str, start: int, length: int, own: bool = False) -> bytes:
    """`length` bytes from `start` (whole blocks from the beginning) on; fewer where the file ends."""
    file = _open(path, os.O_RDONLY | _how(own))
    try:
        with mmap.mmap(-1, max(BLOCK, -(-length // BLOCK) * BLOCK)) as buffer:
            return buffer[: min(length, os.preadv(file, [buffer], start))]
    finally:
        os.close(file)


def write_data(path: str, start: int, data: bytes, own: bool = False) -> None:
    """Replaces bytes of a file from `start` (whole blocks from the beginning) on; what lies behind them stays.

    They are lasting after `flush_data`.
    """
    whole = len(data) - len(data) % BLOCK
    if whole:
        file = _open(path, os.O_WRONLY | _how(own))
        try:
            with mmap.mmap(-1, whole) as buffer:
                buffer[:] = data[:whole]
                _write_all(file, memoryview(buffer), start)
        finally:
            os.close(file)
    if whole < len(data):  # less than a block: the rest of that block is somebody's, or not there
        file = os.open(path, os.O_WRONLY | _how(own))
        try:
            _write_all(file, memoryview(data)[whole:], start + whole)
        finally:
            os.close(file)


def flush_data(path: str, own: bool = False) -> None:
    file = os.open(path, os.O_RDONLY | _how(own))
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _how(own: bool) -> int:
    return os.O_CLOEXEC | (os.O_NOFOLLOW if own else 0)


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError as problem:
        if problem.errno != errno.EINVAL:
            raise
        return os.open(path, flags)


def _write_all(file: int, data: memoryview, start: int) -> None:
    with data:
        done = 0
        while done < len(data):
            done += os.pwrite(file, data[done:], start + done)


OPERATIONS: tuple[Callable[..., Any], ...] = (read_data, write_data, flush_data)
