"""What becomes of a program's output: kept up to a limit, or handed on in pieces."""

from collections import deque
from collections.abc import Callable
from typing import Self

from twisted.internet.defer import Deferred


class Kept:
    """The first and the last half of `limit` bytes; what comes between is dropped."""

    def __init__(self, limit: int) -> None:
        self._first, self._last = limit // 2, limit - limit // 2
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, data: bytes) -> None:
        if room := self._first - len(self._head):
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._last:
            self._shorten()

    def take(self) -> bytes:
        """What was kept until now, which is forgotten."""
        self._shorten()
        data = bytes(self._head + self._tail)
        self._head.clear()
        self._tail.clear()
        return data

    @property
    def data(self) -> bytes:
        self._shorten()
        return bytes(self._head + self._tail)

    def _shorten(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._last)]


class Pieces:
    """Output cut at a separator, walked by one `async for`.

    `hold(True)` is called when more than `limit` bytes wait to be taken and `hold(False)` when there is room again.
    A piece longer than the limit comes in parts; an empty piece does not come at all. What is `also` a separator
    ends a piece, too.
    """

    def __init__(self, separator: bytes, limit: int, hold: Callable[[bool], None], also: bytes = b"") -> None:
        self._separator, self._limit, self._hold, self._also = separator, limit, hold, also
        self._ready: deque[bytes] = deque()
        self._rest = b""
        self._size = 0
        self._held = False
        self._waiter: Deferred[None] | None = None
        self._problem: Exception | None = None
        self._ended = False
        self._abandoned = False

    def feed(self, data: bytes) -> None:
        if self._abandoned:
            return
        if self._also:
            data = data.replace(self._also, self._separator)
        *whole, self._rest = (self._rest + data).split(self._separator)
        if len(self._rest) > self._limit:
            whole.append(self._rest)
            self._rest = b""
        for piece in filter(None, whole):
            self._ready.append(piece)
            self._size += len(piece)
        if self._size > self._limit and not self._held:
            self._held = True
            self._hold(True)
        if self._ready:
            self._wake()

    def end(self, problem: Exception | None = None) -> None:
        """No more output; `problem` is raised after the last piece."""
        if self._rest:
            self._ready.append(self._rest)
            self._rest = b""
        self._ended, self._problem = True, problem
        self._wake()

    def abandon(self) -> None:
        """Nobody will take any more; what comes is dropped."""
        self._abandoned = True
        self._ready.clear()
        self._rest = b""
        self._held = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._ready:
            if self._problem:
                raise self._problem
            if self._ended:
                raise StopAsyncIteration
            self._waiter = Deferred()
            await self._waiter
        piece = self._ready.popleft()
        self._size -= len(piece)
        if self._held and self._size * 2 <= self._limit:
            self._held = False
            self._hold(False)
        return piece.decode("utf-8", "replace")

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.called:
            waiter.callback(None)
