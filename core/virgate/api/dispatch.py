"""Calls a verb for a transport: counts and converts arguments, answers with a status, writes one log line.

Whatever happens inside, the answer is a struct with `status`; only an unknown name is the transport's own fault.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

import virgate.api.verbs  # noqa: F401  (declares the built-in verbs)
from virgate.api.verb import Caller, Family, Reply, Verb, unbuilt, verbs
from virgate.errors import NotReady, VirgateError

if TYPE_CHECKING:
    from virgate.node import Node

SUCCESS = {Family.HOST: "Done", Family.STORAGE: "OK"}


class Api:
    """The verbs of one node, ready to be called by any transport."""

    log = Logger()

    def __init__(self, node: "Node") -> None:
        self._node = node
        self.hooks = node.hooks
        self.verbs = verbs()

    async def call(self, found: Verb, arguments: Sequence[Any], caller: Caller) -> dict[str, Any]:
        """The reply struct: `status` {code, message} and the verb's members beside it. Never raises."""
        started = time.monotonic()
        answer = await self._answer(found, arguments, caller)
        self.log.info(
            "call verb={verb} code={code} seconds={seconds:.4f} flow={flow} peer={peer}",
            verb=found.xmlrpc,
            code=answer["status"]["code"],
            seconds=time.monotonic() - started,
            flow=caller.flow or "-",
            peer=caller.peer or "-",
        )
        return answer

    async def _answer(self, found: Verb, arguments: Sequence[Any], caller: Caller) -> dict[str, Any]:
        try:
            if found.run is None:
                raise unbuilt(found)
            if found.family is Family.HOST and not (found.always_ready or self._node.ready):
                raise NotReady()
            reply = await found.run(self._node, **_bind(found, arguments, caller)) or Reply()
        except VirgateError as error:
            return {"status": {"code": error.code, "message": str(error)}}
        except Exception as error:
            self.log.failure("verb {verb} failed", verb=found.xmlrpc)
            return {"status": {"code": found.default_code or 16, "message": f"Unexpected exception: {error}"}}
        message = reply.message if reply.message is not None else SUCCESS[found.family]
        return {"status": {"code": 0, "message": message}, **reply.members}


def _bind(found: Verb, arguments: Sequence[Any], caller: Caller) -> dict[str, Any]:
    least = sum(parameter.required for parameter in found.parameters)
    if not least <= len(arguments) <= len(found.parameters):
        raise TypeError(f"{found.xmlrpc} takes {least} to {len(found.parameters)} arguments, not {len(arguments)}")
    bound = {
        parameter.name: parameter.default if value is None and not parameter.required else parameter.convert(value)
        for parameter, value in zip(found.parameters, arguments, strict=False)
    }
    if found.wants_caller:
        bound[found.wants_caller] = caller
    return bound
