"""Whether somebody still wants a machine that is on its way to run, and cutting short what it waits for if not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred

from virgate.node.vm.errors import Abandoned


class Wish:
    """One per start. `job` is what `withdraw` may cancel, once there is one."""

    def __init__(self, vm: str) -> None:
        self._vm = vm
        self._interruptible = False
        self.withdrawn = False
        self.job: Deferred[Any] | None = None

    def check(self) -> None:
        """Raises `Abandoned`."""
        if self.withdrawn:
            raise Abandoned(self._vm)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, `withdraw` cancels at once."""
        self.check()
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False
        self.check()

    def withdraw(self) -> None:
        """What waits is ended now; what libvirt does is undone when it is done."""
        self.withdrawn = True
        if self._interruptible and self.job is not None:
            self.job.cancel()
