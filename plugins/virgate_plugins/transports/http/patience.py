"""A time limit that is moved often and expires rarely: moving it costs an assignment, not a timer."""

from collections.abc import Callable
from typing import Any


class Patience:
    """Calls `expired` once when its deadline passes. `clock` is a reactor or a `Clock`."""

    def __init__(self, clock: Any, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._until = 0.0
        self._timer: Any = None

    def give(self, seconds: float) -> None:
        """Sets the deadline anew."""
        self._until = self._clock.seconds() + seconds
        if self._timer is not None and self._timer.getTime() > self._until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self._check)

    def rest(self) -> None:
        """No deadline until `give` is called again; the timer stays for it."""
        self._until = float("inf")

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        left = self._until - self._clock.seconds()
        if left <= 0:
            self._expired()
        elif left != float("inf"):
            self._timer = self._clock.callLater(left, self._check)
