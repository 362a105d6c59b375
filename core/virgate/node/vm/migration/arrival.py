"""A machine comes from another host (spec migration 7): the destination's side, from its order to Up.

First everything that the guest needs here is made ready, and the source waits for that; then libvirt brings the guest,
and this waits for it. If it does not come, all is undone and the machine is Down until somebody destroys it.
"""

from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.documents import XmlDocument
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import DomainNotFound
from virgate.node.vm import hooked, readback
from virgate.node.vm.cancellation import Cancellation
from virgate.node.vm.errors import Abandoned
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.migration import guest, taking_over
from virgate.node.vm.migration.errors import DestinationHookFailed, NotReadyInTime
from virgate.node.vm.preparation import Preparation
from virgate.run.background import background
from virgate.run.outcome import Outcome

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.traffic import Traffic

SETTLE = 1.0
"""Seconds in which the source's last event overtakes ours."""


class Arrival:
    """Stands in the place of a machine's launch. It holds a place among the incoming until it is over."""

    log = Logger()

    def __init__(
        self, machine: "Machine", text: str, traffic: "Traffic", *, guest_events: bool = False, starved: bool = False
    ) -> None:
        self._machine, self._means, self._starved = machine, machine.means, starved
        self._guest_events = guest_events
        self._text, self._traffic = text, traffic
        self._undo = AsyncExitStack()
        self._cancellation = cancellation = Cancellation(lambda: Abandoned(machine.id))
        self._turn: Deferred[None] = Deferred()
        self._prepared: Deferred[None] = Deferred()
        self._ready: Deferred[None] = Deferred()
        self._came: Deferred[str] = Deferred()
        self._over: Outcome[None] = Outcome()
        assert machine.request is not None
        self._preparation = Preparation(
            machine, machine.request, wanted=cancellation.check, waiting=cancellation.waiting
        )
        self.brief = False
        """Whether who stops the daemon should wait for its end."""

    # -- what others ask of it

    async def prepare(self, slots: DeferredSemaphore, seconds: float) -> None:
        """Makes everything ready; comes back when the guest may come. Raises what the source is told.

        The disks may take so many seconds once it is their turn.
        """
        self.brief = True
        self._machine.life.arrive()
        self._begin(self._whole(slots))
        await self._turn
        try:
            await self._prepared.addTimeout(seconds, self._means.reactor)
        except TimeoutError:
            self._ready.addErrback(lambda _: None)  # nobody hears it any more
            self.abandon()
            raise NotReadyInTime(seconds) from None
        await self._ready

    def await_guest(self) -> None:
        """For a machine that is found on its way after a restart: libvirt does the work."""
        self._begin(self._arrive())

    def abandon(self) -> None:
        """The machine is not wanted any more."""
        self._cancellation.ask()
        self._comes("unwanted")

    async def over(self) -> None:
        """Comes back when the machine runs here or is Down."""
        await self._over.wait()

    # -- what libvirt tells

    def hears(self, event: str, detail: str) -> bool:
        """Everything that happens to the domain before it is a machine of this host is the arrival's business."""
        life = self._machine.life
        if event == "resumed":
            life.running()
        elif event == "suspended":
            life.halted("POSTCOPY" if detail.startswith("postcopy") else "NOERR")
        if event == "stopped":
            self._comes("lost")
        elif (event, detail) == ("resumed", "migrated"):
            self._comes("running")
        elif (event, detail) == ("suspended", "paused"):
            self._comes("paused")
        elif (event, detail) == ("suspended", "postcopy_failed"):
            self._comes("torn")
        return event in ("resumed", "suspended", "stopped")

    def _comes(self, how: str) -> None:
        if not self._came.called:
            self._came.callback(how)

    # -- the way

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._cancellation.job = Deferred.fromCoroutine(work)
        self._cancellation.job.addErrback(
            lambda problem: self.log.failure("the arrival of {vm} broke", problem, vm=self._machine.id)
        )

    async def _whole(self, slots: DeferredSemaphore) -> None:
        try:
            await self._prepare(slots)
        except (Exception, CancelledError) as failure:
            await self._end(Exit.of(Reason.GENERIC_ERROR, str(failure) or type(failure).__name__))
            self._refuse(Abandoned(self._machine.id) if isinstance(failure, CancelledError) else failure)
            return
        self.brief = False
        self._ready.callback(None)
        await self._arrive()

    def _refuse(self, failure: BaseException) -> None:
        for step in (self._turn, self._prepared):
            if not step.called:
                step.callback(None)
        self._ready.errback(failure)

    async def _prepare(self, slots: DeferredSemaphore) -> None:
        machine = self._machine
        with self._cancellation.waiting():
            await slots.acquire()
        try:
            self._turn.callback(None)
            readback.note_paths(machine.record.conf, await self._preparation.disks(self._undo))
            await self._preparation.host_devices(self._undo)
        finally:
            slots.release()
        self._cancellation.check()
        self._prepared.callback(None)
        try:
            await hooked.each_device(machine, "before_device_migrate_destination", self._text)
            await self._means.hooks.before_vm_migrate_destination(
                vm=machine.record.subject, domain=XmlDocument(self._text)
            )
        except HookError as refused:
            raise DestinationHookFailed(refused.detail) from refused
        self._cancellation.check()

    async def _arrive(self) -> None:
        try:
            how = await self._wait()
            exit = await self._look(how)
        except Exception:
            self.log.failure("{vm} was not looked at when it arrived", vm=self._machine.id)
            exit = Exit.of(Reason.MIGRATION_FAILED)
        if exit is not None:
            await self._end(exit)
            return
        try:
            await self._settle(paused=how == "paused")
        except DomainNotFound:
            await self._end(Exit.of(Reason.LOST_QEMU))
        except Exception:
            self.log.failure("{vm} runs here, but not all that follows its arrival was done", vm=self._machine.id)
            self._finish(paused=how == "paused")

    async def _wait(self) -> str:
        try:
            return await self._came.addTimeout(self._traffic.settings.destination_timeout, self._means.reactor)
        except TimeoutError:
            return "late"

    async def _look(self, how: str) -> Exit | None:
        """None when the guest is here; else why the machine is Down."""
        domains, vm = self._means.domains, self._machine.id
        if how == "unwanted":
            await self._kill()
            return Exit.of(Reason.DESTROYED_AT_START)
        if how == "torn":
            await self._kill()
            return Exit.of(Reason.POSTCOPY_FAILED)
        try:
            state, reason = await domains.state(vm)
        except DomainNotFound:
            return Exit.of(Reason.MIGRATION_FAILED)
        if how == "lost" or state in ("shutoff", "crashed"):
            return Exit.of(Reason.MIGRATION_FAILED)
        if how == "late" and (state, reason) == ("paused", "migration"):
            await self._kill()
            return Exit.of(Reason.MIGRATION_FAILED)
        return None

    async def _kill(self) -> None:
        try:
            await self._means.domains.destroy(self._machine.id, graceful=False)
        except VirgateError as problem:
            if not isinstance(problem, DomainNotFound):
                self.log.warn("the rest of {vm} was not destroyed: {why}", vm=self._machine.id, why=str(problem))

    async def _settle(self, *, paused: bool) -> None:
        """The guest is here: makes it a machine of this host, then tells."""
        machine, hooks = self._machine, self._means.hooks
        document = await machine.document()
        await taking_over.keep(machine)
        readback.refresh(machine)
        guarding = taking_over.guard(machine, self._preparation)
        background(guarding, self.log, "disks of {vm} are not protected", vm=machine.id)
        await hooks.after_vm_migrate_destination(vm=machine.record.subject, domain=document)
        await hooked.each_device(machine, "after_device_migrate_destination", machine.record.xml)
        await deferLater(self._means.reactor, SETTLE)
        self._finish(paused=paused)

    def _finish(self, *, paused: bool) -> None:
        machine = self._machine
        self._undo.pop_all()
        if paused or machine.vitals.pause_code:
            if self._starved:  # the hypervisor here knows nothing of what happened there
                machine.life.halted("ENOSPC")
            machine.life.launched_paused(machine.vitals.pause_code or "NOERR")
        else:
            machine.life.launched()
        self.log.info("{vm} has arrived", vm=machine.id)
        self._release()
        if self._guest_events:
            background(guest.welcome(machine), self.log, "{vm} was not told that it moved", vm=machine.id)

    async def _end(self, exit: Exit) -> None:
        machine = self._machine
        self.log.warn("{vm} does not arrive: {why}", vm=machine.id, why=exit.message)
        await self._undo.aclose()
        if self._turn.called:  # else an earlier daemon prepared them, and destroy has to tear them down
            machine.record.disks = ()
        machine.life.down(exit)
        self._release()

    def _release(self) -> None:
        self._traffic.incoming.give_back()
        self._machine.launch = None
        self._over.tell(None)
