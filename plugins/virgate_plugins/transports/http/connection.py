"""One HTTP connection: many requests one after the other, each answered before the next is looked at."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virgate_plugins.transports.http.body import Body, decoded, expected_body
from virgate_plugins.transports.http.head import read_head, stays_open
from virgate_plugins.transports.http.message import Refused, Request, Response, plain
from virgate_plugins.transports.http.patience import Patience

HEAD_LIMIT = 32 << 10
AHEAD_LIMIT = 64 << 10  # bytes a client may send ahead while its request is being answered
LINGER = 5.0  # seconds in which a refused client may still read why

Answer = Callable[[Request], Awaitable[Response]]

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


@frozen
class Limits:
    """What one connection may cost."""

    body: int = 16 << 20  # bytes, as sent and after decompression
    idle: float = 60.0  # seconds without a request or without progress in one


@implementer(IPushProducer)
class HttpConnection(Protocol):
    """`answer` is awaited once per request. `Refused` is answered as it says; what else it raises is logged: 500."""

    log = Logger()
    transport: Any

    def __init__(self, answer: Answer, limits: Limits, clock: Any) -> None:
        self._answer = answer
        self._limits = limits
        self._patience = Patience(clock, self._give_up)
        self._buffer = b""
        self._request: Request | None = None
        self._body: Body | None = None
        self._busy = self._advancing = self._full = self._held = self._closing = self._lost = False

    def connectionMade(self) -> None:
        self._peer = _host(self.transport.getPeer())
        self._local = _host(self.transport.getHost())
        self.transport.registerProducer(self, True)
        self._patience.give(self._limits.idle)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = self._lost = True
        self._patience.end()

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        if not self._busy and (self._body is not None or not self._buffer):
            self._patience.give(self._limits.idle)
        self._buffer = self._buffer + data if self._buffer else data
        if not self._busy and not self._full:
            self._advance()
        elif len(self._buffer) > AHEAD_LIMIT and not self._held:
            self._held = True
            self.transport.pauseProducing()

    def pauseProducing(self) -> None:
        """The client does not read its replies: answer no more until it does."""
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False
        if not self._busy:
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
            self._refuse(refused)
        finally:
            self._advancing = False
        if self._held and not self._busy:
            self._held = False
            self.transport.resumeProducing()

    def _step(self) -> bool:
        if self._request is None and not self._begin():
            return False
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
        self._body = expected_body(request.headers, self._limits.body)
        if self._body is None and request.method in ("POST", "PUT"):
            raise Refused(411)
        self._request, self._buffer = request, rest
        expectation = request.headers.get("expect")
        if expectation is not None and request.version >= (1, 1):
            if expectation.lower() != "100-continue":
                raise Refused(417)
            if self._body is not None and not rest:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._patience.give(self._limits.idle)
        return True

    async def _serve(self, request: Request) -> None:
        try:
            response = await self._answer(request)
        except Refused as refused:
            self._busy = False
            if not self._lost:
                self._refuse(refused)
            return
        except Exception:
            self.log.failure("answering {method} {path} failed", method=request.method, path=request.path)
            response = plain(500, "Internal Server Error")
        self._busy = False
        if self._lost:
            return
        stays = stays_open(request) and not self._closing
        self._send(response, stays, request.version)
        if not stays:
            self._leave()
            return
        self._patience.give(self._limits.idle)
        self._advance()

    def _send(self, response: Response, stays: bool, version: tuple[int, int] = (1, 1)) -> None:
        lines = [
            _STATUS_LINES[response.status],
            f"Content-Type: {response.kind}\r\nContent-Length: {len(response.body)}\r\n",
        ]
        lines += [f"{name}: {value}\r\n" for name, value in response.headers]
        if not stays:
            lines.append("Connection: close\r\n")
        elif version == (1, 0):
            lines.append("Connection: keep-alive\r\n")
        lines.append("\r\n")
        self.transport.write("".join(lines).encode("latin-1") + response.body)

    def _refuse(self, refused: Refused) -> None:
        """Says why and closes; what the client still sends is dropped so that it gets to read the reply."""
        self._closing = True
        self._buffer = b""
        self._send(plain(refused.status, refused.reason), stays=False)
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
