"""The front of a pool's domains: the SPM's verbs, each with the locks of the pool and of the domain."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from attrs import frozen

from virgate.hookspecs.leases import RESERVED_HOST
from virgate.node.storage.pools.pools import Pools
from virgate.node.tasks.locks import storage
from virgate.node.tasks.manager import HSM
from virgate.node.tasks.task import Task

Job = Callable[[Task], Awaitable[None]]


@frozen
class Members:
    pools: Pools

    async def attach(self, pool: str, domain: str) -> None:
        async with self._both(pool, domain):
            await self.pools.membership.attach(self.pools.spm(pool), domain)

    async def detach(self, pool: str, domain: str) -> None:
        async with self._both(pool, domain):
            await self.pools.membership.detach(self.pools.spm(pool), domain)

    async def forced_detach(self, pool: str, domain: str) -> None:
        async with self._both(pool, domain):
            await self.pools.membership.forced_detach(self.pools.spm(pool), domain)

    async def activate(self, pool: str, domain: str) -> None:
        async with self._both(pool, domain):
            await self.pools.membership.activate(self.pools.spm(pool), domain)

    async def deactivate(self, pool: str, domain: str, new_master: str, version: int) -> None:
        """With a new master the role of the pool's master moves there (spec xmlrpc-storage 7.6)."""
        async with self._both(pool, domain):
            await self.pools.membership.deactivate(self.pools.spm(pool), domain, new_master, version)

    async def extend(self, pool: str, domain: str, devices: Sequence[object], *, force: bool) -> None:
        """Of block domains only, as the next one."""
        from virgate.node.storage.block import extending

        self.pools.spm(pool)
        async with self.pools.locks.hold(storage(domain)):
            await extending.extend(self.pools.domains, domain, devices, force=force)

    async def resize_device(self, pool: str, domain: str, device: object) -> int:
        from virgate.node.storage.block import extending

        self.pools.spm(pool)
        async with self.pools.locks.hold(storage(domain)):
            return await extending.resize(self.pools.domains, domain, device)

    async def move_device(self, domain: str, device: object, targets: Sequence[object]) -> str:
        """The task. Of block domains that are not active in a pool, as the next one."""
        from virgate.node.storage.block import extending

        async def job(task: Task) -> None:
            await extending.move_device(self.pools.domains, domain, device, targets, self._host())

        return await self._alone("moveStorageDomainDevice", domain, job)

    async def reduce(self, domain: str, device: object) -> str:
        """The task."""
        from virgate.node.storage.block import extending

        async def job(task: Task) -> None:
            await extending.reduce(self.pools.domains, domain, device, self._host())

        return await self._alone("reduceStorageDomain", domain, job)

    async def _alone(self, verb: str, domain: str, job: Job) -> str:
        from virgate.node.storage.errors.volume_groups import DomainIsActive

        pool = self.pools.connected
        if pool is not None and domain in pool.map.active:
            raise DomainIsActive(domain)
        await self.pools.domains.find(domain)
        lock = self.pools.locks.hold(storage(domain, exclusive=True))
        return (await self.pools.tasks.start(verb, job, tag=HSM, holding=[lock])).id

    def _host(self) -> int:
        return self.pools.connected.host if self.pools.connected else RESERVED_HOST

    def _both(self, pool: str, domain: str) -> AbstractAsyncContextManager[None]:
        self.pools.spm(pool)
        return self.pools.locks.hold(storage(pool, exclusive=True), storage(domain, exclusive=True))
