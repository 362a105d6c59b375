"""One machine's socket: connected, read within bounds, connected again (spec guest-agent 1.5).

QEMU listens, we connect; it does so whether the guest reads or not, so a connection proves nothing. A guest that says
more than its budget is left unread until the next second: its writes then wait inside the guest, and cost us nothing.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, Protocol

from twisted.logger import Logger

from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.attempts import Attempts
from virgate.node.guest.budget import Budget, Limits
from virgate.node.guest.framing import Lines

READ = 64 << 10
"""Bytes that are read at a time."""
UNSENT = 64 << 10
"""Bytes that wait for a guest that does not read."""
SHORT = 1.0
"""Seconds of a connection that is not worth being made again at once."""


class Readers(Protocol):
    """Who tells when there is something to read: `virgate.node.guest.wires`."""

    def add(self, descriptor: int, ready: Callable[[], None]) -> None: ...

    def remove(self, descriptor: int) -> None: ...


class Channel:
    """`tick` is called about once a second by whoever has many of these."""

    log = Logger()

    def __init__(
        self,
        agent: GuestAgent,
        path: str,
        *,
        reactor: Any,
        readers: Readers,
        monotonic: Callable[[], float],
        timeout: float,
        limits: Limits | None = None,
    ) -> None:
        self.agent, self.path = agent, path
        self.now, self.readers, self.timeout = monotonic, readers, timeout
        self._reactor = reactor
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
            self._line = self.agent.deliver = None

    def open(self) -> None:
        """From the next tick on it is tried again."""
        self._closed = False

    def _try(self, now: float) -> None:
        try:
            made = open_socket(self.path)
        except OSError as problem:
            self._attempts.failed(now)
            self.log.debug("no channel to {vm}: {problem}", vm=self.agent.vm, problem=str(problem))
            return
        self._line = _Line(self, made, Budget.full(self._limits, now), now)
        self.agent.deliver = self._line.deliver
        self.agent.connected()

    def heard(self) -> None:
        self._attempts.heard()

    def lost(self, lived: float) -> None:
        """The other side is gone."""
        self._line = self.agent.deliver = None
        if lived < SHORT:
            self._attempts.failed(self.now())
        else:
            self._reactor.callLater(0, self._again)

    def _again(self) -> None:
        if self._line is None and not self._closed:
            self._try(self.now())


class _Line:
    """One connection."""

    def __init__(self, channel: Channel, made: socket.socket, budget: Budget, now: float) -> None:
        self._channel, self._socket, self._budget = channel, made, budget
        self._begun = self._read = now
        self._lines = Lines()
        self._unsent = bytearray()
        self._unread = False
        """The budget is spent; what the guest says waits."""
        channel.readers.add(made.fileno(), self.ready)

    def end(self) -> None:
        self._channel.readers.remove(self._socket.fileno())  # before a new socket can have its number
        self._socket.close()

    def deliver(self, line: bytes) -> bool:
        """False for a guest that does not read; what it should be told is dropped."""
        if len(self._unsent) + len(line) > UNSENT:
            return False
        self._unsent += line
        self._send()
        return True

    def _send(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # the other side is gone, which reading will show

    def ready(self) -> None:
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        now = self._channel.now()
        if not data:
            self.end()
            self._channel.lost(now - self._begun)
            return
        self._read = now
        self._channel.heard()
        self._lines.feed(data)
        self._drain()

    def tick(self, now: float) -> None:
        self._budget.refill(now)
        if self._unsent:
            self._send()
        if self._unread:
            self._read = now
            self._unread = False
            self._channel.readers.add(self._socket.fileno(), self.ready)
            self._drain()
        elif now - self._read >= self._channel.timeout:
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
        self._channel.readers.remove(self._socket.fileno())


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
