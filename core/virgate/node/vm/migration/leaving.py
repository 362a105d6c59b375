"""What a machine that moves and one that is saved have in common: it runs in the background, and can be called back.

Waits for a place, another host or the guest end at once when somebody cancels; work that must not be torn apart asks
`_check` between its steps; what libvirt does is ended by `_abort`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.node.vm.migration.errors import Canceled, NothingToCancel
from virgate.node.vm.migration.standing import Standing

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.sight import Sight


class Leaving:
    """One way of leaving; a subclass says what `_run` does and calls `_end` when it is over."""

    log = Logger()

    def __init__(self, machine: "Machine") -> None:
        self.standing = Standing()
        self._machine, self._means = machine, machine.means
        self._canceled = False
        self._job: Deferred[None] | None = None
        self._interruptible = False
        self._over: list[Deferred[None]] = []
        self.sight: Sight | None = None
        """What another host sees of growing disks, as long as the guest may run there."""

    async def over(self) -> None:
        """Comes back when the machine has left or stays."""
        if self._machine.departure is self:
            waiting: Deferred[None] = Deferred()
            self._over.append(waiting)
            await waiting

    async def cancel(self) -> None:
        """Raises `NothingToCancel` when the guest is past the point where it could stay."""
        self._canceled = True
        if self._interruptible and self._job is not None:
            self._job.cancel()
        else:
            await self._abort()

    async def give_up(self) -> None:
        """The machine is to be destroyed: comes back when nothing of this is under way."""
        try:
            await self.cancel()
        except NothingToCancel:
            return
        await self.over()

    async def _run(self) -> None:
        raise NotImplementedError

    async def _abort(self) -> None:
        """Ends what libvirt does, if it does something; else the next `_check` will see that it is cancelled."""
        raise NotImplementedError

    def _start(self) -> None:
        """A subclass has made itself the machine's departure."""
        machine = self._machine
        machine.standing = self.standing
        self._job = Deferred.fromCoroutine(self._run())
        self._job.addErrback(lambda problem: self.log.failure("{vm} broke on its way out", problem, vm=machine.id))

    def _end(self) -> None:
        if self._machine.departure is self:
            self._machine.departure = None
        for waiting in self._over:
            waiting.callback(None)

    def _check(self) -> None:
        if self._canceled:
            raise Canceled()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Inside, `cancel` ends what is waited for at once."""
        self._check()
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False
