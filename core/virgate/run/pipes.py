"""The ends of pipes on the reactor: one that reads, one that writes. Both close their descriptor themselves.

A pipe's hang-up reaches a Twisted descriptor on two roads (an empty read, or `connectionLost` when the poller saw
nothing but the hang-up); both lead to `ended`, once.
"""

import os
from collections.abc import Callable

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from zope.interface import implementer

from virgate.run.loop import reactor

CHUNK = 1 << 16

PIPE = 1 << 20
"""More than a pipe holds."""


class _End:
    def __init__(self, descriptor: int, ended: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._ended = ended

    @property
    def closed(self) -> bool:
        return self._descriptor < 0

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return type(self).__name__

    def connectionLost(self, reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends this end of the pipe; `ended` is called, now or never again."""
        if self.closed:
            return
        self._leave_reactor()
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended()

    def _leave_reactor(self) -> None:
        raise NotImplementedError


@implementer(IReadDescriptor)
class Reader(_End):
    """Hands every piece of bytes to `received` until the last writer has closed the pipe."""

    def __init__(self, descriptor: int, received: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        super().__init__(descriptor, ended)
        self._received = received
        reactor.addReader(self)

    def doRead(self) -> None:
        self._read()

    def drain(self) -> None:
        """Takes what the pipe holds at this moment, and not for ever when somebody goes on writing."""
        for _ in range(PIPE // CHUNK):
            if self.closed or not self._read():
                return

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, CHUNK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if data:
            self._received(data)
        else:
            self.close()
        return bool(data)

    def pause(self) -> None:
        if not self.closed:
            reactor.removeReader(self)

    def resume(self) -> None:
        if not self.closed:
            reactor.addReader(self)

    def _leave_reactor(self) -> None:
        reactor.removeReader(self)


@implementer(IWriteDescriptor)
class Writer(_End):
    """Writes as the other side reads. When that side is gone the rest is dropped without a word."""

    def __init__(self, descriptor: int, ended: Callable[[], None] = lambda: None) -> None:
        super().__init__(descriptor, ended)
        self._waiting = bytearray()
        self._last = False

    def write(self, data: bytes) -> None:
        if self.closed or self._last:
            return
        idle = not self._waiting
        self._waiting += data
        if idle:
            self.doWrite()
            if self._waiting and not self.closed:
                reactor.addWriter(self)

    def finish(self) -> None:
        """Closes the pipe after everything has been written."""
        self._last = True
        if not self._waiting:
            self.close()

    def doWrite(self) -> None:
        try:
            written = os.write(self._descriptor, memoryview(self._waiting)[:CHUNK])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # EPIPE above all: whoever does not read, does not want it
            self.close()
            return
        del self._waiting[:written]
        if not self._waiting:
            reactor.removeWriter(self)
            if self._last:
                self.close()

    def _leave_reactor(self) -> None:
        self._waiting.clear()
        reactor.removeWriter(self)
