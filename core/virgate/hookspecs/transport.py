"""How programs reach the verbs: whole transports, and wire protocols that share the management port."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, max_len, min_len

from virgate.hookspecs.point import Answers, Failure, point

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocol

    from virgate.api.dispatch import Api
    from virgate.config import Settings

PEEK = 11
"""Bytes of a connection that are looked at before a wire protocol gets it: the longest STOMP command has as many."""


class Transport(Protocol):
    """One way in. The daemon starts it when the node can answer and stops it first of all."""

    async def start(self) -> None:
        """Listens; raises when it cannot, which ends the daemon's start."""

    async def stop(self) -> None:
        """Refuses new requests, lets running ones finish for a short while, closes every connection."""

    def describe(self) -> str:
        """Where it listens, for people: `xmlrpc on 127.0.0.1:54321`."""


@frozen
class WireProtocol:
    """A protocol that may be spoken on the management port.

    A connection whose first bytes start with one of `openings` gets a protocol object made by `build`; that object
    then receives every byte of the connection, the first ones too.
    """

    name: str
    openings: tuple[bytes, ...] = field(validator=deep_iterable(and_(min_len(1), max_len(PEEK)), min_len(1)))
    build: "Callable[[], IProtocol]"


@point(Failure.LOG, answers=Answers.ALL)
def transports(api: "Api", settings: "Settings") -> Any:
    """Which ways in does this plugin bring?

    Fired once, when the daemon starts. `api` calls verbs, `settings` are the loaded sections. Answer a `Transport`,
    or None when the settings switch it off. Raising leaves this way in out and is logged; a transport that cannot start
    ends the daemon's start.
    """


@point(Failure.LOG, answers=Answers.ALL)
def wire_protocols(api: "Api", settings: "Settings") -> Any:
    """Which protocols does this plugin speak on the management port?

    Fired when the port is opened. Answer a `WireProtocol` or None. The answers are tried in order, the first
    whose opening fits gets the connection. Raising leaves this plugin's protocol out and is logged.
    """
