"""All live merges of this host, also those that another daemon began (`running_merge.py` is one of them).

The hypervisor's events make them look at themselves; a slow look in between only refreshes the figures.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt import blocks
from virgate.libvirt.errors import HypervisorAway, HypervisorFailed
from virgate.node.vm.blocks import kept, merging
from virgate.node.vm.blocks.errors import MergeFailed, NotUnderWay
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.blocks.running_merge import RunningMerge, Syncing
from virgate.node.vm.errors import NoSuchMachine

if TYPE_CHECKING:
    from virgate.node.storage.sdm.registry import Job, JobRegistry
    from virgate.node.vm.machine import Machine


@define(eq=False)
class Merges:
    """`period`: seconds between two looks while anything is under way."""

    log = Logger()

    volumes: merging.Volumes
    syncing: Syncing
    room: merging.Room
    jobs: "Callable[[], JobRegistry]"
    reactor: Any
    period: float = 15.0
    doubt: float = 2.0
    _running: dict[str, RunningMerge] = field(factory=dict)
    _alarm: Any = None

    def __len__(self) -> int:
        return len(self._running)

    def of(self, vm: str) -> list[RunningMerge]:
        return [one for one in self._running.values() if one.machine.id == vm]

    def told(self, vm: str) -> dict[str, dict[str, Any]]:
        """The merges of a machine, as its statistics tell them."""
        return {one.merge.id: one.told for one in self.of(vm)}

    async def begin(self, machine: "Machine", wanted: merging.Wanted) -> None:
        """Comes back when the hypervisor has begun. Codes 1, 13, 51, 52, 79."""
        await machine.changing.acquire()
        try:
            machine.stays()
            if not machine.vitals.alive:
                raise NoSuchMachine(machine.id)
            self._may_begin(machine, wanted)
            ready = await merging.prepare(machine, wanted, self.volumes, self.room)
            await kept.put(machine, ready.merge)
            try:
                await self._commit(machine, ready)
            except HypervisorFailed as failure:
                await kept.drop(machine, ready.merge)
                raise MergeFailed(machine.id, failure.detail) from failure
            except HypervisorAway as away:  # it may have begun: what became of it is seen when the hypervisor is back
                self.log.warn("{vm}: merge {job} has to wait: {why}", vm=machine.id, job=wanted.id, why=str(away))
            running = self.adopt(machine, ready.merge)
        finally:
            machine.changing.release()
        running.look()

    async def _commit(self, machine: "Machine", ready: merging.Ready) -> None:
        where = {"base": ready.base, "top": ready.top, "bandwidth": ready.merge.bandwidth, "active": ready.active}
        await blocks.commit(machine.means.domains, machine.id, ready.merge.target, **where)  # type: ignore[arg-type]

    def _may_begin(self, machine: "Machine", wanted: merging.Wanted) -> None:
        if wanted.id in self._running:
            raise MergeFailed(machine.id, f"job {wanted.id} is under way")
        for one in self.of(machine.id):
            if (one.merge.domain, one.merge.image) == (wanted.drive.get("domainID"), wanted.drive.get("imageID")):
                raise MergeFailed(machine.id, f"job {one.merge.id} works on the image already: wait for its end")

    async def abort(self, id: str) -> None:
        """The disk keeps its chain; `NotUnderWay` (84), also for a merge that only storage has still to hear of."""
        running = self._running.get(id)
        if running is None or await running.block_job() is None:
            raise NotUnderWay(id)
        running.aborted = True
        await blocks.abort(running.machine.means.domains, running.machine.id, running.merge.target)
        running.look()

    def knows(self, id: str) -> bool:
        return id in self._running

    def adopt(self, machine: "Machine", merge: Merge) -> RunningMerge:
        """A merge that is under way, begun by us or found in a domain."""
        running = self._running[merge.id] = RunningMerge(
            machine, merge, self.syncing, self.reactor, self.doubt, self._forget
        )

        async def work(job: "Job") -> None:
            running.job = job
            await running.over

        try:
            self.jobs().start(merge.id, "merge", work, "virt")
        except VirgateError:
            running.over.addErrback(lambda failure: None)  # its id is another job's: it is told of in vmJobs alone
        if self._alarm is None:
            self._alarm = self.reactor.callLater(self.period, self._ring)
        return running

    def look_at(self, domain: str = "") -> None:
        """Something may have happened to the merges of a storage domain, or to all."""
        for one in tuple(self._running.values()):
            if domain in ("", one.merge.domain):
                one.look()

    def hear(self, vm: str, target: str, status: str) -> None:
        """What the hypervisor tells of the job of a disk."""
        for one in self.of(vm):
            if one.merge.target == target:
                one.told_failed = status in ("failed", "canceled")
                one.look()

    def lost(self, vm: str) -> None:
        """The machine is Down: what became of its chains is found when they are reconciled."""
        for one in self.of(vm):
            one.end(MergeFailed(vm, "the machine is down"))

    async def grown(self, domain: str, volume: str, size: int) -> None:
        """The top of an active merge has more room: its base needs as much, for all is written to both."""
        for one in tuple(self._running.values()):
            merge = one.merge
            if merge.chunked and (merge.domain, merge.top) == (domain, volume):
                disk = next((disk for disk in one.machine.record.disks if disk.target == merge.target), None)
                if disk is not None:
                    info = await self.volumes.info(domain, merge.image, merge.base)
                    thin = merging.thin(disk, merge.base)
                    await self.room.grow_for(thin, int(info["capacity"]), int(info["apparentsize"]))

    def stop(self) -> None:
        """Guests and the hypervisor go on; the next daemon finds all again."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for one in self._running.values():
            one.leave()
        self._running.clear()

    def _ring(self) -> None:
        self._alarm = self.reactor.callLater(self.period, self._ring) if self._running else None
        self.look_at()

    def _forget(self, merge: RunningMerge) -> None:
        self._running.pop(merge.merge.id, None)
