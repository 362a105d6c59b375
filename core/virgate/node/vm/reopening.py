"""After recovery the images of running machines are prepared again, as soon as their storage is there.

A guest that runs keeps its files open; what may be missing is what this host needs to know of them (links in the
repository, held leases). Storage that is connected late, or never, is no reason to touch the guest.
"""

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.domxml.facts import DiskRequest
from virgate.errors import VirgateError
from virgate.hookspecs.documents import JsonDocument
from virgate.node.vm import readback
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


class Reopening:
    """Tries every few seconds, for each machine until it succeeds or the machine is Down."""

    log = Logger()

    def __init__(self) -> None:
        self._waiting: set[Deferred[None]] = set()
        self._stopped = False

    def begin(self, machine: "Machine") -> None:
        if any(disk.is_image for disk in machine.record.disks):
            background(self._run(machine), self.log, "disks of {vm} are not prepared", vm=machine.id)

    def stop(self) -> None:
        self._stopped = True
        for waiting in tuple(self._waiting):
            waiting.cancel()

    async def _run(self, machine: "Machine") -> None:
        known = ""
        while machine.vitals.alive and not self._stopped:
            try:
                await self._prepare(machine)
            except VirgateError as failure:
                if known != (known := str(failure)):
                    self.log.warn("disks of {vm} wait for their storage: {why}", vm=machine.id, why=known)
                await self._pause(machine.means.reactor, machine.means.settings.recovery_period)
            else:
                return

    async def _prepare(self, machine: "Machine") -> None:
        for disk in machine.record.disks:
            if not disk.is_image:
                continue
            async with machine.changing:
                if disk in machine.record.disks:  # and was not unplugged meanwhile
                    await self._reopen(machine, disk)

    async def _reopen(self, machine: "Machine", disk: DiskRequest) -> None:
        means, record = machine.means, machine.record
        if not readback.has_disk(record.conf, disk):  # it left while no daemon ran, or was never plugged
            await means.guards.give_back(machine.id, [disk])
            await means.disks.teardown(disk)
            record.disks = tuple(one for one in record.disks if one is not disk)
            return
        source = await means.disks.prepare(disk)
        readback.note_chain(record.conf, disk, source)
        data = JsonDocument(readback.drive(record.conf, disk, source))
        await means.hooks.after_disk_prepare(vm=record.subject, data=data)

    async def _pause(self, reactor: Any, seconds: float) -> None:
        waiting: Deferred[None] = deferLater(reactor, seconds)
        self._waiting.add(waiting)
        try:
            await waiting
        except CancelledError:
            pass
        finally:
            self._waiting.discard(waiting)
