"""What the worker process of a domain does with the record: plain blocking functions."""

import mmap
import os
from collections.abc import Callable
from typing import Any

RECORD = 512


def read_record(path: str) -> bytes:
    """Past the page cache; zeros where the file ends."""
    file = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_NOFOLLOW)
    try:
        with mmap.mmap(-1, RECORD) as buffer:
            os.preadv(file, [buffer], 0)
            return bytes(buffer[:RECORD])
    finally:
        os.close(file)


def write_record(path: str, data: bytes) -> None:
    """Lasting when this comes back."""
    file = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
    try:
        with mmap.mmap(-1, RECORD) as buffer:
            buffer.write(data)
            os.pwritev(file, [memoryview(buffer)[:RECORD].toreadonly()], 0)
    finally:
        os.close(file)


OPERATIONS: dict[str, Callable[..., Any]] = {"read_record": read_record, "write_record": write_record}
