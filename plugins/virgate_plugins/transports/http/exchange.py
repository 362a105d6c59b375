"""One request whose body, or whose reply, passes in pieces while both ends wait for each other."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from virgate_plugins.transports.http.message import Request, Response

AHEAD = 1 << 20  # bytes of a body that may wait to be read
SLICE = 64 << 10  # bytes of a reply that are written before asking whether the client takes more


class Line(Protocol):
    """The connection, as an exchange sees it."""

    full: bool

    def say(self, data: bytes) -> None: ...

    def hold(self, held: bool) -> None:
        """Lets the client send no more for now."""

    def wait(self, waiting: bool) -> None:
        """Whether it is the client's turn, so that its silence counts."""

    def head(self, response: Response, length: int, *, stays: bool) -> None: ...


class Exchange:
    """What the handler of a streaming method gets. It is cancelled when the client leaves."""

    def __init__(self, request: Request, length: int | None, line: Line) -> None:
        self.request = request
        self.length = length
        """Bytes of the body; None if the head did not say."""
        self._line = line
        self._expected = "expect" in request.headers
        self._missing = length or 0
        self._body = bytearray()
        self._size = 0
        self._turn: Deferred[None] | None = None
        self.begun = False
        self.owed = 0
        """Bytes of the reply that are still to be written."""

    @property
    def read_up(self) -> bool:
        """Whether nothing of the body is left on the wire."""
        return not self._missing

    async def read(self, size: int) -> bytes:
        """The next `size` bytes of the body, fewer only at its end. More than `AHEAD` at once never come."""
        if self._expected and not self._body and self._missing:
            self._line.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expected = False
        self._size = min(size, AHEAD, len(self._body) + self._missing)
        if len(self._body) < self._size:
            await self._client()
        taken = bytes(self._body[: self._size])
        del self._body[: self._size]
        self._line.hold(len(self._body) >= AHEAD)
        return taken

    def begin(self, response: Response, length: int) -> None:
        """Sends the head of a reply whose body of `length` bytes is written afterwards."""
        self.begun = True
        self.owed = length
        self._line.head(response, length, stays=self.read_up)

    async def write(self, data: bytes) -> None:
        """The next bytes of the reply; comes back when the client takes more."""
        if len(data) > self.owed:
            raise ValueError(f"{len(data)} bytes are written where {self.owed} are left")
        for start in range(0, len(data), SLICE):
            piece = data[start : start + SLICE]
            self.owed -= len(piece)
            self._line.say(piece)
            if self._line.full:
                await self._client()

    def feed(self, data: bytes) -> bytes:
        """The connection's: takes what belongs to the body and answers the rest."""
        taken, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(taken)
        self._body += taken
        if self._turn is not None and self._size and len(self._body) >= self._size:
            self.go_on()
        self._line.hold(len(self._body) >= AHEAD)
        return rest

    def go_on(self) -> None:
        """The connection's: the client did what was waited for."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.callback(None)

    async def _client(self) -> None:
        self._turn = Deferred()
        self._line.wait(True)
        try:
            await self._turn
        finally:
            self._turn = None
            self._line.wait(False)


Stream = Callable[[Exchange], Awaitable[Response | None]]
"""Answers one exchange: with a response, or with None after `begin` and all that was promised there."""
