"""The front of OVF: machines described on the master or on a backup domain (spec xmlrpc-storage 3.6)."""

from collections.abc import Sequence

from attrs import frozen

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import DomainFull, DomainNotActive, NotBackup, NotMember
from virgate.node.storage.pools.master import Machines
from virgate.node.storage.pools.pools import Pools
from virgate.node.storage.values import Class, Status, is_blank
from virgate.node.tasks.locks import Locks, storage


@frozen
class MachineFiles:
    """Every method is the SPM's."""

    pools: Pools
    locks: Locks
    owner: Sequence[int] | None = None

    async def update(self, pool: str, machines: Sequence[tuple[str, str]], domain: str | None) -> None:
        found = await self._domain(pool, domain)
        async with self.locks.hold(storage(pool), storage(f"vms_{found.id}", exclusive=True)):
            for machine, ovf in machines:
                try:
                    await self._machines(found).store(machine, ovf)
                except OSError:
                    raise DomainFull(found.id) from None

    async def remove(self, pool: str, machine: str, domain: str | None) -> None:
        found = await self._domain(pool, domain)
        async with self.locks.hold(storage(pool), storage(f"vms_{found.id}", exclusive=True)):
            await self._machines(found).remove(machine)

    async def names(self, pool: str, domain: str | None) -> list[str]:
        return await self._machines(await self._domain(pool, domain)).names()

    async def contents(self, pool: str, domain: str | None, machines: Sequence[str]) -> dict[str, str]:
        """A domain that is named must be a backup domain: what the master keeps is the pool's own."""
        found = await self._domain(pool, domain)
        if not is_blank(domain) and found.record.domain_class is not Class.Backup:
            raise NotBackup(found.id)
        return await self._machines(found).load(machines)

    async def _domain(self, pool: str, domain: str | None) -> Domain:
        connected = self.pools.spm(pool)
        if is_blank(domain):
            return await connected.master()
        status = connected.map.domains.get(str(domain))
        if status is None:
            raise NotMember(str(domain), pool)
        if status is not Status.ACTIVE:
            raise DomainNotActive(str(domain))
        return await self.pools.domains.find(str(domain))

    def _machines(self, domain: Domain) -> Machines:
        return Machines(domain.id, domain.path / "master" / "vms", domain.files, self.owner)
