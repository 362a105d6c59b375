"""One machine's socket: connected, read within bounds, connected again (spec guest-agent 1.5).

QEMU listens, we connect; it does so whether the guest reads or not, so a connection proves nothing. A guest that says
more than its budget is left unread until the next second: its writes then wait inside the guest, and cost us nothing.
"""

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.attempts import Attempts
from virgate.node.guest.budget import Budget, Limits
from virgate.node.guest.framing import Lines

SHORT = 1.0
"""Seconds of a connection that is not worth being made again at once."""


class Channel:
    """`tick` is called about once a second by whoever has many of these."""

    log = Logger()

    def __init__(
        self,
        agent: GuestAgent,
        path: str,
        *,
        reactor: Any,
        monotonic: Callable[[], float],
        timeout: float,
        limits: Limits | None = None,
        connect: Callable[[str], socket.socket] | None = None,
    ) -> None:
        self.agent, self.path = agent, path
        self._reactor, self._monotonic, self._timeout = reactor, monotonic, timeout
        self._connect = connect or open_socket
        self._attempts = Attempts(timeout)
        self._limits = limits or Limits()
        self._line: _Line | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._line is not None

    def tick(self, now: float) -> None:
        if self._line is not None:
            self._line.tick(now)
        elif not self._closed and self._attempts.due(now):
            self._try(now)

    def close(self) -> None:
        """For good, or until `open`."""
        self._closed = True
        if self._line is not None:
            self._line.end()

    def open(self) -> None:
        """From the next tick on it is tried again."""
        self._closed = False

    def _try(self, now: float) -> None:
        try:
            made = self._connect(self.path)
        except OSError as problem:
            self._attempts.failed(now)
            self.log.debug("no channel to {vm}: {problem}", vm=self.agent.vm, problem=str(problem))
            return
        self._line = line = _Line(self, now, Budget.full(self._limits, now), self._timeout)
        with made:  # the reactor has a copy of the descriptor
            self._reactor.adoptStreamConnection(made.fileno(), socket.AF_UNIX, _Lines(line))
        if self._line is line:
            self.agent.deliver = line.deliver
            self.agent.connected()

    def heard(self) -> None:
        self._attempts.heard()

    def lost(self, lived: float) -> None:
        """The other side is gone, or we are."""
        self._line = self.agent.deliver = None
        if lived < SHORT:
            self._attempts.failed(self._monotonic())
        elif not self._closed:
            self._reactor.callLater(0, self._again)

    def _again(self) -> None:
        if self._line is None and not self._closed:
            self._try(self._monotonic())

    @property
    def now(self) -> float:
        return self._monotonic()


class _Lines(Factory):
    """Hands the one protocol to the reactor."""

    noisy = False

    def __init__(self, line: "_Line") -> None:
        self._line = line

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._line


@implementer(IPushProducer)
class _Line(Protocol):
    """One connection."""

    def __init__(self, channel: Channel, now: float, budget: Budget, timeout: float) -> None:
        self._channel, self._budget, self._timeout = channel, budget, timeout
        self._begun = self._read = now
        self._lines = Lines()
        self._unread = False
        """The budget is spent; what the guest says waits."""
        self._full = False
        """The guest does not read; what it should be told is dropped."""

    def connectionMade(self) -> None:
        self.transport: Any
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._channel.lost(self._channel.now - self._begun)

    def end(self) -> None:
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    def deliver(self, line: bytes) -> bool:
        if not self._full:
            self.transport.write(line)
        return not self._full

    def dataReceived(self, data: bytes) -> None:
        self._read = self._channel.now
        self._channel.heard()
        self._lines.feed(data)
        self._drain()

    def tick(self, now: float) -> None:
        self._budget.refill(now)
        if self._unread:
            self._read = now
            self._unread = False
            self._drain()
            if not self._unread:
                self.transport.resumeProducing()
        elif now - self._read >= self._timeout:
            self._read = now
            self._channel.agent.silent()

    def _drain(self) -> None:
        while self._budget.left:
            line = self._lines.take()
            if line is None:
                return
            self._budget.spend(len(line))
            self._channel.agent.receive(line)
        self._unread = True
        self.transport.pauseProducing()

    # as a producer

    def pauseProducing(self) -> None:
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False

    def stopProducing(self) -> None:
        self._full = True


def open_socket(path: str) -> socket.socket:
    """A connected socket. Never waits: QEMU has its place for the one that calls, or it has somebody already."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.connect(os.fspath(path))
    except BaseException:
        made.close()
        raise
    return made
