"""This host as a candidate for the SPM role of the pool it is connected to."""

from attrs import define

from virgate.node.storage.pools.pools import Pools


@define(eq=False)
class PoolCandidate:
    pools: Pools

    async def free(self) -> bool:
        """A host that was told not to be SPM, or does not see the master or holds no id there, sees nothing."""
        pool = self.pools.connected
        if pool is None or not pool.candidate or not pool.spm.ready:
            return False
        watch = self.pools.monitors.get(pool.map.master)
        if watch is None or watch.checked is None or not watch.valid:
            return False
        lease = (await pool.master()).lease
        return lease.joined is not None and await lease.inquire() is None

    async def contend(self) -> None:
        pool = self.pools.connected
        if pool is not None:
            await self.pools.contend(pool)
