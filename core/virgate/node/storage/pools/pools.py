"""The front of pools: this host is connected to one of them, or to none."""

from collections.abc import Mapping

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.guard import guarded
from virgate.node.storage.domains.monitor import Monitors
from virgate.node.storage.domains.record import NONE
from virgate.node.storage.domains.upgrade import upgrade
from virgate.node.storage.errors import (
    AnotherPoolConnected,
    HostIdMismatch,
    IsSpm,
    NoPoolConnected,
    PoolIsConnected,
    UnknownPool,
    UnsupportedVersion,
    UpgradeInProgress,
    WrongStatus,
)
from virgate.node.storage.pools.making import PoolMaker, check_pool_name
from virgate.node.storage.pools.map import Backend, DiskBackend, MemoryBackend, PoolMap
from virgate.node.storage.pools.membership import Membership, leave_pool
from virgate.node.storage.pools.pool import Attendant, Pool
from virgate.node.storage.pools.role import Role, SpmService
from virgate.node.storage.pools.spm import Spm
from virgate.node.storage.pools.upgrading import Upgrades
from virgate.node.storage.repository import part
from virgate.node.storage.values import VERSIONS, Status
from virgate.node.tasks.locks import Locks, storage
from virgate.node.tasks.manager import Tasks
from virgate.run.fence import unfenced

MAX_HOST = 2000
"""The largest host id that leases have room for."""
MONITORS = storage("HsmDomainMonitorLock", exclusive=True)


@define(eq=False)
class Pools:
    log = Logger()

    domains: Domains
    monitors: Monitors
    tasks: Tasks
    locks: Locks
    services: list[SpmService] = field(factory=list)
    """What runs where this host is the SPM; filled when storage is assembled."""
    attendants: list[Attendant] = field(factory=list)
    """What runs while a pool is connected; filled likewise."""
    membership: Membership = field(init=False)
    maker: PoolMaker = field(init=False)
    upgrades: Upgrades = field(init=False)
    _pool: Pool | None = None

    def __attrs_post_init__(self) -> None:
        self.domains.term = self.term
        self.membership = Membership(self.domains)
        self.maker = PoolMaker(self.domains)
        self.upgrades = Upgrades(self.domains, self.locks)

    @property
    def connected(self) -> Pool | None:
        return self._pool

    def find(self, pool: str) -> Pool:
        """`UnknownPool` (309) unless it is the connected one."""
        if self._pool is None or self._pool.id != pool:
            raise UnknownPool(pool)
        return self._pool

    def term(self, domain: str) -> object | None:
        """The same object for as long as this host is, without a break, the SPM of the domain's pool."""
        pool = self._pool
        return pool.spm.term if pool is not None and domain in pool.map.domains else None

    def spm(self, pool: str) -> Pool:
        """The connected pool, whose SPM this host is; `UnknownPool` (309), `NotSpm` (654)."""
        found = self.find(pool)
        found.spm.require()
        return found

    async def connect(
        self, pool: str, host: int, master: str, version: int, domains: Mapping[str, object] | None
    ) -> None:
        """Connects, or refreshes a connection; with a map of domains that map counts instead of the stored one."""
        part(pool)
        if not 1 <= host <= MAX_HOST:
            raise InvalidParameter("hostID", host)
        async with self.locks.hold(MONITORS, storage(pool, exclusive=True)):
            live = self._pool
            if live is not None:
                self._may_reconnect(live, pool, host, in_memory=domains is not None)
            self.domains.forget()
            backend = self._backend(master, version, domains)
            if live is None:
                spm = self._spm(pool, host, backend)
                made = Pool(pool, host, backend, spm, self.domains, self.monitors, attendants=self.attendants)
                await made.verify(version)
            else:
                made = live
                await made.renew(backend, version)
            await made.show()
            self._pool = made

    def _spm(self, pool: str, host: int, backend: Backend) -> Spm:
        events, clock = self.monitors.events, self.monitors.clock
        return Spm(pool, host, backend, self.tasks, self.domains.repository, events, clock, self.services)

    def _may_reconnect(self, live: Pool, pool: str, host: int, *, in_memory: bool) -> None:
        if live.id != pool:
            raise AnotherPoolConnected(live.id)
        if live.host != host or (live.backend.in_memory and not in_memory):
            raise PoolIsConnected(pool)

    def _backend(self, master: str, version: int, domains: Mapping[str, object] | None) -> Backend:
        if domains is None:
            return DiskBackend(self.domains, PoolMap(master, version, {}))
        return MemoryBackend(self.domains, PoolMap(master, version, _statuses(domains)))

    async def disconnect(self, pool: str, host: int) -> None:
        """Nothing happens if it is not connected; `IsSpm` (656) while this host is its SPM."""
        if host < 0:
            raise InvalidParameter("hostID", host)
        if self._pool is None or self._pool.id != pool:
            return
        async with self.locks.hold(MONITORS, storage(pool, exclusive=True)):
            found = self.find(pool)
            if found.spm.role is not Role.FREE:
                raise IsSpm(pool)
            self._pool = None
            await found.hide()
            await self.domains.close_groups()

    async def refresh(self, pool: str, master: str, version: int) -> None:
        """Reads the pool again. On any failure the host leaves the pool: what it knows is not true any more."""
        found = self.find(pool)
        async with self.locks.hold(storage(pool)):
            if found.spm.role is Role.SPM:
                return
            self.domains.forget()
            try:
                found.backend.map = PoolMap(master, version, found.map.domains, found.map.name)
                await found.verify(version)
                await found.show()
            except (VirgateError, OSError):
                self._pool = None
                await found.hide()
                raise

    async def destroy(self, pool: str, host: int) -> None:
        """Takes every domain out of the pool, the master last, and leaves it."""
        found = self.spm(pool)
        if found.host != host:
            raise HostIdMismatch(host, found.host)
        members = [storage(domain, exclusive=True) for domain in found.map.domains]
        async with self.locks.hold(MONITORS, storage(pool, exclusive=True), *members):
            found.spm.may_stop()
            for domain in [domain for domain in found.map.domains if domain != found.map.master]:
                await self.membership.detach(found, domain)
            master = await found.master()
            await found.spm.stop()
            async with guarded(master, host):
                await leave_pool(master, pool)
            self._pool = None
            await found.hide()

    async def forget_pools(self, domain: str) -> None:
        """Takes a foreign domain out of every pool it names."""
        if self._pool is None:
            raise NoPoolConnected()
        found = await self.domains.find(domain)
        await found.refresh()
        async with guarded(found, self._pool.host):
            await found.change({"POOL_UUID": ""})

    async def start_spm(
        self, pool: str, version: int | None, expected: tuple[int, int], hosts: int | None = None
    ) -> str:
        """The id of the task that contends for the role. `hosts`: see `Spm.hosts`; 1 to 2000."""
        found = self.find(pool)
        found.spm.may_start(version, hosts, self.domains.known().get(found.map.master))
        found.candidate = True
        lock = self.locks.hold(storage(pool, exclusive=True))
        task = await found.spm.run_start(version, expected, hosts, lock)
        task.done().addCallback(lambda _: self.upgrades.start(found))
        return task.id

    async def contend(self, pool: Pool) -> None:
        """Becomes SPM if the lease can be had, unless something changed while this waited for the pool."""
        async with self.locks.hold(storage(pool.id, exclusive=True)):
            if self._pool is pool and pool.candidate:
                await pool.spm.start(None)
        self.upgrades.start(pool)

    async def stop_spm(self, pool: str) -> None:
        async with self.locks.hold(storage(pool, exclusive=True)):
            found = self.find(pool)
            found.spm.may_stop()
            found.candidate = False
            await found.spm.stop()

    async def spm_status(self, pool: str) -> tuple[str, int, int]:
        """(role of this host, version, host id of the SPM)."""
        found = self.find(pool)
        version, owner = await found.backend.owner()
        return found.spm.role.value, version, owner

    async def fence(self, pool: str) -> None:
        """Takes the role from whoever the disk names; a pool in memory only tells."""
        found = self.find(pool)
        if not found.backend.in_memory:
            found.candidate = False
            async with self.locks.hold(storage(pool, exclusive=True)):
                try:
                    await (await found.master()).change({"POOL_SPM_ID": NONE, "POOL_SPM_LVER": NONE})
                finally:
                    await found.spm.lose("it was fenced by command")

    async def describe(self, pool: str, description: str) -> None:
        """Nothing happens in memory: there a pool has no name."""
        found = self.find(pool)
        if not found.backend.in_memory:
            self.spm(pool)
            async with self.locks.hold(storage(pool, exclusive=True)):
                master = await self.spm(pool).master()
                check_pool_name(description, master.version)
                await master.change({"POOL_DESCRIPTION": description})

    async def upgrade(self, pool: str, version: int) -> None:
        """The master at once, the other active data domains after the answer; `UpgradeInProgress` (396)."""
        found = self.spm(pool)
        if version not in VERSIONS:
            raise UnsupportedVersion(version)
        if self.upgrades.running:
            raise UpgradeInProgress(pool)
        async with self.locks.hold(storage(pool, exclusive=True)):
            await upgrade(await found.master(), version)
        self.upgrades.start(found)

    def heard(self, domain: str, valid: bool, **told: object) -> None:
        """A listener of `storage.domain`: one that can be used again is shown, and raised if that was missed."""
        pool = self._pool
        if valid and pool is not None and domain in pool.map.active:
            unfenced(self._welcome(pool, domain)).addErrback(
                lambda failure: self.log.failure("domain {domain} is not shown", failure, domain=domain)
            )

    async def _welcome(self, pool: Pool, domain: str) -> None:
        if domain not in pool.shown:
            async with self.locks.hold(storage(pool.id)):
                if self._pool is pool:
                    await pool.show()
        self.upgrades.start(pool)

    async def close(self) -> None:
        """The daemon ends. Prepared images and links stay for the machines that go on."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await pool.spm.abandon()
            except (VirgateError, OSError):
                self.log.failure("the SPM role of pool {pool} is left as it is", pool=pool.id)


def _statuses(domains: Mapping[str, object]) -> dict[str, Status]:
    """A word nobody knows counts as a domain that is not active."""
    found = {}
    for domain, word in domains.items():
        try:
            found[domain] = Status.read(word)
        except WrongStatus:
            found[domain] = Status.UNKNOWN
    return found
