"""Answers one HTTP request with one method response (spec xmlrpc-host-vm 1.3, 1.4, 1.6)."""

from typing import Any

from twisted.logger import Logger

from virgate.api.dispatch import Api
from virgate.api.verb import Caller
from virgate_plugins.transports.http.body import compressed
from virgate_plugins.transports.http.head import accepts_gzip
from virgate_plugins.transports.http.message import Refused, Request, Response, plain
from virgate_plugins.transports.rpc import reading, writing
from virgate_plugins.transports.rpc.introspection import answer_about

PATHS = ("/", "/RPC2")
WORTH_COMPRESSING = 1400
FAULT = 1


class Endpoint:
    log = Logger()

    def __init__(self, api: Api) -> None:
        self._api = api

    async def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return plain(501, "Not Implemented")
        if request.path not in PATHS:
            return plain(404, "No such page")
        if "origin" in request.headers:  # a page in somebody's browser would act with that person's rights
            raise Refused(403, "Pages of the web may not call")
        body = await self._respond(request)
        if len(body) > WORTH_COMPRESSING and accepts_gzip(request):
            return Response(200, compressed(body), "text/xml", (("Content-Encoding", "gzip"),))
        return Response(200, body, "text/xml")

    async def _respond(self, request: Request) -> bytes:
        try:
            call = reading.read_call(request.body)
        except reading.Malformed as error:
            self.log.info("malformed call from {peer}: {reason}", peer=request.peer, reason=str(error))
            return writing.fault(FAULT, f"malformed call: {error}")
        try:
            return writing.reply(await self._value(call, request))
        except _UnknownMethod as error:
            return writing.fault(FAULT, str(error))
        except writing.Unmarshallable as error:
            self.log.error("the reply of {verb} cannot be sent: {reason}", verb=call.method, reason=str(error))
            return writing.fault(FAULT, f"cannot marshal the reply: {error}")

    async def _value(self, call: reading.Call, request: Request) -> Any:
        found = self._api.verbs.get(call.method)
        if found is not None:
            caller = Caller(request.peer, request.local, request.headers.get("flowid", ""))
            return await self._api.call(found, call.arguments, caller)
        if (answer := answer_about(self._api.verbs, call.method, call.arguments)) is not None:
            return answer
        raise _UnknownMethod(f'method "{call.method}" is not supported')


class _UnknownMethod(Exception):
    pass
