"""Disks of a running machine that went to new volumes: the record follows what the hypervisor did, also when nobody
saw it do it, because it was lost in the middle or nobody wanted to wait any longer."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.domxml import tree
from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, OperationTimedOut
from virgate.node.vm import readback
from virgate.node.vm.blocks import chain, kept
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest, DiskSource
    from virgate.node.vm.machine import Machine

log = Logger()
TROUBLE = "the volumes of {vm} were not looked at"
BUSY = 30.0
"""Seconds between two tries while the hypervisor does something else with the machine."""


@frozen
class Change:
    """A disk and the same disk on its new volume."""

    old: "DiskRequest"
    new: "DiskRequest"


@frozen
class Changes:
    """What is asked of the hypervisor; `sources` are the new volumes by target."""

    machine: "Machine"
    wanted: Sequence[Change]
    sources: Mapping[str, "DiskSource"]

    async def follow(self) -> None:
        """All disks are on their new volumes."""
        try:
            await self._follow(self.wanted)
        except HypervisorAway as away:
            log.warn("{vm}: what its disks are on is read again later: {why}", vm=self.machine.id, why=str(away))
            self.look_later()

    def look_later(self) -> None:
        """Finds out what became of it as soon as the hypervisor can tell, and lets other hosts have what is unused."""
        background(self._look(), log, TROUBLE, vm=self.machine.id)

    async def _look(self) -> None:
        machine = self.machine
        while machine.vitals.alive:
            await machine.changing.acquire()
            try:
                await kept.wait_for_turn(machine)
                await machine.document()
                found = chain.read(tree.parse(machine.record.xml))
                done = [change for change in self.wanted if self._is_done(change, found)]
                await self._follow(done)
                left = [change.new for change in self.wanted if change not in done]
                await machine.means.guards.give_back(machine.id, left)
                log.info("{vm}: {done} of {all} disks changed", vm=machine.id, done=len(done), all=len(self.wanted))
                return
            except OperationTimedOut:
                pass
            except HypervisorAway:
                when_back(machine, self._look, TROUBLE)
                return
            except VirgateError as problem:
                log.warn("{vm}: its volumes were not looked at: {why}", vm=machine.id, why=str(problem))
                return
            finally:
                machine.changing.release()
            await deferLater(machine.means.reactor, BUSY)

    def _is_done(self, change: Change, found: Mapping[str, chain.Chain]) -> bool:
        new = change.new
        path = found[new.target].top.path if new.target in found else ""
        if new.is_image:
            return chain.place_of(path, new.image_id) == (new.domain_id, new.volume_id)
        return path == self.sources[new.target].path

    async def _follow(self, changes: Sequence[Change]) -> None:
        """That it could not be kept is no failure, a new daemon sees it itself. `HypervisorAway`: it was not seen."""
        machine, record = self.machine, self.machine.record
        new = {change.old.target: change.new for change in changes if not change.old.is_image}
        record.disks = tuple(new.get(disk.target, disk) for disk in record.disks)
        for change in changes:
            readback.note_chain(record.conf, change.new, self.sources[change.new.target])
        try:
            await machine.devices_changed()
        except DomainNotFound:
            pass
        except HypervisorAway:
            raise
        except VirgateError as failure:
            log.warn("the volumes of {vm} are not written into its domain: {why}", vm=machine.id, why=str(failure))
        chain.follow(record, tree.parse(record.xml))


async def see(machine: "Machine") -> None:
    """Lets the record say where the disks are now, before anything is decided from it."""
    before = machine.record.disks
    await machine.document()
    chain.follow(machine.record, tree.parse(machine.record.xml))
    if machine.record.disks != before:
        await machine.devices_changed()


def when_back(machine: "Machine", work: Callable[[], Coroutine[Any, Any, None]], trouble: str) -> None:
    """Does it in the background, once, when the hypervisor answers again and the machine still runs."""

    def back(**_: Any) -> None:
        end()
        if machine.vitals.alive:
            background(work(), log, trouble, vm=machine.id)

    end = machine.means.events.listen("libvirt.connected", back)
