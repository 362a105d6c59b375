"""Collects the body of a request, of known length or chunked, and undoes its compression."""

import re
import zlib
from collections.abc import Mapping
from typing import Protocol

from virgate_plugins.transports.http.message import Refused

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\x00]*)?")
_LINE_LIMIT = 4096


class Body(Protocol):
    def feed(self, data: bytes) -> bytes | None:
        """Takes bytes; None while the body is not complete, else the bytes behind it."""

    def whole(self) -> bytes:
        """The complete body."""


class Sized:
    """A body whose length the head told."""

    def __init__(self, length: int) -> None:
        self._missing = length
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> bytes | None:
        if len(data) < self._missing:
            self._missing -= len(data)
            self._pieces.append(data)
            return None
        self._pieces.append(data[: self._missing])
        rest = data[self._missing :]
        self._missing = 0
        return rest

    def whole(self) -> bytes:
        return b"".join(self._pieces)


class Chunked:
    """A body in chunks, each led by its size; trailers are read and dropped. Raises `Refused` above `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0  # chunks may be tiny and many: the buffer is cut once per feed, not once per chunk
        self._body = bytearray()
        self._length = 0
        self._trailing = 0
        self._step = self._size

    def feed(self, data: bytes) -> bytes | None:
        self._buffer += data
        while (done := self._step()) is None:
            pass
        del self._buffer[: self._at]
        self._at = 0
        return bytes(self._buffer) if done else None

    def whole(self) -> bytes:
        return bytes(self._body)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", self._at)
        length = (len(self._buffer) if end < 0 else end) - self._at
        if length > _LINE_LIMIT:
            raise Refused(400, "Malformed chunk")
        if end < 0:
            return None
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _size(self) -> bool | None:
        """False: more bytes are needed; None: go on with the next step; True: the body is complete."""
        line = self._line()
        if line is None:
            return False
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise Refused(400, "Malformed chunk")
        self._missing = int(found[1], 16)
        self._length += self._missing
        if self._length > self._limit:
            raise Refused(413)
        self._step = self._data if self._missing else self._trailer
        return None

    def _data(self) -> bool | None:
        if self._missing:
            taken = self._buffer[self._at : self._at + self._missing]
            self._body += taken
            self._missing -= len(taken)
            self._at += len(taken)
        if self._missing or len(self._buffer) - self._at < 2:
            return False
        if self._buffer[self._at : self._at + 2] != b"\r\n":
            raise Refused(400, "Malformed chunk")
        self._at += 2
        self._step = self._size
        return None

    def _trailer(self) -> bool | None:
        line = self._line()
        if line is None:
            return False
        self._trailing += len(line)
        if self._trailing > _LINE_LIMIT:
            raise Refused(400, "Malformed trailer")
        return None if line else True


def expected_body(headers: Mapping[str, str], limit: int) -> Body | None:
    """What collects the body these headers announce; None when they announce none. Raises `Refused`."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None:
            raise Refused(400, "Content-Length and Transfer-Encoding contradict")
        if coding.strip().lower() != "chunked":
            raise Refused(501, "Unknown transfer coding")
        return Chunked(limit)
    if length is None:
        return None
    size = _length(length)
    if size > limit:
        raise Refused(413)
    return Sized(size)


def announced(headers: Mapping[str, str]) -> int | None:
    """Bytes of a body that is to be streamed, None if the head does not say how many. Raises `Refused`.

    Chunks are not for streams: nobody would know beforehand whether there is room. Nor are compressed ones.
    """
    length = headers.get("content-length")
    if "transfer-encoding" in headers:
        raise Refused(411 if length is None else 400)
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(415)
    return None if length is None else _length(length)


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Refused(400, "Malformed Content-Length")
    return int(text)


def decoded(body: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """The body without its content coding, never more than `limit` bytes. Raises `Refused`."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise Refused(415)
    try:
        stream = zlib.decompressobj(wbits=31)
        text = stream.decompress(body, limit + 1)
    except zlib.error:
        raise Refused(400, "Malformed gzip") from None
    if len(text) > limit:
        raise Refused(413)
    if not stream.eof or stream.unused_data:
        raise Refused(400, "Malformed gzip")
    return text


def compressed(body: bytes) -> bytes:
    """gzip, quickly rather than tightly: replies are produced on the reactor."""
    stream = zlib.compressobj(level=1, wbits=31)
    return stream.compress(body) + stream.flush()
