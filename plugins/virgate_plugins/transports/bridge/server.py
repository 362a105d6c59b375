"""Answers whole JSON-RPC messages: requests, notifications and batches of both."""

from typing import Any

from attrs import frozen
from twisted.logger import Logger

from virgate.api.verb import Caller
from virgate_plugins.transports.bridge import messages
from virgate_plugins.transports.bridge.calling import Bridge
from virgate_plugins.transports.bridge.messages import INTERNAL, Fault


@frozen
class Server:
    bridge: Bridge

    log = Logger()

    async def answer(self, body: bytes, caller: Caller) -> bytes | None:
        """The reply; None when nobody waits for one. Requests of a batch are done one after the other."""
        try:
            document = messages.read(body)
        except Fault as fault:
            return messages.error(fault)
        if not isinstance(document, list):
            return await self._one(document, caller)
        replies = [reply for each in document if (reply := await self._one(each, caller)) is not None]
        return messages.batch(replies) if replies else None

    async def _one(self, document: Any, caller: Caller) -> bytes | None:
        try:
            request = messages.request(document)
        except Fault as fault:
            return messages.error(fault)
        try:
            found = await self.bridge.call(request.method, request.params, caller)
            reply = messages.result(request.id, found)
        except Fault as fault:
            reply = messages.error(Fault(fault.code, fault.message, request.id))
        except (TypeError, ValueError, RecursionError) as problem:
            self.log.error(
                "the result of {method} cannot be sent: {reason}", method=request.method, reason=str(problem)
            )
            reply = messages.error(Fault(INTERNAL, f"The result cannot be sent: {problem}", request.id))
        return reply if request.wants_reply else None
