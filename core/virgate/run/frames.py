"""msgpack frames between the daemon and a worker process, and how errors travel in them.

A frame is one msgpack list. Besides msgpack's own types a `Path` and an instance of an attrs class pass through as
themselves; a tuple arrives as a list. Text may hold bytes that are no UTF-8 (file names do).

A call is `[number, operation, arguments]`, an answer `[number, Answer, payload]`; number 0 asks for a sign of life.
"""

import importlib
import os
import traceback
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

import attrs
import msgpack

from virgate.errors import VirgateError

PATH, VALUE = 1, 2
LARGEST = 256 << 20
"""Bytes of one frame at most. Bulk data goes through files, not through here."""

HEARTBEAT = 0


class Answer(IntEnum):
    """What the payload of an answer is."""

    RESULT = 0
    OS_ERROR = 1
    """errno, text, file name, second file name"""
    TYPED = 2
    """a VirgateError"""
    BROKEN = 3
    """one line for the caller, the traceback for the log"""


def pack(message: Any) -> bytes:
    """Raises TypeError for what cannot travel."""
    return bytes(msgpack.packb(message, default=_wrap, unicode_errors="surrogateescape"))


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(
            ext_hook=_unwrap, strict_map_key=False, unicode_errors="surrogateescape", max_buffer_size=LARGEST
        )

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        self._unpacker.feed(data)
        yield from self._unpacker


def pack_failure(number: int, problem: BaseException) -> bytes:
    """The answer to a call that raised."""
    match problem:
        case OSError(errno=int()):
            details = [problem.errno, problem.strerror, problem.filename, problem.filename2]
            return pack([number, Answer.OS_ERROR, details])
        case VirgateError() if attrs.has(type(problem)):
            try:
                return pack([number, Answer.TYPED, problem])
            except TypeError:
                pass  # a field that cannot travel: the sentence still can
    line = traceback.format_exception_only(problem)[-1].strip()
    return pack([number, Answer.BROKEN, [line, "".join(traceback.format_exception(problem))]])


def as_os_error(details: list[Any]) -> OSError:
    """The same class again, because OSError chooses it by errno."""
    errno, text, name, second = details
    return OSError(errno, text, name, None, second)


def _wrap(value: Any) -> msgpack.ExtType:
    if isinstance(value, os.PathLike):
        return msgpack.ExtType(PATH, os.fsencode(value))
    if attrs.has(type(value)):
        fields = {field.alias: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
        return msgpack.ExtType(VALUE, pack([type(value).__module__, type(value).__qualname__, fields]))
    raise TypeError(f"{type(value).__qualname__} cannot travel between processes")


def _unwrap(kind: int, data: bytes) -> Any:
    if kind == PATH:
        return Path(os.fsdecode(data))
    (message,) = Frames().feed(data)
    module, name, fields = message
    made: Any = importlib.import_module(module)
    for part in name.split("."):
        made = getattr(made, part)
    if not attrs.has(made):
        raise TypeError(f"{module}.{name} is no value that travels between processes")
    return made(**fields)
