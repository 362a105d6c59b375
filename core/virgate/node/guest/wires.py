"""The sockets of all guests, looked at together: many that speak a little wake the daemon a few times a second, and not
once for each of them."""

import select
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

PAUSE = 0.1
"""Seconds between the first guest that has something to say and the look at all that have."""


@implementer(IReadDescriptor)
class Wires:
    """A set of descriptors that is one descriptor for the reactor."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._set: Any = None
        self._ready: dict[int, Callable[[], None]] = {}
        self._later: Any = None

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Calls `ready` whenever there is something to read, until `remove`; a descriptor must not be closed before."""
        if self._set is None:
            self._set = select.epoll()
        self._set.register(descriptor, select.EPOLLIN)
        self._ready[descriptor] = ready
        if len(self._ready) == 1 and self._later is None:
            self._reactor.addReader(self)

    def remove(self, descriptor: int) -> None:
        if self._ready.pop(descriptor, None) is None:
            return
        self._set.unregister(descriptor)
        if not self._ready:
            self._rest()

    def _rest(self) -> None:
        self._reactor.removeReader(self)
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._set.close()
        self._set = None

    # for the reactor

    def fileno(self) -> int:
        return -1 if self._set is None else int(self._set.fileno())

    def logPrefix(self) -> str:
        return "guests"

    def doRead(self) -> None:
        self._reactor.removeReader(self)
        self._later = self._reactor.callLater(PAUSE, self._look)

    def connectionLost(self, reason: Failure) -> None:
        """A set of descriptors has no other end."""

    def _look(self) -> None:
        self._later = None
        for descriptor, _ in self._set.poll(0):
            ready = self._ready.get(descriptor)
            try:
                if ready is not None:
                    ready()
            except Exception:
                self.log.failure("what a guest said was not read")
        if self._ready and self._later is None:
            self._reactor.addReader(self)
