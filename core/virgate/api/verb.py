"""Declares verbs: name, wire name, typed parameters, what it answers. Every transport is made from these declarations.

    @verb("VM.pause", xmlrpc="pause")
    async def pause(node: Node, vm: VmId) -> Reply:
        "Stop the guest's CPUs. Memory, devices and leases stay."

The first parameter is always the node. A parameter annotated `Caller` is filled in by the dispatcher, not by the
client. Other annotations are the types of `virgate.api.wire`; they convert what old clients send.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from attrs import field, frozen

from virgate.errors import NotBuilt


class Family(Enum):
    """Which conventions of the old API a verb follows (spec xmlrpc-host-vm 1.4, xmlrpc-storage 1)."""

    HOST = "host"  # success message "Done"; answers 99 until machines are recovered
    STORAGE = "storage"  # success message "OK"; storage default codes


@frozen
class Caller:
    """Who asks: addresses of the connection and the correlation id the client gave."""

    peer: str = ""
    local: str = ""
    flow: str = ""


@frozen
class Reply:
    """Members that stand beside `status`, and the success message when it is not the family's own."""

    members: Mapping[str, Any] = field(factory=dict)
    message: str | None = None
    code: int = 0
    """Of the status: an answer that is no success and yet has members."""


@frozen
class Parameter:
    """One positional parameter as a client sees it."""

    name: str
    convert: Callable[[Any], Any]
    kind: str
    required: bool
    default: Any = None


@frozen
class Verb:
    """One operation. `run` is None for a verb that is declared but not built."""

    name: str
    xmlrpc: str
    family: Family
    parameters: tuple[Parameter, ...]
    summary: str
    run: Callable[..., Awaitable[Reply | None]] | None = None
    wants_caller: str | None = None
    default_code: int | None = None
    always_ready: bool = False
    secret: frozenset[str] = frozenset()
    room: str = ""

    @property
    def built(self) -> bool:
        return self.run is not None


_declared: dict[str, Verb] = {}


def verbs() -> dict[str, Verb]:
    """All declared verbs by XML-RPC name; importing `virgate.api.verbs` declares the built-in ones."""
    return dict(sorted(_declared.items()))


def verb(
    name: str,
    *,
    xmlrpc: str,
    family: Family = Family.HOST,
    default_code: int | None = None,
    always_ready: bool = False,
    secret: tuple[str, ...] = (),
) -> Callable[[Callable[..., Awaitable[Reply | None]]], Callable[..., Awaitable[Reply | None]]]:
    """Registers a coroutine function as a verb.

    `default_code` replaces 16/100 for foreign exceptions (column D of spec xmlrpc-storage 3); `always_ready` answers
    during recovery too; `secret` names parameters that are never logged.
    """

    def declare(function: Callable[..., Awaitable[Reply | None]]) -> Callable[..., Awaitable[Reply | None]]:
        parameters, wants_caller = _parameters(function)
        _add(
            Verb(
                name,
                xmlrpc,
                family,
                parameters,
                (inspect.getdoc(function) or "").partition("\n")[0],
                function,
                wants_caller,
                default_code,
                always_ready,
                frozenset(secret),
                function.__module__.rpartition(".")[2],
            )
        )
        return function

    return declare


def planned(name: str, *, xmlrpc: str, family: Family = Family.HOST, summary: str) -> None:
    """Declares a verb of the old API that is not built yet: it is listed, and answers code 44."""
    _add(Verb(name, xmlrpc, family, (), summary))


def _add(made: Verb) -> None:
    """A built verb replaces a planned one, whichever is imported first; two of a kind are a mistake."""
    known = _declared.get(made.xmlrpc)
    if known is not None and known.built == made.built:
        raise ValueError(f"verb {made.xmlrpc} is declared twice")
    if known is None or made.built:
        _declared[made.xmlrpc] = made


def _parameters(function: Callable[..., Any]) -> tuple[tuple[Parameter, ...], str | None]:
    hints = get_type_hints(function, include_extras=True)
    found, wants_caller = [], None
    for given in list(inspect.signature(function).parameters.values())[1:]:
        hint = hints[given.name]
        if hint is Caller:
            wants_caller = given.name
            continue
        convert, kind = _converter(hint)
        required = given.default is inspect.Parameter.empty
        found.append(Parameter(given.name, convert, kind, required, None if required else given.default))
    return tuple(found), wants_caller


def _converter(hint: Any) -> tuple[Callable[[Any], Any], str]:
    if get_origin(hint) is Annotated:
        convert, kind = get_args(hint)[1:3]
        return convert, kind
    raise TypeError(f"a verb's parameter is annotated with a type of virgate.api.wire, not with {hint!r}")


def unbuilt(found: Verb) -> NotBuilt:
    return NotBuilt(found.xmlrpc)
