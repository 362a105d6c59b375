"""A connection that speaks STOMP: bytes, heart-beats, and patience with clients that are slow or silent."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virgate.api.verb import Caller
from virgate.stomp import BEAT, BadFrame, Frame, Parser, encode
from virgate_plugins.transports.http.patience import Patience
from virgate_plugins.transports.stomp.session import Rules, Session
from virgate_plugins.transports.stomp.subscriptions import Message, Subscriptions

CONNECT_WITHIN = 10.0
CLOSE_WITHIN = 10.0
EARLY = 0.75
"""Our beats come after this part of the interval, and theirs may take `LATE` of it: networks are late."""
LATE = 2.0

Answer = Callable[[bytes, Caller], Awaitable[bytes | None]]


@frozen
class Limits:
    """`body`: bytes of a frame's body. `requests`: that run at once for one connection; more wait unread. `unsent`:
    bytes kept for a client that does not read. `idle`: seconds for half a frame, and for reading nothing at all.
    """

    body: int = 16 << 20
    requests: int = 256
    unsent: int = 16 << 20
    idle: float = 60.0


@implementer(IPushProducer)
class StompConnection(Protocol):
    """A `Peer` of its session, and the producer of what its client is sent."""

    log = Logger()
    transport: Any

    def __init__(self, answer: Answer, subscriptions: Subscriptions, rules: Rules, limits: Limits, clock: Any) -> None:
        self._answer = answer
        self._subscriptions = subscriptions
        self._limits = limits
        self._clock = clock
        self._session = Session(self, subscriptions, rules)
        self._parser = Parser(limits.body)
        self._life = Patience(clock, self._silent)
        self._reader = Patience(clock, self._unread)
        self._beats: Any = None
        self._expected = 0.0
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._full = False  # the transport takes nothing more now
        self._stopped = False  # we read nothing more now
        self._running = 0
        self._taking = False
        self._ending = False

    # -- bytes in

    def connectionMade(self) -> None:
        if hasattr(self.transport, "setTcpKeepAlive"):
            self.transport.setTcpKeepAlive(True)
        self.transport.registerProducer(self, True)
        self._life.give(CONNECT_WITHIN)

    def dataReceived(self, data: bytes) -> None:
        if self._ending:
            return
        self._parser.feed(data)
        self._take()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ending = True
        self._session.over()
        self._life.end()
        self._reader.end()
        if self._beats is not None:
            self._beats.cancel()
            self._beats = None
        self._unsent.clear()

    def _take(self) -> None:
        """Obeys the frames that have come, as long as there is room for what they ask."""
        if self._taking:  # a request was answered before `heard` came back
            return
        self._taking = True
        try:
            while not (self._ending or self._crowded) and (frame := self._parser.next()) is not None:
                self._session.heard(frame)
        except BadFrame as problem:
            text = str(problem)
            self.send(Frame("ERROR", {"message": text, "content-type": "text/plain"}, text.encode()))
            self.end()
        finally:
            self._taking = False
        if not self._ending:
            self._listen()

    @property
    def _crowded(self) -> bool:
        return self._full or self._running >= self._limits.requests

    def _listen(self) -> None:
        """Reads on or stops reading, and sets until when the client must be heard of again."""
        if self._crowded != self._stopped:
            self._stopped = self._crowded
            (self.transport.pauseProducing if self._stopped else self.transport.resumeProducing)()
        if not self._session.connected:
            return
        limits = [self._expected] if self._expected else []
        limits += [self._limits.idle] if self._parser.pending else []
        if limits and not self._stopped:
            self._life.give(min(limits))
        else:
            self._life.rest()

    def _silent(self) -> None:
        self.log.info("{peer} was not heard of in time; its connection ends", peer=self._host())
        self.transport.abortConnection()

    # -- what the session asks

    def send(self, frame: Frame) -> None:
        self._write(encode(frame))

    def end(self) -> None:
        if self._ending:
            return
        self._ending = True
        self._session.over()
        self._life.give(CLOSE_WITHIN)
        self._finish()

    def beat(self, outgoing: int, incoming: int) -> None:
        self._expected = LATE * incoming / 1000
        if outgoing:
            self._beat_every(EARLY * outgoing / 1000)

    def request(self, body: bytes, reply_to: str, flow: str) -> None:
        self._running += 1
        peer, local = self._host(), getattr(self.transport.getHost(), "host", "")
        work = Deferred.fromCoroutine(self._serve(body, reply_to, Caller(peer, local, flow)))
        work.addErrback(lambda failure: self.log.failure("a request could not be answered", failure))
        work.addBoth(lambda _: self._served())

    async def _serve(self, body: bytes, reply_to: str, caller: Caller) -> None:
        reply = await self._answer(body, caller)
        if reply is not None:
            self._subscriptions.send(Message(reply_to, reply))

    def _served(self) -> None:
        self._running -= 1
        if self._ending:
            self._finish()
        elif self._stopped and not self._crowded:
            self._take()

    def close(self) -> None:
        """The port ends: nothing more is read, what runs is answered first."""
        if not self._ending:
            self._ending = True
            self._life.rest()
            self.transport.pauseProducing()
            self._finish()

    def _finish(self) -> None:
        if not (self._running or self._unsent):
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # -- bytes out

    def _beat_every(self, seconds: float) -> None:
        self._beats = self._clock.callLater(seconds, self._beat_every, seconds)
        if not self._full:
            self.transport.write(BEAT)

    def _write(self, data: bytes) -> None:
        if not self._full:
            self.transport.write(data)
            return
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > self._limits.unsent:
            self._unread()

    def pauseProducing(self) -> None:
        self._full = True
        self._reader.give(self._limits.idle)
        if not self._ending:
            self._listen()

    def resumeProducing(self) -> None:
        self._full = False
        self._reader.rest()
        while self._unsent and not self._full:
            data = self._unsent.popleft()
            self._unsent_bytes -= len(data)
            self.transport.write(data)
        if self._ending:
            self._finish()
        elif not self._full:
            self._take()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost follows."""

    def _unread(self) -> None:
        self._ending = True
        self._unsent.clear()
        self._unsent_bytes = 0
        self.log.warn("{peer} does not read what it asked for; its connection ends", peer=self._host())
        self.transport.abortConnection()

    def _host(self) -> str:
        return str(getattr(self.transport.getPeer(), "host", ""))
