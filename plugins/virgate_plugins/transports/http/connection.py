"""One HTTP connection: many requests one after the other, each answered before the next is looked at."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virgate_plugins.transports.http.body import Body, announced, decoded, expected_body
from virgate_plugins.transports.http.exchange import Exchange, Stream
from virgate_plugins.transports.http.head import expects_go_ahead, read_head, stays_open
from virgate_plugins.transports.http.message import GO_AHEAD, Refused, Request, Response, bare, head_of, plain
from virgate_plugins.transports.http.patience import Patience

HEAD_LIMIT = 32 << 10
AHEAD_LIMIT = 64 << 10  # bytes a client may send ahead while its request is being answered
LINGER = 5.0  # seconds in which a refused client may still read why

Answer = Callable[[Request], Awaitable[Response]]


@frozen
class Limits:
    """What one connection may cost."""

    body: int = 16 << 20  # bytes, as sent and after decompression
    idle: float = 60.0  # seconds without a request or without progress in one


@implementer(IPushProducer)
class HttpConnection(Protocol):
    """`answer` is awaited once per request. `Refused` is answered as it says; what else it raises is logged: 500.

    Requests of a method in `streams` go there instead, as soon as their head is read.
    """

    log = Logger()
    transport: Any

    def __init__(self, answer: Answer, limits: Limits, clock: Any, streams: Mapping[str, Stream] | None = None) -> None:
        self._answer = answer
        self._streams = streams or {}
        self._limits = limits
        self._patience = Patience(clock, self._give_up)
        self._buffer = b""
        self._request: Request | None = None
        self._body: Body | None = None
        self._exchange: Exchange | None = None
        self._streaming: Deferred[None] | None = None
        self._busy = self._advancing = self._full = self._held = self._closing = self._lost = False

    def connectionMade(self) -> None:
        self._peer = _host(self.transport.getPeer())
        self._local = _host(self.transport.getHost())
        self.transport.registerProducer(self, True)
        self._patience.give(self._limits.idle)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = self._lost = True
        self._patience.end()
        if self._streaming is not None:
            self._streaming.cancel()

    def dataReceived(self, data: bytes) -> None:
        if self._exchange is not None:
            data = self._exchange.feed(data)
        if self._closing or not data:
            return
        if not self._busy and (self._body is not None or not self._buffer):
            self._patience.give(self._limits.idle)
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy and not self._full:
            self._advance()
        elif len(self._buffer) > AHEAD_LIMIT:
            self._held = True
            self.transport.pauseProducing()

    def pauseProducing(self) -> None:
        """The client does not read its replies: answer no more until it does."""
        self._full = True
        if self._exchange is not None:
            self._exchange.fill(True)

    def resumeProducing(self) -> None:
        self._full = False
        if self._exchange is not None:
            self._exchange.fill(False)
        elif not self._busy:
            self._advance()

    def stopProducing(self) -> None:
        self._closing = True

    def close(self) -> None:
        """Ends the connection once a reply under way is written; nothing new is begun."""
        self._closing = True
        if not self._busy:
            self._leave()

    def _advance(self) -> None:
        """Works off the buffer until bytes are missing or a request is being answered."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while not (self._closing or self._busy or self._full) and self._step():
                pass
        except Refused as refused:
            self._part(plain(refused.status, refused.reason))
        finally:
            self._advancing = False
        if self._held and not self._busy:
            self._held = False
            self.transport.resumeProducing()

    def _step(self) -> bool:
        if self._request is None:
            if not self._begin():
                return False
            if self._request is None:  # it was one of a streaming method
                return True
        if self._body is not None:
            rest = self._body.feed(self._buffer)
            self._buffer = rest or b""
            if rest is None:
                return False
        assert self._request is not None
        request = self._request
        if self._body is not None:
            request.body = decoded(self._body.whole(), request.headers, self._limits.body)
        request.peer, request.local = self._peer, self._local
        self._request = self._body = None
        self._busy = True
        self._patience.rest()
        Deferred.fromCoroutine(self._serve(request))
        return True

    def _begin(self) -> bool:
        """Reads a head; False while it is not complete."""
        if self._buffer[:2] == b"\r\n":
            self._buffer = self._buffer.lstrip(b"\r\n")  # some clients end a body with a line too many
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if len(head) > HEAD_LIMIT:
            raise Refused(431)
        if not end:
            return False
        request = read_head(head)
        if (stream := self._streams.get(request.method)) is not None:
            return self._begin_stream(request, stream, rest)
        self._body = expected_body(request.headers, self._limits.body)
        if self._body is None and request.method in ("POST", "PUT"):
            raise Refused(411)
        self._request, self._buffer = request, rest
        if "expect" in request.headers and expects_go_ahead(request) and self._body is not None and not rest:
            self.transport.write(GO_AHEAD)
        self._patience.give(self._limits.idle)
        return True

    def _begin_stream(self, request: Request, stream: Stream, rest: bytes) -> bool:
        request.peer, request.local = self._peer, self._local
        try:
            length = announced(request.headers)
        except Refused as refused:
            self._part(bare(refused))
            return True
        exchange = Exchange(request, length, self.transport, self._patience, self._limits.idle)
        self._busy, self._exchange = True, exchange
        self._patience.rest()
        self._buffer = exchange.feed(rest)
        self._streaming = Deferred.fromCoroutine(self._stream(stream, exchange))
        return True

    async def _serve(self, request: Request) -> None:
        try:
            response = await self._answer(request)
        except Refused as refused:
            self._busy = False
            if not self._lost:
                self._part(plain(refused.status, refused.reason))
            return
        except Exception:
            self.log.failure("answering {method} {path} failed", method=request.method, path=request.path)
            response = plain(500, "Internal Server Error")
        self._busy = False
        if self._lost:
            return
        stays = stays_open(request) and not self._closing
        self._send(response, stays, request.version)
        self._go_on(stays)

    async def _stream(self, stream: Stream, exchange: Exchange) -> None:
        response: Response | None = plain(500, "Internal Server Error")
        try:
            response = await stream(exchange)
        except Refused as refused:
            response = bare(refused)
        except Exception:
            if not self._lost:  # else it was cancelled
                self.log.failure("streaming {method} failed", method=exchange.request.method)
        self._busy, self._exchange = False, None
        if self._lost:
            return
        if response is not None and not exchange.begun:
            if response.status >= 400 or not exchange.read_up:
                self._part(response)
                return
            exchange.stays = stays_open(exchange.request) and not self._closing
            self._send(response, exchange.stays, exchange.request.version)
        elif exchange.owed:
            self._give_up()
            return
        self._go_on(exchange.stays and not self._closing)

    def _go_on(self, stays: bool) -> None:
        if not stays:
            self._leave()
            return
        self._patience.give(self._limits.idle)
        self._advance()

    def _send(self, response: Response, stays: bool, version: tuple[int, int] = (1, 1)) -> None:
        self.transport.write(head_of(response, len(response.body), version, stays=stays) + response.body)

    def _part(self, response: Response) -> None:
        """Answers and closes; what the client still sends is dropped so that it gets to read the reply."""
        self._closing = True
        self._buffer = b""
        self._send(response, stays=False)
        self.transport.resumeProducing()
        self._patience.give(LINGER)

    def _leave(self) -> None:
        self._closing = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._patience.give(LINGER)

    def _give_up(self) -> None:
        self._closing = True
        self.transport.abortConnection()


def _host(address: Any) -> str:
    """The address in its usual form: a port that listens on `::` sees IPv4 clients as IPv6 ones."""
    return str(getattr(address, "host", "")).removeprefix("::ffff:")
