"""HTTP as a client, for images that come from other servers or go there: a piece at a time, nothing is held as a whole.

Certificates of `https` servers have to be valid for their names. Redirects are not followed: what a server answers must
not choose where this host connects to.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers

from virgate.node.storage.errors.images import HttpFailed
from virgate.node.storage.images.http_bodies import Body, Give, Patience, Refused, Sending, Silence
from virgate.node.storage.images.http_place import Place
from virgate.run.loop import reactor

PATIENCE = 60.0
"""Seconds without a byte after which a server is given up."""

Take = Callable[[bytes], Awaitable[object]]


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
        body = Body(self.patience)
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
        body = Sending(length, give)
        try:
            response = await self._asked(place, b"PUT", body)
        finally:
            body.stopProducing()
        ended = Body(self.patience)
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
        patient = Patience(self.patience, asked)
        if body is not None:
            body.moved = patient.again
        patient.again()
        try:
            response = await self._guarded(place, asked)
        except CancelledError:
            if patient.late:
                raise HttpFailed(place.server, str(Silence())) from None
            raise
        finally:
            patient.stop()
        if not 200 <= response.code < 300:
            response.deliverBody(Refused())
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
