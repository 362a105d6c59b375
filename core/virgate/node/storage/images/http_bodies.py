"""Bodies of HTTP messages that flow no faster than they are taken, and servers that fall silent."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from virgate.run.loop import reactor

Give = Callable[[int], Awaitable[bytes]]
"""Answers the next piece, which has at most so many bytes; none at the end."""


class Silence(Exception):
    """The server did nothing for too long."""

    def __str__(self) -> str:
        return "nothing passed for too long"


def silence() -> Failure:
    make: Any = Failure
    return cast(Failure, make(Silence()))


class Timer:
    """Calls once when nothing was heard for a while."""

    def __init__(self, patience: float, late: Callable[[], None]) -> None:
        self._patience, self._late = patience, late
        self._call: Any = None

    def again(self) -> None:
        self.stop()
        self._call = cast(Any, reactor).callLater(self._patience, self._late)

    def stop(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()


class Patience(Timer):
    """Cancels a request when it runs out."""

    def __init__(self, patience: float, asked: Any) -> None:
        super().__init__(patience, self._give_up)
        self._asked = asked
        self.late = False

    def _give_up(self) -> None:
        self.late = True
        self._asked.cancel()


class Body(Protocol):
    """A body that stops coming while nobody asks for more."""

    transport: Any

    def __init__(self, patience: float) -> None:
        self._pieces: list[bytes] = []
        self._waiting: Deferred[bytes] | None = None
        self._end: Failure | None = None
        self._timer = Timer(patience, lambda: self.connectionLost(silence()))

    def connectionMade(self) -> None:
        self._flow()

    def next(self) -> Deferred[bytes]:
        """The next piece; empty at the end."""
        piece: Deferred[bytes] = Deferred()
        self._waiting = piece
        self._timer.again()
        self._hand_over()
        self._flow()
        return piece

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)
        self._hand_over()
        self._flow()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._end = self._end or reason or silence()
        self._hand_over()

    def end(self) -> None:
        self._timer.stop()
        transport = self.transport
        if transport is not None and self._end is None:
            transport.stopProducing()

    def _hand_over(self) -> None:
        if self._waiting is None or not (self._pieces or self._end):
            return
        waiting, self._waiting = self._waiting, None
        self._timer.stop()
        if self._pieces:
            waiting.callback(self._pieces.pop(0))
        elif self._end is not None and isinstance(self._end.value, ResponseDone):
            waiting.callback(b"")
        else:
            waiting.errback(self._end)

    def _flow(self) -> None:
        if self.transport is None or self._end is not None:
            return
        if self._waiting is None:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()


class Refused(Protocol):
    """A body that nobody wants to read."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.stopProducing()


@implementer(IBodyProducer)
class Sending:
    """A body that is asked for, piece by piece, as the server takes it."""

    def __init__(self, length: int, give: Give) -> None:
        self.length = length
        self.moved: Callable[[], None] = lambda: None
        self._give = give
        self._left = length
        self._going = True
        self._resumed: Deferred[None] | None = None

    def startProducing(self, consumer: Any) -> Any:
        return Deferred.fromCoroutine(self._send(consumer))

    async def _send(self, consumer: Any) -> None:
        while self._left:
            piece = await self._give(self._left)
            if not piece:
                raise EOFError("the volume ends before its size")
            if not self._going:
                return
            self._left -= len(piece)
            consumer.write(piece)
            self.moved()
            while self._resumed is not None:
                await self._resumed

    def pauseProducing(self) -> None:
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        self._going = False
        self.resumeProducing()
