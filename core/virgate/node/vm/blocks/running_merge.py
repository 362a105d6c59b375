"""One live merge, from the hypervisor's job to metadata on storage that agree with the chain.

Between two steps nothing has to be remembered: every look reads the document and the hypervisor's job, and does what
`merge_steps` says. It goes on until the volumes' metadata agree with the chain, however long storage is away.
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
from virgate.node.vm.blocks import chain, kept
from virgate.node.vm.blocks.errors import MergeFailed
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.blocks.merge_steps import Step, next_step

if TYPE_CHECKING:
    from virgate.node.storage.sdm.registry import Job
    from virgate.node.vm.machine import Machine


class Syncing(Protocol):
    """What makes metadata on storage agree with a chain: `virgate.node.storage.images.live_chain`."""

    async def agree(self, domain: str, image: str, actual: Sequence[str], gone: Sequence[str]) -> None: ...

    async def let_go(self, domain: str, image: str, gone: Sequence[str]) -> None: ...


@define(eq=False)
class RunningMerge:
    """`forget` is called once, before `over`."""

    log = Logger()

    machine: "Machine"
    merge: Merge
    syncing: Syncing
    reactor: Any
    doubt: float
    """Seconds that a job may be gone before the chain it has changed is told: for a moment neither is to be seen."""
    forget: "Callable[[RunningMerge], None]"
    aborted: bool = False
    told_failed: bool = False
    """The hypervisor has said that the job did not succeed."""
    over: Deferred[None] = field(factory=Deferred)
    job: "Job | None" = None
    _done: int = 0
    _total: int = 0
    _busy: bool = False
    _again: bool = False
    _ended: bool = False
    _doubted: float | None = None
    """When nothing was first seen to work on the disk although its chain is what it was."""

    @property
    def told(self) -> dict[str, Any]:
        """An entry of `vmJobs`."""
        merge = self.merge
        return {
            "id": merge.id,
            "jobType": "block",
            "blockJobType": "commit",
            "bandwidth": merge.bandwidth,
            "cur": str(self._done),
            "end": str(self._total),
            "imgUUID": merge.image,
        }

    async def block_job(self) -> blocks.BlockJob | None:
        """What the hypervisor works on now."""
        return await blocks.job(self.machine.means.domains, self.machine.id, self.merge.target)

    def look(self) -> None:
        """One look at a time; what happens meanwhile is looked at after."""
        self._again = True
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work())

    def leave(self) -> None:
        """The hypervisor goes on alone; the next daemon finds it again."""
        self._ended = True

    def end(self, failure: VirgateError | None = None) -> None:
        self._ended = True
        self.forget(self)
        told = {"vm": self.machine.id, "job": self.merge.id, "status": "failed" if failure else "done"}
        self.log.info("{vm}: merge {job} is {status}", **told)
        if self.over.called:
            return
        if failure is None:
            self.over.callback(None)
        else:
            self.over.errback(failure)

    async def _work(self) -> None:
        try:
            while self._again and not self._ended:
                self._again = False
                await self._look()
        except DomainNotFound:
            self.log.info("{vm} is gone with its merge", vm=self.machine.id)
        except CancelledError:
            pass
        except (VirgateError, OSError) as problem:
            told = {"vm": self.machine.id, "job": self.merge.id, "problem": problem}
            self.log.warn("{vm}: merge {job} has to wait: {problem}", **told)
        except Exception:
            self.log.failure("{vm}: merge {job}", vm=self.machine.id, job=self.merge.id)
        finally:
            self._busy = False

    async def _look(self) -> None:
        await self.machine.changing.acquire()
        try:
            if not self._ended and self.machine.vitals.alive:
                await self._step()
        finally:
            self.machine.changing.release()

    async def _step(self) -> None:
        machine, merge = self.machine, self.merge
        job = await self.block_job()
        await machine.document()  # after the look at the job: it may be ahead of it, and never behind
        found = chain.read(tree.parse(machine.record.xml)).get(merge.target)
        if job is not None:
            self._note(job)
        step = self._certain(next_step(merge, found, job))
        volumes = () if found is None else found.volumes
        if step is Step.PIVOT:
            await self._pivot(volumes)
        elif step is Step.SETTLE:
            await self.syncing.agree(merge.domain, merge.image, volumes, merge.gone)
            await self.syncing.let_go(merge.domain, merge.image, merge.gone)
            await machine.devices_changed()
            await kept.drop(machine, merge)
            self.end()
        elif step is Step.GIVE_UP:
            await self.syncing.agree(merge.domain, merge.image, volumes, ())
            await kept.drop(machine, merge)
            self.end(MergeFailed(machine.id, "it was aborted" if self.aborted else "it did not succeed"))
        elif step is Step.FORGET:
            await kept.drop(machine, merge)
            self.end(MergeFailed(machine.id, "the disk is another one now"))

    def _certain(self, step: Step) -> Step:
        """A merge is given up when that was told, or when it looks so for a while."""
        if step is not Step.GIVE_UP:
            self.told_failed, self._doubted = False, None
            return step
        now = self.reactor.seconds()
        if self._doubted is None:
            self._doubted = now
            self.reactor.callLater(self.doubt, self._look_again)
        return step if self.told_failed or now >= self._doubted + self.doubt else Step.WAIT

    def _look_again(self) -> None:
        if not self._ended:
            self.look()

    async def _pivot(self, volumes: Sequence[str]) -> None:
        """The leaf is illegal before the guest writes to the base alone: nobody may start from stale data. The event
        that follows makes us look again."""
        machine, merge = self.machine, self.merge
        left = [volume for volume in volumes if volume not in merge.gone]
        await self.syncing.agree(merge.domain, merge.image, left, merge.gone)
        try:
            await blocks.pivot(machine.means.domains, machine.id, merge.target)
        except HypervisorFailed:
            await self.syncing.agree(merge.domain, merge.image, volumes, ())
            raise

    def _note(self, job: blocks.BlockJob) -> None:
        self._done, self._total = job.cur, job.end
        if self.job is not None and job.end:
            self.job.report(100 * job.cur / job.end)
