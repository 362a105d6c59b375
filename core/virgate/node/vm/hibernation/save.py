"""A machine goes to sleep: its memory to one volume, its parameters to another (spec migration 11.2).

It runs in the background. Whatever fails before the guest is gone, it goes on as before. The parameters are written
before the memory, so that once the guest is gone nothing is left that could fail; nobody outside can tell the order.
"""

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt import saving
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, HypervisorFailed
from virgate.node.vm import ending, inscription
from virgate.node.vm.errors import NoSuchMachine
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.hibernation import conf_file, guest, parameters
from virgate.node.vm.life import Status
from virgate.node.vm.migration.errors import (
    Canceled,
    DisksFailing,
    MigrationFailed,
    NothingToCancel,
    NotUnderWay,
    Transient,
)
from virgate.node.vm.migration.leaving import EVENT_PATIENCE, Leaving

if TYPE_CHECKING:
    from virgate.node.vm.hibernation.handle import Handle
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.limits import Slots

DONE = "SaveState done"


def hibernate(machine: "Machine", handle: "Handle") -> None:
    """Begins to save a machine. Raises what keeps it from being saved now."""
    _check(machine)
    Saving(machine, handle, machine.means.traffic.outgoing).begin()


def _check(machine: "Machine") -> None:
    machine.stays()
    if not machine.vitals.alive or machine.launch is not None or machine.vitals.status is Status.POWERING_DOWN:
        raise NoSuchMachine(machine.id)
    if any(disk.shared == "transient" for disk in machine.record.disks):
        raise Transient()
    if machine.vitals.pause_code == "EIO":
        raise DisksFailing(machine.id)


class Saving(Leaving):
    """One save of one machine. `places` are those of machines that leave this host."""

    log = Logger()
    becomes = Status.SAVING

    def __init__(self, machine: "Machine", handle: "Handle", places: "Slots") -> None:
        super().__init__(machine)
        self._handle, self._places = handle, places
        self._paused_before = machine.vitals.pause_code if machine.vitals.status is Status.PAUSED else None
        self._writing = False
        self._gone: Deferred[None] = Deferred()

    # -- what others ask of it

    def begin(self) -> None:
        self._machine.departure = self
        self._machine.life.save()
        self._start()

    async def limit_bandwidth(self, mebibytes: int) -> None:
        raise NotUnderWay()

    # -- what libvirt tells

    def completed(self, job: dict[str, Any]) -> None:
        """How long the guest stood still says nothing about one that sleeps."""

    def hears(self, event: str, detail: str) -> bool:
        """Whether what libvirt tells is this save's business and nobody else's."""
        if (event, detail) != ("stopped", "saved"):
            return False
        machine = self._machine
        document = XmlDocument(machine.record.xml)
        hook = self._means.hooks.after_vm_hibernate
        machine.hook_lane.put(lambda: hook(vm=machine.record.subject, domain=document))
        if not self._gone.called:
            self._gone.callback(None)
        return True

    # -- the way

    async def _abort(self) -> None:
        if self._writing:
            try:
                await saving.cancel(self._means.domains, self._machine.id)
            except (DomainNotFound, HypervisorFailed, HypervisorAway):
                raise NothingToCancel() from None

    async def _run(self) -> None:
        try:
            try:
                await self._save()
            except (Exception, CancelledError) as failure:
                await self._stay(failure)
            else:
                await self._sleep()
        finally:
            self._end()

    async def _save(self) -> None:
        with self._waiting():
            await guest.good_night(self._machine)
            await self._places.take()
        try:
            with self._waiting():
                await self._machine.changing.acquire()
            try:
                await self._write()
            finally:
                self._machine.changing.release()
        finally:
            self._places.give_back()

    async def _write(self) -> None:
        machine, means, handle = self._machine, self._means, self._handle
        if self._paused_before is None:
            await machine.pause()
        self._check()
        await means.hooks.before_vm_hibernate(vm=machine.record.subject, domain=await machine.document())
        memory = await means.disks.prepare(handle.memory.disk)
        try:
            await means.confs.write(handle.conf, conf_file.padded(conf_file.write(self._kept())))
            self._check()
            self._writing = True
            await saving.save(means.domains, machine.id, memory.path)
        finally:
            self._writing = False
            await self._put_away()

    def _kept(self) -> dict[str, Any]:
        record = self._machine.record
        request = self._machine.request
        elapsed = max(0.0, self._means.wall() - record.started) if record.started else 0.0
        conf = {**record.conf, **guest.carried(self._machine)}
        return parameters.kept(conf, xml_form=request is not None and request.xml_form, elapsed=elapsed)

    async def _put_away(self) -> None:
        try:
            await self._means.disks.teardown(self._handle.memory.disk)
        except VirgateError as problem:
            self.log.warn("the volume of {vm}'s memory stays prepared: {why}", vm=self._machine.id, why=str(problem))
        try:
            await self._means.confs.lengthen(self._handle.memory)
        except VirgateError as problem:
            self.log.warn("the volume of {vm}'s memory is short: {why}", vm=self._machine.id, why=str(problem))

    # -- the end

    async def _sleep(self) -> None:
        machine = self._machine
        try:
            await self._gone.addTimeout(EVENT_PATIENCE, self._means.reactor)
        except TimeoutError:
            self.log.warn("libvirt did not tell that {vm} was saved", vm=machine.id)
        self.standing.progress = 100
        self.standing.ended(0, DONE)
        exit = Exit.of(Reason.SAVED)
        await inscription.keep_exit(machine, exit)
        await ending.free(machine)
        machine.life.down(exit)
        self.log.info("{vm} sleeps", vm=machine.id)

    async def _stay(self, failure: BaseException) -> None:
        machine = self._machine
        told = Canceled() if self._cancellation.asked else MigrationFailed(str(failure) or type(failure).__name__)
        self.standing.ended(told.code, str(told))
        self.log.warn("{vm} was not saved: {why}", vm=machine.id, why=str(failure) or type(failure).__name__)
        if machine.vitals.status is not Status.SAVING:
            return  # it ended, or is being destroyed
        if self._gone.called:  # libvirt went away after it had done all
            await self._sleep()
        elif self._paused_before is not None:
            machine.life.launched_paused(self._paused_before or "NOERR")
        else:
            await self._go_on()

    async def _go_on(self) -> None:
        """Although clients may not continue a machine that is being saved."""
        machine, means = self._machine, self._means
        try:
            if machine.vitals.pause_code:
                await means.hooks.before_vm_cont(vm=machine.record.subject, domain=await machine.document())
                await means.domains.resume(machine.id)
                machine.life.running()
        except Exception as problem:
            self.log.warn("{vm} stands still: {why}", vm=machine.id, why=str(problem))
            if machine.vitals.status is Status.SAVING:
                machine.life.launched_paused(machine.vitals.pause_code)
            return
        machine.life.launched()
        await guest.good_morning(machine, failure=True)
