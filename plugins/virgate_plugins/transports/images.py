"""GET and PUT: the bytes of a volume over the connection that carries calls (spec xmlrpc-host-vm 1.7).

The path means nothing. A reply of 200 to PUT says that every byte is stored; whatever kept them from it is a 500 with
the status of a verb as JSON.
"""

import json
import re
from typing import Any

from attrs import frozen

from virgate.api.dispatch import Api
from virgate.api.transfer import READ, WRITE, Place
from virgate.api.verb import Caller, Verb
from virgate_plugins.transports.http.exchange import Exchange
from virgate_plugins.transports.http.message import Refused, Request, Response

_RANGE = re.compile(r"bytes=0-([0-9]{1,18})", re.ASCII)


@frozen
class ImageStreams:
    api: Api

    async def get(self, exchange: Exchange) -> Response | None:
        place = _place(exchange.request)
        found = _RANGE.fullmatch(exchange.request.headers.get("range", ""))
        if found is None:
            raise Refused(400, "Range must be bytes=0-LAST")
        length = int(found[1]) + 1
        answer = await self._call(READ, exchange.request, place, length, _Reply(exchange, length))
        return None if exchange.begun else _failed(answer)

    async def put(self, exchange: Exchange) -> Response | None:
        if exchange.length is None:
            raise Refused(411)
        place = _place(exchange.request)
        answer = await self._call(WRITE, exchange.request, place, exchange.length, exchange)
        if answer["status"]["code"]:
            return _failed(answer)
        return Response(200, headers=(("Task-Id", answer["uuid"]),))

    async def _call(self, verb: Verb, request: Request, *arguments: Any) -> dict[str, Any]:
        caller = Caller(request.peer, request.local, request.headers.get("flowid", ""))
        return await self.api.call(verb, arguments, caller)


@frozen
class _Reply:
    """A `Sink`."""

    exchange: Exchange
    length: int

    def begin(self, task: str) -> None:
        headers = (("Content-Range", f"bytes 0-{self.length - 1}"), ("Task-Id", task))
        self.exchange.begin(Response(206, kind="application/octet-stream", headers=headers), self.length)

    async def write(self, data: bytes) -> None:
        await self.exchange.write(data)


def _place(request: Request) -> Place:
    """Where the volume is. Pages of the web may not ask, as they may not call."""
    if "origin" in request.headers:
        raise Refused(403, "Pages of the web may not call")
    return Place(
        _id(request, "Storage-Pool-Id"),
        _id(request, "Storage-Domain-Id"),
        _id(request, "Image-Id"),
        request.headers.get("volume-id", ""),
    )


def _id(request: Request, name: str) -> str:
    found = request.headers.get(name.lower(), "")
    if not found:
        raise Refused(400, f"Missing {name}")
    return found


def _failed(answer: dict[str, Any]) -> Response:
    return Response(500, json.dumps({"status": answer["status"]}).encode(), "application/json")
