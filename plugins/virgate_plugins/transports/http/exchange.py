"""One request whose body, or whose reply, passes in pieces while both ends wait for each other."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from virgate_plugins.transports.http.head import expects_go_ahead, stays_open
from virgate_plugins.transports.http.message import GO_AHEAD, Request, Response, head_of
from virgate_plugins.transports.http.patience import Patience

AHEAD = 1 << 20  # bytes of a body that wait to be read before the client is held
SLICE = 64 << 10  # bytes of a reply that are written before asking whether the client takes more


class Exchange:
    """What the handler of a streaming method gets: it reads, or it begins a reply and writes.

    The handler is cancelled when the client leaves or is silent for too long when it is its turn.
    """

    def __init__(self, request: Request, length: int | None, transport: Any, patience: Patience, idle: float) -> None:
        self.request = request
        self.length = length
        """Bytes of the body; None if the head did not say."""
        self.begun = self.stays = False
        self.owed = 0
        """Bytes of the reply that are still to be written."""
        self._transport = transport
        self._patience, self._idle = patience, idle
        self._go_ahead = expects_go_ahead(request)
        self._missing = length or 0
        self._body = bytearray()
        self._wanted = 0
        self._held = self._full = False
        self._turn: Deferred[None] | None = None

    @property
    def read_up(self) -> bool:
        """Whether nothing of the body is still to come."""
        return not self._missing

    async def read(self, size: int) -> bytes:
        """The next `size` bytes of the body (at most `AHEAD`), fewer only at its end."""
        if self._go_ahead and self._missing and not self._body:
            self._transport.write(GO_AHEAD)
        self._go_ahead = False
        size = min(size, AHEAD, len(self._body) + self._missing)
        if len(self._body) < size:
            self._wanted = size
            await self._client()
            self._wanted = 0
        taken = bytes(self._body[:size])
        del self._body[:size]
        self._hold()
        return taken

    def begin(self, response: Response, length: int) -> None:
        """Sends the head of a reply whose body of `length` bytes is written afterwards."""
        self.begun, self.owed = True, length
        self.stays = self.read_up and stays_open(self.request)
        self._transport.write(head_of(response, length, self.request.version, stays=self.stays))

    async def write(self, data: bytes) -> None:
        """The next bytes of the reply; comes back when the client takes more."""
        if len(data) > self.owed:
            raise ValueError(f"{len(data)} bytes to write where {self.owed} are left")
        for start in range(0, len(data), SLICE):
            piece = data[start : start + SLICE]
            self.owed -= len(piece)
            self._transport.write(piece)
            if self._full:
                await self._client()

    def feed(self, data: bytes) -> bytes:
        """For the connection: takes what belongs to the body, answers the rest."""
        taken, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(taken)
        self._body += taken
        self._hold()
        if self._wanted:
            self._patience.give(self._idle)
            if len(self._body) >= self._wanted:
                self._go_on()
        return rest

    def fill(self, full: bool) -> None:
        """For the connection: the client does not take more, or takes it again."""
        self._full = full
        if not full and not self._wanted:
            self._go_on()

    def _hold(self) -> None:
        held = len(self._body) >= AHEAD and not self.read_up
        if held != self._held:
            self._held = held
            if held:
                self._transport.pauseProducing()
            else:
                self._transport.resumeProducing()

    async def _client(self) -> None:
        self._turn = Deferred()
        self._patience.give(self._idle)
        try:
            await self._turn
        finally:
            self._turn = None
            self._patience.rest()

    def _go_on(self) -> None:
        if self._turn is not None:
            self._turn.callback(None)


Stream = Callable[[Exchange], Awaitable[Response | None]]
"""Answers an exchange: with a response, or with None after `begin` and all bytes that were promised there."""
