"""HTTP as a client, for images that come from other servers or go there: a piece at a time, nothing is held as a whole.

Certificates of `https` servers have to be valid for their names. Redirects are not followed: what a server answers must
not choose where this host connects to.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from virgate.errors import InvalidParameter
from virgate.node.storage.errors.images import HttpFailed
from virgate.run.loop import reactor

PATIENCE = 60.0
"""Seconds without a byte after which a server is given up."""
FIELDS = 64
LONGEST = 8192
OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
"""Fields that say how a message is framed; a client may not set them."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\x20-\x7e\t]*", re.ASCII)
_URL = re.compile(r"[\x21-\x7e]+", re.ASCII)


@frozen
class Place:
    """A place on a server, as a client named it. It may hold secrets: it is never shown but for the server."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> "Place":
        """From `{method: "http", url, headers}`; `InvalidParameter` (1000), which repeats no value of a header."""
        if arguments.get("method") != "http":
            raise InvalidParameter("method", arguments.get("method"))
        url, headers = arguments.get("url"), arguments.get("headers") or {}
        if not isinstance(url, str) or not _is_url(url):
            raise InvalidParameter("url", "no http or https URL")
        if not isinstance(headers, Mapping) or len(headers) > FIELDS:
            raise InvalidParameter("headers", f"no struct of at most {FIELDS} fields")
        return cls(url, {name: _checked(name, value) for name, value in headers.items()})

    @property
    def server(self) -> str:
        return urlsplit(self.url).netloc


def _is_url(url: str) -> bool:
    if len(url) > LONGEST or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        return False


def _checked(name: object, value: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in OURS:
        raise InvalidParameter("headers", name)
    if not isinstance(value, str) or len(value) > LONGEST or not _VALUE.fullmatch(value):
        raise InvalidParameter("headers", f"{name} with a value that is no line of ASCII")
    return value


Take = Callable[[bytes], Awaitable[object]]
Give = Callable[[int], Awaitable[bytes]]
"""Answers the next piece, which has at most so many bytes; none at the end."""


@define(eq=False)
class HttpClient:
    """Every method raises `HttpFailed` (261) when the server cannot be reached, says no, is silent or breaks off."""

    patience: float = PATIENCE
    policy: Any = None
    """How servers of `https` are believed; by default as browsers do."""

    async def size(self, place: Place) -> int:
        """By HEAD: the larger of Content-Length and X-Image-Meta-Size."""
        response = await self._asked(place, b"HEAD")
        told = [
            int(value)
            for name in ("content-length", "x-image-meta-size")
            for value in response.headers.getRawHeaders(name) or ()
            if value.isascii() and value.isdecimal()
        ]
        if not told:
            raise HttpFailed(place.server, "it does not tell the size of the image")
        return max(told)

    async def get(self, place: Place, take: Take) -> int:
        """Hands over what the server sends, waiting after each piece; answers how many bytes they were."""
        response = await self._asked(place, b"GET")
        body = _Body(self.patience)
        response.deliverBody(body)
        got = 0
        try:
            while piece := await self._guarded(place, body.next()):
                await take(piece)
                got += len(piece)
        finally:
            body.end()
        return got

    async def put(self, place: Place, length: int, give: Give) -> None:
        """Sends `length` bytes, taking the next piece when the server has taken the last one."""
        body = _Sending(length, give)
        try:
            response = await self._asked(place, b"PUT", body)
        finally:
            body.stopProducing()
        ended = _Body(self.patience)
        response.deliverBody(ended)
        try:
            while await self._guarded(place, ended.next()):  # what it says about it does not matter
                pass
        finally:
            ended.end()

    async def _asked(self, place: Place, method: bytes, body: Any = None) -> Any:
        make: Any = Agent
        trust: Any = BrowserLikePolicyForHTTPS
        agent = make(reactor, contextFactory=self.policy or trust(), connectTimeout=self.patience)
        headers = Headers({name: [value] for name, value in place.headers.items()})
        asked: Any = agent.request(method, place.url.encode("ascii"), headers, body)
        patient = _Patience(self.patience, asked)
        if body is not None:
            body.moved = patient.again
        patient.again()
        try:
            response = await self._guarded(place, asked)
        except CancelledError:
            if patient.late:
                raise HttpFailed(place.server, str(_Silence())) from None
            raise
        finally:
            patient.stop()
        if not 200 <= response.code < 300:
            response.deliverBody(_Refused())
            raise HttpFailed(place.server, f"it answers {response.code} to {method.decode()}")
        return response

    async def _guarded(self, place: Place, work: Awaitable[Any]) -> Any:
        try:
            return await work
        except Exception as problem:
            inner = _unwrapped(problem)
            if isinstance(inner, CancelledError):
                raise inner from None
            name = type(inner).__name__
            raise HttpFailed(place.server, f"{name}: {inner}" if str(inner) else name) from None


def _unwrapped(problem: BaseException) -> BaseException:
    """What happened below the wrappers that Twisted puts around it."""
    while reasons := getattr(problem, "reasons", None):
        problem = reasons[0].value
    return problem


class _Silence(Exception):
    """The server did nothing for too long."""

    def __str__(self) -> str:
        return "nothing passed for too long"


def _failure() -> Failure:
    make: Any = Failure
    return cast(Failure, make(_Silence()))


class _Timer:
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


class _Patience(_Timer):
    """Cancels a request when it runs out."""

    def __init__(self, patience: float, asked: Any) -> None:
        super().__init__(patience, self._give_up)
        self._asked = asked
        self.late = False

    def _give_up(self) -> None:
        self.late = True
        self._asked.cancel()


class _Body(Protocol):
    """A body that stops coming while nobody asks for more."""

    transport: Any

    def __init__(self, patience: float) -> None:
        self._pieces: list[bytes] = []
        self._waiting: Deferred[bytes] | None = None
        self._end: Failure | None = None
        self._timer = _Timer(patience, lambda: self.connectionLost(_failure()))

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
        self._end = self._end or reason or _failure()
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


class _Refused(Protocol):
    """A body that nobody wants to read."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.stopProducing()


@implementer(IBodyProducer)
class _Sending:
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
