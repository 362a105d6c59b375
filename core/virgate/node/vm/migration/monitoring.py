"""Looks at a move every few seconds, tells how far it is and does what its schedule says (spec migration 6.4)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt.errors import OperationInvalid
from virgate.node.vm.migration.convergence import Action, Convergence, Schedule
from virgate.node.vm.migration.progress import Progress, is_outgoing
from virgate.node.vm.migration.standing import Postcopy, Standing
from virgate.node.vm.migration.timing import Patience

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


class Monitor:
    """Ends by itself when the move does; `stop` waits for that."""

    log = Logger()

    def __init__(
        self,
        machine: "Machine",
        standing: Standing,
        schedule: Schedule,
        interval: float,
        tell: Callable[[], None],
        abort: Callable[[], Awaitable[None]],
        patience: Patience | None = None,
    ) -> None:
        self._machine, self._standing, self._tell = machine, standing, tell
        self._abort = abort
        self._schedule = schedule
        self._interval, self._patience = interval, patience
        self._begun = machine.means.monotonic()
        self._convergence = Convergence(schedule)
        self._progress = Progress()
        self._pause: Deferred[None] | None = None
        self._stopped = False
        self._over: Deferred[None] | None = None

    def start(self) -> None:
        if self._interval:
            self._over = Deferred.fromCoroutine(self._run())
            self._over.addErrback(lambda failure: self.log.failure("a move goes on unwatched", failure))

    async def stop(self) -> None:
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
        if self._over is not None:
            await self._over

    async def _run(self) -> None:
        for action in self._schedule.init:
            await self._do(action)
        while not self._stopped:
            self._pause = deferLater(self._machine.means.reactor, self._interval)
            try:
                await self._pause
            except CancelledError:
                return
            self._pause = None
            try:
                await self._look()
            except OperationInvalid:
                return

    async def _look(self) -> None:
        from virgate.libvirt import moving

        try:
            job = await moving.job(self._machine.means.domains, self._machine.id)
        except OperationInvalid:
            raise
        except VirgateError as problem:
            self.log.warn("the move of {vm} cannot be seen: {why}", vm=self._machine.id, why=str(problem))
            return
        if self._stopped or not is_outgoing(job):
            return
        if not self._progress.take(job, postcopy=self._standing.postcopy is not Postcopy.NONE):
            self.log.warn("the move of {vm} does not come nearer to its end", vm=self._machine.id)
        self._standing.progress = max(self._standing.progress, self._progress.percent)
        self._tell()
        if self._patience is not None:
            elapsed = self._machine.means.monotonic() - self._begun
            if why := self._patience.sample(elapsed, int(job.get("data_remaining", 0))):
                self.log.warn("the move of {vm} is given up: {why}", vm=self._machine.id, why=why)
                await self._do(Action("abort"))
                return
        if (action := self._convergence.sample(int(job.get("memory_iteration", 0)))) is not None:
            await self._do(action)

    async def _do(self, action: Action) -> None:
        """What fails is logged: the next entry may help."""
        from virgate.libvirt import moving

        domains, vm = self._machine.means.domains, self._machine.id
        self.log.info("{vm}: {name} {value}", vm=vm, name=action.name, value=action.value or "")
        try:
            if action.name == "setDowntime":
                await moving.allow_downtime(domains, vm, action.value)
            elif action.name == "postcopy":
                await moving.go_on_there(domains, vm)
                self._convergence.ended = True
                self._standing.postcopy = max(self._standing.postcopy, Postcopy.REQUESTED)
            else:
                self._stopped = True
                await self._abort()
        except VirgateError as problem:
            self.log.warn("{vm}: {name} failed: {why}", vm=vm, name=action.name, why=str(problem))
