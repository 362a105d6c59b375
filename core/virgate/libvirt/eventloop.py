"""libvirt's event loop on the reactor: its sockets are reactor descriptors, its timers delayed calls.

libvirt adds, changes and removes handles and timers from whatever thread happens to call it, some with its own locks
held; so those functions only note the wish and wake the reactor, and everything else happens in the reactor's thread.
Nothing is polled. The process has one such loop for ever; `install` before the first connection.
"""

import os
from collections import deque
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any

import libvirt
from attrs import define
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from zope.interface import implementer

from virgate.run.loop import reactor

READABLE, WRITABLE = libvirt.VIR_EVENT_HANDLE_READABLE, libvirt.VIR_EVENT_HANDLE_WRITABLE
BROKEN = libvirt.VIR_EVENT_HANDLE_ERROR | libvirt.VIR_EVENT_HANDLE_HANGUP


@implementer(IReadDescriptor, IWriteDescriptor)
class Handle:
    """One watched descriptor.

    The reactor gets a duplicate: several handles may share one descriptor, and libvirt may close its own the moment
    it has asked for removal.
    """

    def __init__(self, watch: int, descriptor: int, events: int, callback: Callable[..., None], opaque: Any) -> None:
        self.wanted = events
        self.removed = False
        self._watch, self._descriptor = watch, descriptor
        self._callback, self._opaque = callback, opaque
        self._ours = os.dup(descriptor)

    def apply(self) -> None:
        """Makes the reactor do what is wanted by now."""
        if self._ours < 0:
            return
        wanted = 0 if self.removed else self.wanted
        (reactor.addReader if wanted & READABLE else reactor.removeReader)(self)
        (reactor.addWriter if wanted & WRITABLE else reactor.removeWriter)(self)
        if self.removed:
            os.close(self._ours)
            self._ours = -1
            libvirt.virEventInvokeFreeCallback(self._opaque)

    def fileno(self) -> int:
        return self._ours

    def logPrefix(self) -> str:
        return "libvirt"

    def doRead(self) -> None:
        self._dispatch(READABLE)

    def doWrite(self) -> None:
        self._dispatch(WRITABLE)

    def connectionLost(self, reason: object) -> None:
        """The reactor has let go of the descriptor; libvirt removes the handle when it hears of it."""
        self._dispatch(BROKEN)

    def _dispatch(self, events: int) -> None:
        if not self.removed:
            self._callback(self._watch, self._descriptor, events, self._opaque)


@define(eq=False)
class Timer:
    """A delayed call that repeats every `interval` milliseconds; below zero it rests."""

    number: int
    interval: int
    callback: Callable[..., None]
    opaque: Any
    removed: bool = False
    freed: bool = False
    delayed: Any = None

    def apply(self) -> None:
        if self.freed:
            return
        if self.delayed and self.delayed.active():
            self.delayed.cancel()
        if self.removed:
            self.freed = True
            libvirt.virEventInvokeFreeCallback(self.opaque)
        elif self.interval >= 0:
            self.delayed = reactor.callLater(self.interval / 1000, self._fire)

    def _fire(self) -> None:
        if self.removed or self.interval < 0:
            return
        self.delayed = reactor.callLater(self.interval / 1000, self._fire)
        self.callback(self.number, self.opaque)


class EventLoop:
    """What libvirt is given. Every method may be called from any thread; a wish is one entry in a queue."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._handles: dict[int, Handle] = {}
        self._timers: dict[int, Timer] = {}
        self._changed: deque[Handle | Timer] = deque()
        self._woken = False

    def add_handle(self, descriptor: int, events: int, callback: Callable[..., None], opaque: Any) -> int:
        watch = next(self._numbers)
        handle = self._handles[watch] = Handle(watch, descriptor, events, callback, opaque)
        self._wish(handle)
        return watch

    def update_handle(self, watch: int, events: int) -> None:
        handle = self._handles[watch]
        handle.wanted = events
        self._wish(handle)

    def remove_handle(self, watch: int) -> int:
        handle = self._handles.pop(watch)
        handle.removed = True
        self._wish(handle)
        return 0

    def add_timer(self, interval: int, callback: Callable[..., None], opaque: Any) -> int:
        number = next(self._numbers)
        timer = self._timers[number] = Timer(number, interval, callback, opaque)
        self._wish(timer)
        return number

    def update_timer(self, number: int, interval: int) -> None:
        timer = self._timers[number]
        timer.interval = interval
        self._wish(timer)

    def remove_timer(self, number: int) -> int:
        timer = self._timers.pop(number)
        timer.removed = True
        self._wish(timer)
        return 0

    def _wish(self, subject: Handle | Timer) -> None:
        # The queue before the flag, and `_apply` the flag before the queue: so no wish stays unseen, whoever is first.
        self._changed.append(subject)
        if not self._woken:
            self._woken = True
            reactor.callFromThread(self._apply)

    def _apply(self) -> None:
        self._woken = False
        while self._changed:
            self._changed.popleft().apply()


@cache
def install() -> EventLoop:
    """Gives libvirt the reactor as its event loop, once per process, and keeps it from printing errors."""
    loop = EventLoop()
    libvirt.virEventRegisterImpl(
        loop.add_handle, loop.update_handle, loop.remove_handle, loop.add_timer, loop.update_timer, loop.remove_timer
    )
    libvirt.registerErrorHandler(_be_quiet, None)
    return loop


def _be_quiet(context: object, problem: object) -> None:
    """Each error reaches its caller as an exception; the same text on standard error helps nobody."""
