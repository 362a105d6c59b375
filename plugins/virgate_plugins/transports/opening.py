"""The first bytes of a connection decide which protocol gets it (spec xmlrpc-host-vm 1.2)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virgate.hookspecs.transport import PEEK, WireProtocol
from virgate_plugins.transports.http.patience import Patience

PATIENCE = 10.0

Admit = Callable[[Any], Awaitable[bool]]


@implementer(IHandshakeListener)
class Opening(Protocol):
    """Waits for the TLS handshake and for 11 bytes, then makes the fitting protocol and steps aside.

    A connection that takes longer than 10 seconds for either, or whose bytes fit nothing, is closed without a word.
    """

    log = Logger()
    transport: Any

    def __init__(self, table: Sequence[WireProtocol], clock: Any, *, tls: bool, admit: Admit | None = None) -> None:
        self._table = table
        self._patience = Patience(clock, self._give_up)
        self._ready = not tls
        self._admit = admit
        self._bytes = b""
        self._lost = False
        self.chosen: Any = None

    def connectionMade(self) -> None:
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self._patience.give(PATIENCE)

    def handshakeCompleted(self) -> None:
        self._patience.give(PATIENCE)
        if self._admit is None:
            self._ready = True
            self._choose()
        else:
            Deferred.fromCoroutine(self._ask(self._admit))

    async def _ask(self, admit: Admit) -> None:
        try:
            self._ready = await admit(self.transport)
        except Exception:
            self.log.failure("nobody can tell who {peer} is", peer=self.transport.getPeer().host)
        if self._ready and not self._lost:
            self._choose()
        elif not self._ready:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self.chosen is not None:
            self.chosen.dataReceived(data)
            return
        self._bytes += data
        if self._ready:
            self._choose()
        elif len(self._bytes) > 64 << 10:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._patience.end()
        if self.chosen is not None:
            self.chosen.connectionLost(reason)

    def _choose(self) -> None:
        if len(self._bytes) < PEEK or self.chosen is not None:
            return
        self._patience.end()
        found = next((entry for entry in self._table if self._bytes.startswith(entry.openings)), None)
        if found is None:
            self.log.info("{peer} speaks an unknown protocol", peer=getattr(self.transport.getPeer(), "host", "-"))
            self.transport.abortConnection()
            return
        self._hand_over(found.build())

    def _hand_over(self, chosen: Any) -> None:
        self.chosen = chosen
        first, self._bytes = self._bytes, b""
        chosen.makeConnection(self.transport)
        self.transport.resumeProducing()
        chosen.dataReceived(first)

    def _give_up(self) -> None:
        self.transport.abortConnection()
