"""Pickles of plain values, read without running them.

The reader is a stack machine of its own that knows only the instructions that build text, bytes, numbers, None, lists,
tuples and maps: protocols 0 to 2, which hosts of the family write, and what later ones say for the same. There is no
instruction here that could find or call anything.
"""

import codecs
import pickle
import struct
from collections.abc import Callable
from typing import Any

from attrs import define, field

WIDEST = 64
"""Bytes of the longest integer."""


class Improper(Exception):
    """Something that has no place in a pickle of plain values."""


def load(data: bytes) -> Any:
    """The value at the beginning of `data`. Parts may be shared, and even hold themselves. Raises `Improper`."""
    try:
        return Reader(data).run()
    except (ValueError, IndexError, KeyError, TypeError, struct.error, OverflowError, RecursionError) as problem:
        raise Improper(f"it is no pickle ({type(problem).__name__})") from None


MARK = object()


@define
class Reader:
    """A stack machine over the bytes of one pickle."""

    data: bytes
    at: int = 0
    stack: list[Any] = field(factory=list)
    memo: dict[int, Any] = field(factory=dict)

    def run(self) -> Any:
        while True:
            code = self.take(1)
            if code == b".":
                return self.pop()
            step = STEPS.get(code)
            if step is None:
                raise Improper(f"it has an instruction that is not for plain values: {code!r}")
            step(self)

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if size < 0 or len(piece) < size:
            raise Improper("it ends too early")
        self.at += size
        return piece

    def number(self, form: str) -> Any:
        (value,) = struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))
        return value

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        line = self.take(end - self.at if end >= 0 else len(self.data))
        self.at += 1
        return line

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is MARK:
            raise Improper("a mark in a wrong place")
        return value

    def items(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise Improper("no mark")

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise Improper(f"no {kind.__name__} where one is filled")
        return self.stack[-1]

    def map_with(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise Improper("a name without a value")
        self.top(dict).update(zip(items[::2], items[1::2], strict=True))

    def list_with(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def tuple_of(self, size: int) -> None:
        values = [self.pop() for _ in range(size)]
        self.push(tuple(reversed(values)))

    def keep(self, place: int) -> None:
        if not self.stack or self.stack[-1] is MARK:
            raise Improper("nothing to remember")
        self.memo[place] = self.stack[-1]

    def protocol(self) -> None:
        if self.number("B") > pickle.HIGHEST_PROTOCOL:
            raise Improper("it has an unknown protocol")


def _text(data: bytes) -> str:
    """What Python 2 wrote as bytes are texts in UTF-8."""
    return data.decode("utf-8", "replace")


def _quoted(line: bytes) -> str:
    line = line.strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise Improper("a text without quotes")
    return _text(codecs.escape_decode(line[1:-1])[0])


def _integer(line: bytes) -> int | bool:
    if line in (b"00", b"01"):
        return line == b"01"
    return int(_short(line.removesuffix(b"L")))


def _short(digits: bytes) -> bytes:
    if len(digits) > WIDEST:
        raise Improper("a number that is too large")
    return digits


def _dict(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise Improper("a name without a value")
    return dict(zip(items[::2], items[1::2], strict=True))


STEPS: dict[bytes, Callable[[Reader], Any]] = {
    b"\x80": Reader.protocol,
    b"\x95": lambda r: r.take(8),  # the length of a frame
    b"(": lambda r: r.push(MARK),
    b"0": Reader.pop,
    b"1": Reader.items,
    # plain values
    b"N": lambda r: r.push(None),
    b"\x88": lambda r: r.push(True),
    b"\x89": lambda r: r.push(False),
    b"I": lambda r: r.push(_integer(r.line())),
    b"L": lambda r: r.push(_integer(r.line())),
    b"J": lambda r: r.push(r.number("i")),
    b"K": lambda r: r.push(r.number("B")),
    b"M": lambda r: r.push(r.number("H")),
    b"\x8a": lambda r: r.push(int.from_bytes(_short(r.take(r.number("B"))), "little", signed=True)),
    b"F": lambda r: r.push(float(_short(r.line()))),
    b"G": lambda r: r.push(struct.unpack(">d", r.take(8))[0]),
    b"S": lambda r: r.push(_quoted(r.line())),
    b"T": lambda r: r.push(_text(r.take(r.number("i")))),
    b"U": lambda r: r.push(_text(r.take(r.number("B")))),
    b"B": lambda r: r.push(r.take(r.number("I"))),
    b"C": lambda r: r.push(r.take(r.number("B"))),
    b"V": lambda r: r.push(r.line().decode("raw-unicode-escape")),
    b"X": lambda r: r.push(_text(r.take(r.number("I")))),
    b"\x8c": lambda r: r.push(_text(r.take(r.number("B")))),
    b"\x8d": lambda r: r.push(_text(r.take(r.number("Q")))),
    # containers
    b"]": lambda r: r.push([]),
    b"l": lambda r: r.push(r.items()),
    b"a": lambda r: r.list_with([r.pop()]),
    b"e": lambda r: r.list_with(r.items()),
    b"}": lambda r: r.push({}),
    b"d": lambda r: r.push(_dict(r.items())),
    b"s": lambda r: r.map_with(list(reversed([r.pop(), r.pop()]))),
    b"u": lambda r: r.map_with(r.items()),
    b")": lambda r: r.push(()),
    b"t": lambda r: r.push(tuple(r.items())),
    b"\x85": lambda r: r.tuple_of(1),
    b"\x86": lambda r: r.tuple_of(2),
    b"\x87": lambda r: r.tuple_of(3),
    # what is named again
    b"p": lambda r: r.keep(int(_short(r.line()))),
    b"q": lambda r: r.keep(r.number("B")),
    b"r": lambda r: r.keep(r.number("I")),
    b"\x94": lambda r: r.keep(len(r.memo)),
    b"g": lambda r: r.push(r.memo[int(_short(r.line()))]),
    b"h": lambda r: r.push(r.memo[r.number("B")]),
    b"j": lambda r: r.push(r.memo[r.number("I")]),
}
"""Every instruction there is, by its byte."""
