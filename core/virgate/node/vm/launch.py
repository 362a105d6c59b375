"""One start of one machine, whatever way it comes to life: its turn, its failure, its end (spec xmlrpc-host-vm 3.5).

A start runs in the background; at most a few run at a time. If any step fails, the earlier ones are undone in reverse
and the machine is Down with the failure as its exit message. A domain that could be defined stays defined until
`destroy`, because it carries the exit reason over a restart of the daemon.
"""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger

from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm import inscription
from virgate.node.vm.errors import LostAtStart
from virgate.node.vm.exits import Exit, Reason, after_stop
from virgate.node.vm.life import Status
from virgate.run.outcome import Outcome

if TYPE_CHECKING:
    from virgate.domxml.request import MachineRequest
    from virgate.node.vm.cancellation import Cancellation
    from virgate.node.vm.machine import Machine


class Way(Protocol):
    """How a guest comes to life: `starting.Start`, or `hibernation.restore.WakeUp`."""

    async def boot(self, undo: AsyncExitStack) -> None:
        """Comes back when libvirt has the guest; `undo` takes everything back when a later step fails."""

    async def settle(self) -> None:
        """What follows when others may have their turn: hooks, and what the hypervisor made of the machine."""


class Launch:
    """Takes a machine along its way."""

    log = Logger()
    brief = True

    def __init__(
        self,
        machine: "Machine",
        request: "MachineRequest",
        slots: DeferredSemaphore,
        way: Way,
        cancellation: "Cancellation",
    ) -> None:
        self._machine = machine
        self._means = machine.means
        self._request = request
        self._slots = slots
        self._way = way
        self._cancellation = cancellation
        self._over: Outcome[None] = Outcome()
        self.lost = ""
        """How the guest ended if it did before the start was complete."""

    def begin(self) -> None:
        self._cancellation.job = Deferred.fromCoroutine(self._run())
        self._cancellation.job.addErrback(
            lambda problem: self.log.failure("{vm} came to no proper end", problem, vm=self._machine.id)
        )

    def abandon(self) -> None:
        """The machine is not wanted any more."""
        self._cancellation.ask()

    async def over(self) -> None:
        """Comes back when the start has succeeded or failed."""
        await self._over.wait()

    def hears(self, event: str, detail: str) -> bool:
        """Whether the hypervisor's event is nobody else's business."""
        if event == "stopped":
            self.lost = detail
        return event == "stopped"

    async def _run(self) -> None:
        try:
            await self._start()
        except (Exception, CancelledError) as failure:
            await self._failed(failure)
        finally:
            self._machine.launch = None
            self._over.tell(None)

    async def _failed(self, failure: BaseException) -> None:
        machine = self._machine
        exit = self._exit(failure)
        machine.record.disks = ()  # torn down already; destroy has only its hooks to run
        self.log.warn("{vm} did not start: {why}", vm=machine.id, why=exit.message)
        await inscription.keep_exit(machine, exit)
        machine.life.down(exit)

    def _exit(self, failure: BaseException) -> Exit:
        restoring = self._machine.vitals.status is Status.RESTORING
        if self._cancellation.asked:
            return Exit.of(Reason.DESTROYED_AT_START)
        if isinstance(failure, LostAtStart):
            return after_stop(failure.detail, asked=self._machine.record.asked_down)
        return Exit.of(Reason.GENERIC_ERROR, str(failure) or type(failure).__name__, restoring=restoring)

    async def _start(self) -> None:
        machine = self._machine
        async with AsyncExitStack() as undo:
            with self._cancellation.waiting():
                await self._slots.acquire()
            try:
                await self._way.boot(undo)
            finally:
                self._slots.release()  # scripts after the start may take their time and even start machines
            await self._share()
            await self._way.settle()
            if self.lost:
                raise LostAtStart(machine.id, self.lost)
            self._cancellation.check()
            undo.pop_all()
        if code := machine.vitals.pause_code:  # a hook may have paused or continued it meanwhile
            machine.life.launched_paused(code)
        else:
            machine.life.launched()

    async def _share(self) -> None:
        """The weight among machines; a host whose control groups cannot give it runs the machine without."""
        if (shares := self._request.cpu_shares) is None:
            return
        try:
            await self._means.domains.set_shares(self._machine.id, shares)
        except HypervisorFailed as refused:
            self.log.warn("{vm} runs without CPU shares: {why}", vm=self._machine.id, why=refused.detail)
