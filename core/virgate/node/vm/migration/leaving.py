"""What a machine that moves and one that is saved have in common: it runs in the background, and can be called back."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.node.vm.cancellation import Cancellation
from virgate.node.vm.migration.errors import Canceled, NothingToCancel
from virgate.node.vm.migration.standing import Standing
from virgate.run.outcome import Outcome

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.sight import Sight

EVENT_PATIENCE = 30.0
"""Seconds that libvirt's event may come after its call."""


class Leaving:
    """One way of leaving; a subclass says what `_run` does and calls `_end` when it is over."""

    log = Logger()

    def __init__(self, machine: "Machine") -> None:
        self.standing = Standing()
        self._machine, self._means = machine, machine.means
        self._cancellation = Cancellation(Canceled)
        self._over: Outcome[None] = Outcome()
        self.sight: Sight | None = None
        """What another host sees of growing disks, as long as the guest may run there."""

    async def over(self) -> None:
        """Comes back when the machine has left or stays."""
        await self._over.wait()

    async def cancel(self) -> None:
        """Raises `NothingToCancel` when the guest is past the point where it could stay."""
        if not self._cancellation.ask():
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
        self._cancellation.job = job = Deferred.fromCoroutine(self._run())
        job.addErrback(lambda problem: self.log.failure("{vm} broke on its way out", problem, vm=machine.id))

    def _end(self) -> None:
        if self._machine.departure is self:
            self._machine.departure = None
        self._over.tell(None)

    def _check(self) -> None:
        self._cancellation.check()

    def _waiting(self) -> AbstractContextManager[None]:
        """Inside, `cancel` ends what is waited for at once."""
        return self._cancellation.waiting()
