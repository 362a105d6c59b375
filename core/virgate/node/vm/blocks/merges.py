"""All live merges of this host: begun, watched, brought to their end, also those that another daemon began.

Between two steps nothing has to be remembered: every look reads the document and the hypervisor's job, and does what
`merge_steps` says. The hypervisor's events make it look; a slow look in between only refreshes the figures. A merge is
told of until the volumes' metadata on storage agree with the chain, however long storage is away.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virgate.domxml import tree
from virgate.errors import VirgateError
from virgate.libvirt import blocks
from virgate.libvirt.errors import DomainNotFound, HypervisorFailed
from virgate.node.vm.blocks import chain, kept, merging
from virgate.node.vm.blocks.errors import MergeFailed, NotUnderWay
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.blocks.merge_steps import Step, next_step
from virgate.node.vm.errors import NoSuchMachine

if TYPE_CHECKING:
    from virgate.node.storage.sdm.registry import Job, JobRegistry
    from virgate.node.vm.machine import Machine


class Syncing(Protocol):
    """What makes metadata on storage agree with a chain: `virgate.node.storage.images.live_chain`."""

    async def agree(self, domain: str, image: str, actual: Sequence[str], gone: Sequence[str]) -> None: ...

    async def let_go(self, domain: str, image: str, gone: Sequence[str]) -> None: ...


@define(eq=False)
class Running:
    """A merge under way."""

    machine: "Machine"
    merge: Merge
    cur: int = 0
    end: int = 0
    busy: bool = False
    again: bool = False
    aborted: bool = False
    sure: bool = False
    """The hypervisor has told that the job did not succeed."""
    doubted: float | None = None
    """When nothing was first seen to work on the disk although its chain is what it was."""
    over: Deferred[None] = field(factory=Deferred)
    job: "Job | None" = None

    @property
    def told(self) -> dict[str, Any]:
        """An entry of `vmJobs`."""
        merge = self.merge
        return {
            "id": merge.id,
            "jobType": "block",
            "blockJobType": "commit",
            "bandwidth": merge.bandwidth,
            "cur": str(self.cur),
            "end": str(self.end),
            "imgUUID": merge.image,
        }


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
    """Seconds that a job may be gone before the chain it has changed is told: for a moment neither is to be seen."""
    _running: dict[str, Running] = field(factory=dict)
    _alarm: Any = None

    def __len__(self) -> int:
        return len(self._running)

    def of(self, vm: str) -> list[Running]:
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
            running = self.adopt(machine, ready.merge)
        finally:
            machine.changing.release()
        self.look(running)

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
        if running is None or await self._job(running) is None:
            raise NotUnderWay(id)
        running.aborted = True
        await blocks.abort(running.machine.means.domains, running.machine.id, running.merge.target)
        self.look(running)

    async def _job(self, running: Running) -> blocks.BlockJob | None:
        return await blocks.job(running.machine.means.domains, running.machine.id, running.merge.target)

    def knows(self, id: str) -> bool:
        return id in self._running

    def adopt(self, machine: "Machine", merge: Merge) -> Running:
        """A merge that is under way, begun by us or found in a domain."""
        running = self._running[merge.id] = Running(machine, merge)

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
                self.look(one)

    def hear(self, vm: str, target: str, status: str) -> None:
        """What the hypervisor tells of the job of a disk."""
        for one in self.of(vm):
            if one.merge.target == target:
                one.sure = status in ("failed", "canceled")
                self.look(one)

    def lost(self, vm: str) -> None:
        """The machine is Down: what became of its chains is found when they are reconciled."""
        for one in self.of(vm):
            self._end(one, MergeFailed(vm, "the machine is down"))

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
        self._running.clear()

    def _ring(self) -> None:
        self._alarm = self.reactor.callLater(self.period, self._ring) if self._running else None
        self.look_at()

    def look(self, running: Running) -> None:
        """One look at a time for each merge; what happens meanwhile is looked at after."""
        running.again = True
        if not running.busy:
            running.busy = True
            Deferred.fromCoroutine(self._work(running))

    async def _work(self, running: Running) -> None:
        try:
            while running.again and running.merge.id in self._running:
                running.again = False
                await self._look(running)
        except DomainNotFound:
            self.log.info("{vm} is gone with its merge", vm=running.machine.id)
        except CancelledError:
            pass
        except (VirgateError, OSError) as problem:
            told = {"vm": running.machine.id, "job": running.merge.id, "problem": problem}
            self.log.warn("{vm}: merge {job} has to wait: {problem}", **told)
        except Exception:
            self.log.failure("{vm}: merge {job}", vm=running.machine.id, job=running.merge.id)
        finally:
            running.busy = False

    async def _look(self, running: Running) -> None:
        machine = running.machine
        await machine.changing.acquire()
        try:
            if running.merge.id in self._running and machine.vitals.alive:
                await self._step(running)
        finally:
            machine.changing.release()

    async def _step(self, running: Running) -> None:
        machine, merge = running.machine, running.merge
        job = await self._job(running)
        await machine.document()  # after the look at the job: it may be ahead of it, and never behind
        found = chain.read(tree.parse(machine.record.xml)).get(merge.target)
        if job is not None:
            self._note(running, job)
        step = self._certain(running, next_step(merge, found, job))
        volumes = () if found is None else found.volumes
        if step is Step.PIVOT:
            await self._pivot(running, volumes)
        elif step is Step.SETTLE:
            await self.syncing.agree(merge.domain, merge.image, volumes, merge.gone)
            await self.syncing.let_go(merge.domain, merge.image, merge.gone)
            await machine.devices_changed()
            await kept.drop(machine, merge)
            self._end(running)
        elif step is Step.GIVE_UP:
            await self.syncing.agree(merge.domain, merge.image, volumes, ())
            await kept.drop(machine, merge)
            self._end(running, MergeFailed(machine.id, "it was aborted" if running.aborted else "it did not succeed"))
        elif step is Step.FORGET:
            await kept.drop(machine, merge)
            self._end(running, MergeFailed(machine.id, "the disk is another one now"))

    def _certain(self, running: Running, step: Step) -> Step:
        """A merge is given up when that was told, or when it looks so for a while."""
        if step is not Step.GIVE_UP:
            running.sure, running.doubted = False, None
            return step
        now = self.reactor.seconds()
        if running.doubted is None:
            running.doubted = now
            self.reactor.callLater(self.doubt, self._again, running)
        return step if running.sure or now >= running.doubted + self.doubt else Step.WAIT

    def _again(self, running: Running) -> None:
        if running.merge.id in self._running:
            self.look(running)

    async def _pivot(self, running: Running, volumes: Sequence[str]) -> None:
        """The leaf is illegal before the guest writes to the base alone: nobody may start from stale data. The event
        that follows makes us look again."""
        machine, merge = running.machine, running.merge
        left = [volume for volume in volumes if volume not in merge.gone]
        await self.syncing.agree(merge.domain, merge.image, left, merge.gone)
        try:
            await blocks.pivot(machine.means.domains, machine.id, merge.target)
        except HypervisorFailed:
            await self.syncing.agree(merge.domain, merge.image, volumes, ())
            raise

    def _note(self, running: Running, job: blocks.BlockJob) -> None:
        running.cur, running.end = job.cur, job.end
        if running.job is not None and job.end:
            running.job.report(100 * job.cur / job.end)

    def _end(self, running: Running, failure: VirgateError | None = None) -> None:
        self._running.pop(running.merge.id, None)
        told = {"vm": running.machine.id, "job": running.merge.id, "status": "failed" if failure else "done"}
        self.log.info("{vm}: merge {job} is {status}", **told)
        if running.over.called:
            return
        if failure is None:
            running.over.callback(None)
        else:
            running.over.errback(failure)
