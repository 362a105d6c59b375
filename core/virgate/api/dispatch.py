"""Calls a verb for a transport: counts and converts arguments, answers with a status, writes one log line.

Whatever happens inside, the answer is a struct with `status`; only an unknown name is the transport's own fault.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

import virgate.api.verbs  # noqa: F401  (declares the built-in verbs)
from virgate.api.verb import Caller, Family, Reply, Verb, unbuilt, verbs
from virgate.errors import InvalidParameter, NotReady, StorageNotOpened, VirgateError
from virgate.run.fence import leave

if TYPE_CHECKING:
    from virgate.node.node import Node

SUCCESS = {Family.HOST: "Done", Family.STORAGE: "OK"}
UNEXPECTED = 16
STORAGE_DEFAULT = 100
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\uffff]")


class WrongArguments(Exception):
    """The client gave too many or too few, or values of a wrong type; the text says what the verb takes."""


class Unforeseen(dict[str, Any]):
    """The reply of a verb that broke. Wires with a code of their own for that tell it apart from an answer."""


class Api:
    """The verbs of one node, ready to be called by any transport. `hooks` is the node's extension table."""

    log = Logger()

    def __init__(self, node: "Node") -> None:
        self._node = node
        self.hooks = node.hooks
        self.verbs = verbs()

    def notices(self, hear: Callable[[str, Mapping[str, Any]], None]) -> Callable[[], None]:
        """From now on `hear(method, params)` is told what happens on this node; the answer ends it."""
        from virgate.api.notices import Notices

        return Notices(self._node, hear).close

    async def call(self, found: Verb, arguments: Sequence[Any], caller: Caller) -> dict[str, Any]:
        """The reply struct: `status` {code, message} and the verb's members beside it. Never raises.

        Arguments are never logged: some are passwords, and all are the client's.
        """
        leave()
        started = time.perf_counter()
        answer = await self._answer(found, arguments, caller)
        self.log.info(
            "call",
            verb=found.xmlrpc,
            code=answer["status"]["code"],
            seconds=time.perf_counter() - started,
            flow=_printable(caller.flow),
            peer=caller.peer or "-",
        )
        return answer

    async def _answer(self, found: Verb, arguments: Sequence[Any], caller: Caller) -> dict[str, Any]:
        try:
            if self._node.broken:
                raise StorageNotOpened()
            if found.family is Family.HOST and not (self._node.ready or found.always_ready):
                raise NotReady()
            if found.run is None:
                raise unbuilt(found)
            reply = await found.run(self._node, **_bind(found, arguments, caller)) or Reply()
        except VirgateError as error:
            return _status(_code(found, error), str(error))
        except WrongArguments as error:
            return _status(UNEXPECTED, str(error))
        except Exception as error:
            if found.secret:  # the exception's text may quote what must not be logged
                self.log.error("verb {verb} failed with {kind}", verb=found.xmlrpc, kind=type(error).__name__)
            else:
                self.log.failure("verb {verb} failed", verb=found.xmlrpc)
            text = f"Unexpected exception: {type(error).__name__}: {error}"
            return Unforeseen(_status(_default_code(found), text))
        message = reply.message if reply.message is not None else SUCCESS[found.family]
        return {**_status(reply.code, message), **reply.members}


def _status(code: int, message: str) -> dict[str, Any]:
    return {"status": {"code": code, "message": message}}


def _default_code(found: Verb) -> int:
    if found.family is Family.HOST:
        return UNEXPECTED
    return found.default_code or STORAGE_DEFAULT


def _code(found: Verb, error: VirgateError) -> int:
    """An error without a code of its own gets the verb's (spec xmlrpc-storage C10, xmlrpc-host-vm 1.6)."""
    return _default_code(found) if error.code == UNEXPECTED else error.code


def _bind(found: Verb, arguments: Sequence[Any], caller: Caller) -> dict[str, Any]:
    """The keyword arguments of the verb's function. Absent and nil optional parameters get their default."""
    least, most = sum(parameter.required for parameter in found.parameters), len(found.parameters)
    if not least <= len(arguments) <= most:
        expected = f"{least} to {most}" if least != most else str(most)
        raise WrongArguments(f"{found.xmlrpc} takes {expected} arguments, not {len(arguments)}")
    bound: dict[str, Any] = {}
    for parameter, value in zip(found.parameters, arguments, strict=False):
        if value is None and not parameter.required:
            bound[parameter.name] = parameter.default
            continue
        try:
            bound[parameter.name] = parameter.convert(value)
        except InvalidParameter:
            shown = "(not shown)" if parameter.name in found.secret else value
            if found.family is Family.HOST:
                raise WrongArguments(f"{found.xmlrpc}: {parameter.name} must be {parameter.kind}: {shown!r}") from None
            raise InvalidParameter(parameter.name, shown) from None
    if found.wants_caller:
        bound[found.wants_caller] = caller
    return bound


def _printable(flow: str) -> str:
    """A correlation id as a log may hold it: what the client sent, without control characters and not endless."""
    return _UNPRINTABLE.sub("?", flow[:256]) or "-"
