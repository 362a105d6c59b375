"""The role of storage pool manager: one host of a pool changes its storage (spec xmlrpc-storage 7.3, 7.4)."""

from contextlib import AbstractAsyncContextManager, suppress
from enum import Enum
from typing import Any, Protocol, cast

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.record import REGULAR
from virgate.node.storage.domains.upgrade import upgrade
from virgate.node.storage.errors import CannotStopSpm, InProgress, IsSpm, NotSpm, UnsupportedVersion, VersionTooAdvanced
from virgate.node.storage.pools.map import Backend
from virgate.node.storage.repository import MASTER, Repository
from virgate.node.storage.values import VERSIONS, Class
from virgate.node.tasks.manager import HSM, SPM, Tasks
from virgate.node.tasks.states import State
from virgate.node.tasks.store import HelperFiles, TaskStore
from virgate.node.tasks.task import Task


class Role(Enum):
    """The words of getSpmStatus."""

    SPM = "SPM"
    CONTEND = "Contend"
    FREE = "Free"


class SpmService(Protocol):
    """What runs on the host that is the SPM, and nowhere else."""

    async def start(self, pool: str, master: Domain) -> None:
        """The lease is held, the master is mounted, the journal is read; a failure ends the start of the SPM."""

    async def stop(self) -> None:
        """The role is being given up, or is lost already. Nothing happens if it was not started."""


@define(eq=False)
class Spm:
    """The role of this host in its pool, and what belongs to it: the journal of tasks."""

    log = Logger()

    pool: str
    host: int
    backend: Backend
    tasks: Tasks
    repository: Repository
    services: list[SpmService] = field(factory=list)
    """Started in this order before the role is told; stopped in reverse before anything else is given back."""
    role: Role = Role.FREE
    store: TaskStore | None = field(default=None)
    """The journal; None while this host is not the SPM."""

    def require(self) -> None:
        """`NotSpm` (654) unless this host is it."""
        if self.role is not Role.SPM:
            raise NotSpm(self.pool)

    def may_start(self, version: int | None) -> None:
        """What can be said before the task begins."""
        if self.role is not Role.FREE:
            raise IsSpm(self.pool)
        if version is not None and version not in VERSIONS:
            raise UnsupportedVersion(version)

    async def start(self, version: int | None, expected: tuple[int, int]) -> None:
        """Contends for the role; on a failure everything is given back and the role is free again."""
        if self.role is Role.SPM:
            return
        if self.role is Role.CONTEND:
            raise InProgress("SPM start")
        master = await self.backend.master()
        await master.refresh()
        if version is not None and version < master.version:
            raise VersionTooAdvanced(master.id, master.version)
        if (found := await self.backend.owner()) != expected:
            self.log.info(
                "pool {pool}: last SPM was {found}, asked {asked}", pool=self.pool, found=found, asked=expected
            )
        self.role = Role.CONTEND
        try:
            await self._take(master, version)
            await self._tidy()
            for service in self.services:
                await service.start(self.pool, master)
        except BaseException:
            await self._give(master)
            raise
        self.role = Role.SPM
        self.tasks.recover()

    def may_stop(self) -> None:
        """`NotSpm` (654); `CannotStopSpm` (653) while a task of it is not done."""
        self.require()
        if busy := self.tasks.busy(SPM):
            raise CannotStopSpm(self.pool, f"task {busy[0].id} is {busy[0].state.value}")

    async def stop(self) -> None:
        """Gives the role up; raises what `may_stop` raises."""
        self.may_stop()
        self.tasks.forget_done(SPM)
        await self._give(await self.backend.master())

    async def abandon(self) -> None:
        """The daemon ends: running jobs are cut off, the next SPM undoes them."""
        if self.role is Role.SPM:
            await self.tasks.abandon(SPM)
            await self._give(await self.backend.master())

    async def lose(self) -> None:
        """Somebody declared the role free: nothing is written any more, and nothing here keeps others from it."""
        if self.role is Role.SPM:
            self.role, self.store = Role.FREE, None
            await self._stop_services()
            await self.tasks.abandon(SPM)
            await (await self.backend.master()).lease.release()

    def journal(self, master: Domain) -> TaskStore:
        """The place of tasks, named as every host of the pool names it."""
        folder = self.repository.pool(self.pool) / MASTER / "master" / "tasks"
        return TaskStore(folder, HelperFiles(cast(Any, master.files)))

    async def _take(self, master: Domain, version: int | None) -> None:
        await master.lease.join(self.host)
        await master.lease.acquire()
        await self.backend.took(self.host)
        if version is not None and version > master.version:
            await upgrade(master, version)
        await master.mount_master()
        self.store = self.journal(master)
        await self.tasks.load(self.store)

    async def _tidy(self) -> None:
        """Finishes deletions that the last SPM could not, and takes the role of master from domains that lost it."""
        undone = all(task.state in (State.FINISHED, State.RECOVERED) for task in self.tasks.tagged(SPM))
        for domain in self.backend.map.active:
            try:
                found = await self.backend.find(domain)
                await found.images.collect_garbage(volumes=undone)
                if found.record.is_master and domain != self.backend.map.master:
                    await found.change({"ROLE": REGULAR})
            except (VirgateError, OSError) as problem:
                self.log.warn("domain {domain}: {problem}", domain=domain, problem=problem)

    async def _give(self, master: Domain) -> None:
        """In this order: nobody may change the pool, the owner is told, the lease goes last."""
        self.role, self.store = Role.FREE, None
        await self._stop_services()
        await master.unmount_master()
        if master.lease.held:
            with suppress(VirgateError, OSError):
                await self.backend.gave()
        await master.lease.release()

    async def _stop_services(self) -> None:
        for service in reversed(self.services):
            try:
                await service.stop()
            except Exception:
                self.log.failure("a service of the SPM of pool {pool} does not stop", pool=self.pool)

    async def run_start(
        self, version: int | None, expected: tuple[int, int], lock: AbstractAsyncContextManager[None]
    ) -> Task:
        """The start as a task in memory, which holds the lock until it is done."""

        async def job(task: Task) -> None:
            await self.start(version, expected)

        return await self.tasks.start("spmStart", job, tag=HSM, holding=[lock])


def can_be_master(domain: Domain) -> bool:
    return domain.record.domain_class is Class.Data
