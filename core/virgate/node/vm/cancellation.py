"""Calling back what is under way in the background: a start, a wake-up, an arrival, a move, a save."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred


class Cancellation:
    """One per job. `job` is what `ask` may cancel, once there is one; `error` makes what `check` raises then.

    A job may be torn away from what it only waits for; work that must not be torn apart is ended between its steps.
    """

    def __init__(self, error: Callable[[], Exception]) -> None:
        self._error = error
        self._interruptible = False
        self.asked = False
        self.job: Deferred[Any] | None = None

    def check(self) -> None:
        """Raises the error if somebody asked."""
        if self.asked:
            raise self._error()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, `ask` cancels at once."""
        self.check()
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False
        self.check()

    def ask(self) -> bool:
        """Whether the job was waiting, and has been ended; else what libvirt does goes on to the next `check`."""
        self.asked = True
        if not self._interruptible or self.job is None:
            return False
        self.job.cancel()
        return True
