"""The management port: listens, guards with TLS, tells wire protocols apart, closes in an orderly way."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from virgate.api.dispatch import Api
from virgate.config import Settings
from virgate.config.daemon import DaemonSettings
from virgate.errors import VirgateError
from virgate.hookspecs.transport import WireProtocol
from virgate_plugins.transports.neighbours import Neighbours
from virgate_plugins.transports.opening import Opening
from virgate_plugins.transports.refusing import refusals
from virgate_plugins.transports.settings import XmlrpcSettings

if TYPE_CHECKING:
    from virgate_plugins.transports.tls import Guard

BACKLOG = 1024
"""Clients that may wait to be let in; one too many would try again only after a second."""


class ManagementPort:
    """A `Transport`."""

    log = Logger()

    def __init__(self, api: Api, settings: Settings, reactor: Any) -> None:
        self._api = api
        self._all_settings = settings
        self._settings = settings[XmlrpcSettings]
        self._reactor = reactor
        self._port: Any = None
        self._factory: Any = None
        self._guard: Guard | None = None

    @property
    def tls(self) -> bool:
        if self._settings.tls == "auto":
            return not is_loopback(self._settings.address)
        return bool(self._settings.tls)

    @property
    def port(self) -> int:
        """The TCP port in use, also when the setting asked for any."""
        return int(self._port.getHost().port)

    async def start(self) -> None:
        table = await self._api.hooks.wire_protocols(api=self._api, settings=self._all_settings)
        factory = OpeningFactory(table, self._reactor, tls=self.tls, most=self._settings.connections)
        outer: Any = factory
        if self.tls:
            from virgate_plugins.transports import tls

            self._guard = tls.Guard(self._all_settings)
            outer = tls.guarded(factory, self._guard, self._all_settings, self._reactor)
        elif is_loopback(self._settings.address):
            factory.neighbours = Neighbours.named(self._settings.local_users)
        self._factory = factory
        self._port = self._reactor.listenTCP(self._settings.port, outer, BACKLOG, self._settings.address)
        self.log.info("listening: {what}", what=self.describe())
        if not self.tls and factory.neighbours.users is None:
            self.log.warn("everybody who reaches {what} has the power of root here", what=self.describe())

    def renew(self, settings: Settings) -> None:
        """Certificates and keys are read again, for new connections. What cannot be used changes nothing."""
        if self._guard is None:
            return
        try:
            self._guard.renew(settings)
        except VirgateError as problem:
            self.log.error("certificates stay as they were: {problem}", problem=problem)
        else:
            self.log.info("certificates were read again")

    async def stop(self) -> None:
        if self._port is None:
            return
        port, self._port = self._port, None
        await port.stopListening()
        await self._factory.drained(self._all_settings[DaemonSettings].drain)

    def describe(self) -> str:
        port = self._settings.port if self._port is None else self.port
        return f"xmlrpc on {self._settings.address}:{port} {'with TLS' if self.tls else 'without TLS'}"


class OpeningFactory(Factory):
    """Makes an `Opening` per connection and knows those that are open, at most `most`."""

    noisy = False
    log = Logger()

    def __init__(self, table: Sequence[WireProtocol], reactor: Any, *, tls: bool, most: int = 256) -> None:
        self._table = tuple(table)
        self._reactor = reactor
        self._tls = tls
        self._most = most
        self.admit: Any = None
        self.neighbours = Neighbours(None)
        self._open: dict[_Counted, None] = {}
        self._empty: Deferred[None] | None = None

    def buildProtocol(self, addr: Any) -> Any:
        if len(self._open) >= self._most and not self._make_room():
            self.log.warn("{peer} is refused: {number} connections are open", peer=addr.host, number=self._most)
            return None
        made = _Counted((), self._reactor, tls=self._tls, admit=self.admit)
        made.factory = self
        self._open[made] = None
        return made

    def table_for(self, transport: Any) -> tuple[Sequence[WireProtocol], bool]:
        """What a connection may speak, and whether it is admitted."""
        if self.neighbours.admit(transport):
            return self._table, True
        return refusals(self._reactor), False

    def _make_room(self) -> bool:
        """Closes the oldest connection that is nobody's yet."""
        for opening in self._open:
            if opening.chosen is None or not opening.admitted:
                opening.transport.abortConnection()
                self.forget(opening)
                return True
        return False

    def forget(self, opening: "_Counted") -> None:
        self._open.pop(opening, None)
        if not self._open and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    async def drained(self, seconds: float) -> None:
        """Closes every connection, at the latest after `seconds`; requests under way may finish until then."""
        if not self._open:
            return
        self._empty = Deferred()
        timer = self._reactor.callLater(seconds, self._abort)
        for opening in tuple(self._open):
            opening.close()
        if self._empty is not None:
            await self._empty
        if timer.active():
            timer.cancel()

    def _abort(self) -> None:
        for opening in tuple(self._open):
            opening.transport.abortConnection()


class _Counted(Opening):
    factory: OpeningFactory
    admitted = False

    def connectionMade(self) -> None:
        self._table, self.admitted = self.factory.table_for(self.transport)
        super().connectionMade()

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.factory.forget(self)

    def close(self) -> None:
        end = getattr(self.chosen, "close", self.transport.loseConnection)
        end()


def is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
