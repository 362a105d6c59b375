"""The one poll of the process: descriptors, timers and signals."""

import heapq
import os
import select
import signal
import time

from virgate_guest import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BAD = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Timer:
    """Something to do later; `cancel` when it is not wanted any more."""

    __slots__ = ("act",)

    def __init__(self, act: "Callable[[], None]") -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        self.act = None


class Loop:
    """A callback that fails is told in the log and ends nothing."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._number = 0
        self._signals: dict[int, Callable[[], None]] = {}
        self._ended = False
        self._wakeup = os.pipe()
        for end in self._wakeup:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakeup[1])
        self.watch(self._wakeup[0], select.POLLIN, self._signalled)

    def now(self) -> float:
        return time.monotonic()

    def watch(self, descriptor: int, events: int, act: "Callable[[int], None]") -> None:
        """`act` gets the events that poll saw. Watching again replaces what was asked before."""
        self._watched[descriptor] = act
        self._poll.register(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        if self._watched.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds: float, act: "Callable[[], None]") -> Timer:
        timer = Timer(act)
        self._number += 1
        heapq.heappush(self._timers, (self.now() + seconds, self._number, timer))
        return timer

    def on_signal(self, number: int, act: "Callable[[], None]") -> None:
        """`act` runs in the loop, not in the signal's handler."""
        self._signals[int(number)] = act
        signal.signal(number, _nothing)

    def end(self) -> None:
        self._ended = True

    def run(self) -> None:
        while not self._ended:
            self.turn()

    def turn(self) -> None:
        """Waits for the next thing that happens and does it."""
        seen = [(self._watched.get(one), one, events) for one, events in self._poll.poll(self._patience())]
        for act, descriptor, events in seen:
            # What an earlier callback closed may have come back under the same number, and be another file now.
            if act is not None and self._watched.get(descriptor) is act:
                self._do(act, events)
        self._ring()

    def _patience(self) -> "float | None":
        """Milliseconds until the next timer."""
        while self._timers and self._timers[0][2].act is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - self.now()) * 1000

    def _ring(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            act = heapq.heappop(self._timers)[2].act
            if act is not None:
                self._do(act)

    def _signalled(self, events: int) -> None:
        try:
            numbers = os.read(self._wakeup[0], 4096)
        except BlockingIOError:
            return
        for number in sorted(set(numbers)):
            act = self._signals.get(number)
            if act is not None:
                self._do(act)

    def _do(self, act: "Callable[..., None]", *arguments: int) -> None:
        try:
            act(*arguments)
        except Exception as failure:
            log.error("{}: {}: {}", getattr(act, "__qualname__", act), type(failure).__name__, failure)


def _nothing(number: int, frame: object) -> None:
    """The wake-up pipe tells the loop."""
