"""Calls a verb for a JSON-RPC request: finds it, puts the parameters in its order, makes a result of its reply."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from virgate.api.dispatch import Api, Unforeseen
from virgate.api.verb import Caller, Family, Verb
from virgate_plugins.transports.bridge.messages import BAD_PARAMS, INTERNAL, UNKNOWN_METHOD, Fault
from virgate_plugins.transports.bridge.names import FOLDED, Given, given
from virgate_plugins.transports.bridge.special import METHODS
from virgate_plugins.transports.bridge.unwrapping import unwrapped

NO_MACHINE = 1


@frozen
class _Method:
    verb: Verb
    given: tuple[Given, ...]


@define
class Bridge:
    api: Api
    _methods: dict[str, _Method] = field(factory=dict)

    async def call(self, name: str, params: Mapping[str, Any] | list[Any], caller: Caller) -> Any:
        """The result; raises `Fault`. Parameters that nobody knows are ignored: clients may be newer than this."""
        special = METHODS.get(name)
        if special is None:
            method = self._find(name)
            return await self._call(method, _named(name, params, [one.name for one in method.given]), caller)
        params = _named(name, params, special.positions)
        verb, arranged = special.arrange(params)
        result = special.shape(await self._call(self._find(verb), arranged, caller), params)
        if result is None:  # VM.getInfo: what is listed is not there
            raise Fault(NO_MACHINE, "Virtual machine does not exist")
        return result

    def _find(self, name: str) -> _Method:
        found = self._methods.get(name)
        if found is None or self.api.verbs.get(found.verb.xmlrpc) is not found.verb:
            self._methods = {verb.name: _Method(verb, given(verb)) for verb in self.api.verbs.values()}
            found = self._methods.get(name)
        if found is None:
            raise Fault(UNKNOWN_METHOD, f"There is no method {name[:200]}")
        return found

    async def _call(self, method: _Method, params: Mapping[str, Any], caller: Caller) -> Any:
        verb = method.verb
        reply = await self.api.call(verb, _arguments(method, params) if verb.built else (), caller)
        status = reply["status"]
        if isinstance(reply, Unforeseen) and verb.family is Family.HOST:
            raise Fault(INTERNAL, status["message"])
        if status["code"]:
            raise Fault(status["code"], status["message"])
        return unwrapped(verb.name, reply)


def _named(name: str, params: Mapping[str, Any] | list[Any], positions: Sequence[str]) -> Mapping[str, Any]:
    if isinstance(params, Mapping):
        return params
    if len(params) > len(positions):
        raise Fault(BAD_PARAMS, f"{name} takes {len(positions)} parameters at most, not {len(params)}")
    return dict(zip(positions, params, strict=False))


def _arguments(method: _Method, params: Mapping[str, Any]) -> list[Any]:
    """In the verb's order, whether called as clients or as the verb calls them; None stands for the default."""
    verb = method.verb
    found: list[Any] = [None] * len(verb.parameters)
    missing = []
    for one in method.given:
        if one.place < 0:
            continue
        value = params.get(one.name, params.get(verb.parameters[one.place].name))
        if one.name == FOLDED.get(verb.name) and isinstance(value, dict) and params.get("vmID") is not None:
            value = {**value, "vmId": params["vmID"]}
        if one.required and value is None:
            missing.append(one.name)
        found[one.place] = value
    if missing:
        raise Fault(BAD_PARAMS, f"{verb.name} needs {', '.join(missing)}")
    return found
