"""The domains of a pool: attached, activated and taken out again by the SPM (spec xmlrpc-storage 3.2, 7.6)."""

from collections.abc import Awaitable

from attrs import define, evolve
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.guard import guarded
from virgate.node.storage.domains.record import REGULAR, DomainRecord, written_lease
from virgate.node.storage.domains.upgrade import upgrade
from virgate.node.storage.errors import (
    AlreadyAttached,
    BackupCannotBeMaster,
    CannotDetachMaster,
    DomainAccess,
    DomainNotActive,
    IsoCannotBeMaster,
    MixedVersions,
    NotInPool,
    NotMember,
    TooManyDomains,
    WrongMaster,
)
from virgate.node.storage.pools.pool import Pool
from virgate.node.storage.values import Class, Status, is_blank

MAX_DOMAINS = 100
OLD_MAX_DOMAINS = 9
"""In a pool whose master keeps its metadata in the first 2048 bytes of a logical volume."""


@define(eq=False)
class Membership:
    """Every method wants the SPM role and the locks of the pool and the domain."""

    log = Logger()

    domains: Domains

    async def attach(self, pool: Pool, domain: str) -> None:
        if domain in pool.map.domains:
            return
        found = await self.domains.find(domain)
        record = await found.refresh()
        master = await pool.master()
        check_attachable(record, pool.id)
        check_version(record, master.version)
        if len(pool.map.domains) >= most_domains(master):
            raise TooManyDomains(pool.id)
        async with guarded(found, pool.host):
            await join_pool(found, pool.id)
        await pool.backend.write(pool.map.having(domain, Status.ATTACHED))

    async def detach(self, pool: Pool, domain: str) -> None:
        self._member(pool, domain)
        if domain == pool.map.master:
            raise CannotDetachMaster(domain)
        found = await self.domains.find(domain)
        async with guarded(found, pool.host):
            await leave_pool(found, pool.id)
        await self._drop(pool, domain)

    async def forced_detach(self, pool: Pool, domain: str) -> None:
        """Only the pool forgets the domain: what the domain says stays."""
        if domain == pool.map.master:
            raise CannotDetachMaster(domain)
        if domain in pool.map.domains:
            await self._drop(pool, domain)

    async def activate(self, pool: Pool, domain: str) -> None:
        if self._member(pool, domain) is Status.ACTIVE:
            return
        found = await self.domains.find(domain)
        record = await found.refresh()
        if pool.id not in record.pools:
            raise NotMember(domain, pool.id)
        changes: dict[str, object] = {"ROLE": REGULAR}
        if not pool.backend.in_memory:
            changes["MASTER_VERSION"] = 0
        await found.change(changes)
        master = await pool.master()
        await upgrade_member(found, master.version, pool.host)
        if record.domain_class is Class.Backup:
            await found.mount_master()
        await pool.backend.write(pool.map.having(domain, Status.ACTIVE))
        await pool.show()

    async def deactivate(self, pool: Pool, domain: str, new_master: str, version: int) -> None:
        status = self._member(pool, domain)
        if domain == pool.map.master:
            if not is_blank(new_master):
                await self._migrate(pool, new_master, version)
            return
        if not is_blank(new_master):
            try:
                await (await self.domains.find(domain)).refresh()
            except VirgateError:
                raise DomainAccess(domain) from None
        if status is Status.ACTIVE:
            await pool.backend.write(pool.map.having(domain, Status.ATTACHED))
            await pool.show()

    async def _migrate(self, pool: Pool, new_master: str, version: int) -> None:
        """Moves the master role to another active domain; the old master is attached afterwards."""
        new = await self._new_master(pool, new_master, version)
        old = await pool.master()
        await upgrade_member(new, old.version, pool.host)
        await new.lease.join(pool.host)
        await new.lease.acquire()
        async with pool.spm.moving(new):
            try:
                await self._move(pool, old, new, version)
            except BaseException:
                await self._resign(new, new.change({"ROLE": REGULAR}))
                raise
            pool.spm.follow(new)
            await self._resign(old, old.files.call("empty_master", str(old.path / "master")))
            await old.lease.leave()
            await pool.show()

    async def _move(self, pool: Pool, old: Domain, new: Domain, version: int) -> None:
        await new.mount_master()
        await new.files.call("copy_master", str(old.path / "master"), str(new.path / "master"))
        await new.change(written_lease(old.record.lease_parameters))
        await pool.backend.move(evolve(pool.map.having(old.id, Status.ATTACHED), master=new.id, version=version))

    async def _resign(self, domain: Domain, cleaning: Awaitable[object]) -> None:
        """The domain is not master any more: whatever cannot be cleaned, its lease is given back."""
        try:
            await cleaning
            await domain.unmount_master()
        except (VirgateError, OSError) as problem:
            self.log.warn("domain {domain} keeps traces of a master: {problem}", domain=domain.id, problem=problem)
        finally:
            await domain.lease.release()

    async def _new_master(self, pool: Pool, domain: str, version: int) -> Domain:
        if domain == pool.map.master:
            raise InvalidParameter("msdUUID", domain)
        if self._member(pool, domain) is not Status.ACTIVE:
            raise DomainNotActive(domain)
        found = await self.domains.find(domain)
        record = await found.refresh()
        check_class(record)
        if version <= pool.map.version:
            raise WrongMaster(pool.id, domain, version)
        return found

    def _member(self, pool: Pool, domain: str) -> Status:
        try:
            return pool.map.domains[domain]
        except KeyError:
            raise NotInPool(domain, pool.id) from None

    async def _drop(self, pool: Pool, domain: str) -> None:
        await pool.backend.write(pool.map.without(domain))
        await pool.show()


def most_domains(master: Domain) -> int:
    return OLD_MAX_DOMAINS if master.kind is Kind.BLOCK and master.version == 0 else MAX_DOMAINS


def check_class(record: DomainRecord) -> None:
    """Only a data domain can be a master."""
    if record.domain_class is Class.Iso:
        raise IsoCannotBeMaster(record.id)
    if record.domain_class is Class.Backup:
        raise BackupCannotBeMaster(record.id)


def check_attachable(record: DomainRecord, pool: str) -> None:
    """A domain is in one pool; a domain of ISO files may be in many."""
    others = [other for other in record.pools if other != pool]
    if others and record.domain_class is not Class.Iso:
        raise AlreadyAttached(record.id, others[0])


def check_version(record: DomainRecord, master: int, *, exactly: bool = False) -> None:
    """Old hosts of the pool must be able to read every data domain in it."""
    newer = record.version != master if exactly else record.version > master
    if record.domain_class is Class.Data and newer:
        raise MixedVersions(record.id, record.version, master)


async def upgrade_member(domain: Domain, version: int, host: int) -> None:
    """Data domains follow their master's version."""
    if domain.record.domain_class is Class.Data and domain.version < version:
        async with guarded(domain, host):
            await upgrade(domain, version)


async def join_pool(domain: Domain, pool: str) -> None:
    if pool not in domain.record.pools:
        await domain.change({"POOL_UUID": ",".join([*domain.record.pools, pool])})


async def leave_pool(domain: Domain, pool: str) -> None:
    """In one write: no other host finds a master without a pool."""
    left = [other for other in domain.record.pools if other != pool]
    await domain.change({"ROLE": REGULAR, "POOL_UUID": ",".join(left)})
