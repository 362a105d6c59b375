"""The role of storage pool manager: one host of a pool changes its storage (spec xmlrpc-storage 7.3, 7.4).

Told on the event bus: `storage.spm` (pool, role, reason) at each change of the role.

All work of the SPM stands behind one fence (virgate.run.fence): whoever asked `require` goes on behind it, with the
tasks he starts. When the lease is lost the fence is lowered in the same instant; from then on helpers and programs do
nothing more for that work, and what they were doing is killed.
"""

from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.errors import InvalidParameter, VirgateError
from virgate.events import EventBus
from virgate.hookspecs.leases import LeaseManager
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.record import REGULAR
from virgate.node.storage.domains.upgrade import upgrade
from virgate.node.storage.errors import CannotStopSpm, InProgress, IsSpm, NotSpm, UnsupportedVersion, VersionTooAdvanced
from virgate.node.storage.formats.layout import HOSTS_LIMIT, alignment
from virgate.node.storage.pools.journal import MasterFiles
from virgate.node.storage.pools.map import Backend
from virgate.node.storage.pools.role import Role, SpmService
from virgate.node.storage.repository import MASTER, Repository
from virgate.node.storage.values import VERSIONS, Class, Clock
from virgate.node.tasks.manager import HSM, SPM, Tasks
from virgate.node.tasks.states import State
from virgate.node.tasks.store import HelperFiles, TaskStore
from virgate.node.tasks.task import Task
from virgate.run.fence import Fence, admitted, leave, unfenced

RETRY = 10.0
"""Seconds until what could not be given back is tried again."""


@define(eq=False)
class Spm:
    """The role of this host in its pool, and what belongs to it: the journal of tasks."""

    log = Logger()

    pool: str
    host: int
    backend: Backend
    tasks: Tasks
    repository: Repository
    events: EventBus
    clock: Clock
    services: list[SpmService] = field(factory=list)
    """Started in this order before the role is told; stopped in reverse before anything else is given back."""
    hosts: int | None = None
    """Mailboxes of hosts that this term reads; None: as many as the settings say."""
    role: Role = Role.FREE
    store: TaskStore | None = field(default=None)
    """The journal; None while this host is not the SPM."""
    _fence: Fence = field(factory=Fence)
    _files: MasterFiles | None = None
    _listening: list[LeaseManager] = field(factory=list)
    _gone: "Deferred[None]" = field(factory=lambda: succeed(None))
    """Fires when the last job of the last term has left."""
    _owed: Domain | None = None
    """The master of a term that is over and whose lease could not be given back yet."""

    @property
    def ready(self) -> bool:
        """Whether a start could begin."""
        return self.role is Role.FREE and self._owed is None

    @property
    def term(self) -> object | None:
        """The same object from a start to its end, None while this host is not the SPM."""
        return self._fence if self.role is Role.SPM else None

    def require(self) -> None:
        """`NotSpm` (654) unless this host is it. The caller goes on behind the SPM's fence."""
        self._check()
        self._fence.enter()

    def may_start(self, version: int | None, hosts: int | None = None, master: Domain | None = None) -> None:
        """What can be said before the task begins; `master` when it is known already."""
        if self.role is not Role.FREE:
            raise IsSpm(self.pool)
        if version is not None and version not in VERSIONS:
            raise UnsupportedVersion(version)
        if hosts is not None and not 1 <= hosts <= HOSTS_LIMIT:
            raise InvalidParameter("maxHostID", hosts)
        if master is not None:
            check_room(master, hosts)

    async def start(
        self, version: int | None, expected: tuple[int, int] | None = None, hosts: int | None = None
    ) -> None:
        """Contends for the role; on a failure everything is given back and the role is free again."""
        if self.role is Role.SPM:
            return
        if self.role is Role.CONTEND:
            raise InProgress("SPM start")
        if self._owed is not None:
            raise InProgress(f"giving back the master {self._owed.id}")
        master = await self.backend.master()
        await master.refresh()
        if version is not None and version < master.version:
            raise VersionTooAdvanced(master.id, master.version)
        check_room(master, hosts)
        if expected is not None and (found := await self.backend.owner()) != expected:
            self.log.info(
                "pool {pool}: last SPM was {found}, asked {asked}", pool=self.pool, found=found, asked=expected
            )
        self._fence, self._files, self.hosts = Fence(), MasterFiles(master), hosts
        self._turn(Role.CONTEND, "it contends")
        try:
            await self._take(master, version)
            await self._tidy()
            for service in self.services:
                await service.start(self.pool, master)
            admitted()  # the lease may have gone while nothing was asked of storage
        except BaseException as problem:
            leave()
            lost = self.role is Role.FREE
            self._end_term(f"the start failed: {problem}")
            await self._give(master, silent=lost)
            raise
        self._turn(Role.SPM, "it was started")
        self.tasks.recover()

    def may_stop(self) -> None:
        """`NotSpm` (654); `CannotStopSpm` (653) while a task of it is not done."""
        self._check()
        if busy := self.tasks.busy(SPM):
            raise CannotStopSpm(self.pool, f"task {busy[0].id} is {busy[0].state.value}")

    async def stop(self) -> None:
        """Gives the role up; raises what `may_stop` raises. What cannot be given back now is tried again."""
        self.may_stop()
        leave()
        self.tasks.forget_done(SPM)
        await self._finish("it was stopped")

    async def abandon(self) -> None:
        """The daemon ends: running jobs are cut off, the next SPM undoes them."""
        if self.role is Role.SPM:
            await self._finish("the daemon ends")

    async def lose(self, reason: str) -> None:
        """Somebody declared the role free: nothing is written any more, and nothing here keeps others from it."""
        if self._drop(reason) and self._files is not None:
            await self._give(self._files.master, silent=True)

    def moving(self, master: Domain) -> AbstractAsyncContextManager[None]:
        """The role of master moves to a domain whose lease is held already; tasks wait with what they write."""
        assert self._files is not None
        self._listen(master.lease)
        return self._files.moving()

    def follow(self, master: Domain) -> None:
        """It has moved."""
        assert self._files is not None
        self._files.master = master

    def journal(self, master: Domain) -> TaskStore:
        """The place of tasks, named as every host of the pool names it."""
        folder = self.repository.pool(self.pool) / MASTER / "master" / "tasks"
        files = self._files if self._files is not None and self._files.master is master else MasterFiles(master)
        return TaskStore(folder, HelperFiles(cast(Any, files)))

    def _check(self) -> None:
        if self.role is not Role.SPM:
            raise NotSpm(self.pool)

    async def _take(self, master: Domain, version: int | None) -> None:
        await master.lease.join(self.host)
        self._listen(master.lease)
        await master.lease.acquire()
        self._fence.enter()
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

    def _listen(self, lease: LeaseManager) -> None:
        """Once per lease: it lives as long as the daemon."""
        if lease not in self._listening:
            self._listening.append(lease)
            lease.when_lost(self._lost)

    def _lost(self, reason: str) -> None:
        """Nothing is written from this moment on: soon another host may have the lease."""
        if self._drop(f"the lease is lost: {reason}") and self._files is not None:
            unfenced(self._give(self._files.master, silent=True)).addErrback(self._not_given)

    def _drop(self, reason: str) -> bool:
        """Ends the term, if there is one. True if the role was had, False if a start is under way: that notices."""
        if self.role is Role.FREE:
            return False
        had = self.role is Role.SPM
        self.log.warn("pool {pool}: this host is not the SPM any more: {reason}", pool=self.pool, reason=reason)
        self._end_term(reason)
        return had

    def _end_term(self, reason: str) -> None:
        """Tasks go first: what is killed afterwards is no failure of theirs."""
        if self.role is not Role.FREE:
            self.store = None
            self._fence.lower(NotSpm(self.pool))
            self._gone = unfenced(self.tasks.abandon(SPM))
            self._fence.kill()
            self._turn(Role.FREE, reason)

    async def _finish(self, reason: str) -> None:
        self._end_term(reason)
        assert self._files is not None
        await self._give(self._files.master)

    async def _give(self, master: Domain, *, silent: bool = False) -> None:
        """In this order: nobody may change the pool, the owner is told, the lease goes last.

        `silent`: the pool's metadata are not ours to write any more. What fails is raised, and tried again later.
        """
        for service in reversed(self.services):
            try:
                await service.stop()
            except Exception:
                self.log.failure("a service of the SPM of pool {pool} does not stop", pool=self.pool)
        await self._gone
        self._owed = master
        try:
            await self._return(master, silent)
        except (VirgateError, OSError):
            unfenced(self._insist(master, silent)).addErrback(self._not_given)
            raise

    async def _insist(self, master: Domain, silent: bool) -> None:
        """Until then this host does not become SPM again."""
        while self._owed is master:
            await deferLater(self.clock, RETRY)  # type: ignore[arg-type]
            try:
                await self._return(master, silent)
            except (VirgateError, OSError) as problem:
                self.log.warn("pool {pool}: the master is not given back: {problem}", pool=self.pool, problem=problem)

    async def _return(self, master: Domain, silent: bool) -> None:
        """Only when nothing of this host can write any more: sanlock, too, waits for this word after a loss."""
        try:
            await Deferred.fromCoroutine(self._fence.emptied()).addTimeout(RETRY, cast(Any, self.clock))
        except TimeoutError:
            raise CannotStopSpm(self.pool, "a killed process that worked for it hangs in the kernel") from None
        await master.unmount_master()
        if master.lease.held and not silent:
            with suppress(VirgateError, OSError):
                await self.backend.gave()
        await master.lease.release()
        self._owed = None

    def _not_given(self, failure: Failure) -> None:
        self.log.failure("pool {pool}: the master is not given back yet", failure, pool=self.pool)

    def _turn(self, role: Role, reason: str) -> None:
        if role is not self.role:
            self.role = role
            self.events.tell("storage.spm", pool=self.pool, role=role.value, reason=reason)

    async def run_start(
        self,
        version: int | None,
        expected: tuple[int, int] | None,
        hosts: int | None,
        lock: AbstractAsyncContextManager[None],
    ) -> Task:
        """The start as a task in memory, which holds the lock until it is done."""

        async def job(task: Task) -> None:
            await self.start(version, expected, hosts)

        return await self.tasks.start("spmStart", job, tag=HSM, holding=[lock])


def check_room(master: Domain, hosts: int | None) -> None:
    """Hosts without a place in the leases of the domain cannot be in its pool (spec storage-format 3.5)."""
    if hosts is not None and alignment(master.record.block_size, hosts) > master.record.alignment:
        raise InvalidParameter("maxHostID", f"{hosts}, more than leases of domain {master.id} have room for")


def can_be_master(domain: Domain) -> bool:
    return domain.record.domain_class is Class.Data
