"""STOMP frames: values to bytes, bytes to values (spec xmlrpc-host-vm 1.8). Pure; both ends of a connection use it."""

import re
from collections.abc import Mapping

from attrs import field, frozen

HEAD_LIMIT = 32 << 10
"""Bytes of a command and its headers."""
BEAT = b"\n"

_BEATS = re.compile(rb"(?:\r?\n)+")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_COMMAND = re.compile(rb"[A-Z]{1,20}")
_LENGTH = re.compile(r"[0-9]{1,12}", re.ASCII)
_ESCAPED = re.compile(r"[\\\n\r:]")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_OUT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"}
_IN = {written[1]: meant for meant, written in _OUT.items()}
_PLAIN = ("CONNECT", "CONNECTED")
"""Frames of every version, so their headers are not escaped."""


class BadFrame(Exception):
    """The bytes are no frame, or too many; nothing that follows them can be understood."""


@frozen
class Frame:
    command: str
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=False)


def encode(frame: Frame) -> bytes:
    """The frame with its NUL. `content-length` is added where there is a body."""
    write = str if frame.command in _PLAIN else _written
    lines = [frame.command, *(f"{write(name)}:{write(value)}" for name, value in frame.headers.items())]
    if frame.body:
        lines.append(f"content-length:{len(frame.body)}")
    return b"\n".join(("\n".join(lines).encode(), b"", frame.body)) + b"\0"


def _written(text: str) -> str:
    return _ESCAPED.sub(lambda found: _OUT[found[0]], text)


def _meant(text: str) -> str:
    if ":" in text:
        raise BadFrame("a header holds a colon that is not escaped")
    try:
        return _ESCAPE.sub(lambda found: _IN[found[1]], text)
    except KeyError as odd:
        raise BadFrame(f"a header holds an unknown escape: {odd}") from None


@frozen
class _Head:
    command: str
    headers: dict[str, str]
    length: int | None


class Parser:
    """Takes bytes as they come, gives frames as they are complete. `limit` is that of a body."""

    def __init__(self, limit: int = 16 << 20) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._seen = 0  # bytes of the buffer in which the end that is looked for does not begin
        self._head: _Head | None = None

    @property
    def pending(self) -> bool:
        """Whether a frame has begun that is not complete, or not taken yet."""
        return bool(self._buffer) or self._head is not None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Frame | None:
        """The next frame; None when its end has not come yet. Raises `BadFrame`."""
        if self._head is None:
            self._head = self._read_head()
        if self._head is None:
            return None
        body = self._read_body(self._head.length)
        if body is None:
            return None
        made = Frame(self._head.command, self._head.headers, body)
        self._head, self._seen = None, 0
        return made

    def _read_head(self) -> _Head | None:
        if not self._seen and (beats := _BEATS.match(self._buffer)):
            self._take(beats.end())
        end = _END_OF_HEAD.search(self._buffer, max(0, self._seen - 2))
        if (len(self._buffer) if end is None else end.start()) > HEAD_LIMIT:
            raise BadFrame(f"the headers are longer than {HEAD_LIMIT} bytes")
        if end is None:
            self._seen = len(self._buffer)
            return None
        lines, _ = self._take(end.start()).split(b"\n"), self._take(end.end() - end.start())
        self._seen = 0
        return _head([line.removesuffix(b"\r") for line in lines], self._limit)

    def _read_body(self, length: int | None) -> bytes | None:
        if length is None:
            length = self._buffer.find(b"\0", self._seen)
            self._seen = len(self._buffer)
            if length > self._limit or (length < 0 and self._seen > self._limit):
                raise BadFrame(f"the body is longer than {self._limit} bytes")
            if length < 0:
                return None
        elif len(self._buffer) <= length:
            return None
        elif self._buffer[length]:
            raise BadFrame("the body is longer than content-length says")
        body = self._take(length)
        self._take(1)
        return body

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _head(lines: list[bytes], limit: int) -> _Head:
    if not _COMMAND.fullmatch(lines[0]):
        raise BadFrame("a frame begins with no command")
    command = lines[0].decode("ascii")
    read = str if command in _PLAIN else _meant
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = _text(line).partition(":")
        if not (name and colon):
            raise BadFrame("a header is no name:value")
        headers.setdefault(read(name), read(value))
    written = headers.get("content-length")
    if written is None:
        return _Head(command, headers, None)
    if not _LENGTH.fullmatch(written.strip()):
        raise BadFrame("content-length is no number")
    if int(written) > limit:
        raise BadFrame(f"the body is longer than {limit} bytes")
    return _Head(command, headers, int(written))


def _text(line: bytes) -> str:
    if b"\0" in line:
        raise BadFrame("a header holds a NUL")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise BadFrame("a header is not UTF-8") from None
