"""Bringing the domains of a pool to the version of its master, in their own time (spec xmlrpc-storage 3.3, 7.3)."""

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.pools.membership import upgrade_member
from virgate.node.storage.pools.pool import Pool
from virgate.node.storage.pools.role import Role
from virgate.node.tasks.locks import Locks, storage


@define(eq=False)
class Upgrades:
    log = Logger()

    domains: Domains
    locks: Locks
    running: bool = False

    def start(self, pool: Pool) -> None:
        """Only the SPM does it. A domain that cannot be reached is left for another time."""
        if not self.running and pool.spm.role is Role.SPM:
            self.running = True
            Deferred.fromCoroutine(self._run(pool))

    async def _run(self, pool: Pool) -> None:
        try:
            for domain in [domain for domain in pool.map.active if domain != pool.map.master]:
                try:
                    async with self.locks.hold(storage(domain, exclusive=True)):
                        await self._raise(pool, domain)
                except (VirgateError, OSError):
                    self.log.failure("domain {domain} is not upgraded", domain=domain)
        finally:
            self.running = False

    async def _raise(self, pool: Pool, domain: str) -> None:
        """The role may have gone meanwhile."""
        if pool.spm.role is Role.SPM:
            pool.spm.require()
            master = await pool.master()
            await upgrade_member(await self.domains.find(domain), master.version, pool.host)
