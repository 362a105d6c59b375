"""The front of the room: everything a node does with storage hangs on one `Storage` value."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from virgate.hookspecs.leases import LeaseParameters
from virgate.node.storage.domains.domains import FilesOf, storage_type
from virgate.node.storage.domains.making import DomainMaker, check_name
from virgate.node.storage.domains.monitor import Monitors
from virgate.node.storage.errors import DomainNameTooLong, IsMemberOfPool, NoPoolConnected, PoolIsConnected
from virgate.node.storage.images.images import Images
from virgate.node.storage.images.protection import Protection
from virgate.node.storage.images.volumes import Volumes
from virgate.node.storage.late import LateManagers
from virgate.node.storage.pools.election import Election
from virgate.node.storage.pools.making import NAME_LIMIT, PoolMaker
from virgate.node.storage.pools.members import Members
from virgate.node.storage.pools.pools import MONITORS, Pools
from virgate.node.storage.repository import Repository, part
from virgate.node.storage.servers.references import References
from virgate.node.storage.servers.servers import Servers
from virgate.node.storage.thin.growing import Growing
from virgate.node.storage.thin.services import Mailboxes
from virgate.node.storage.values import Class
from virgate.node.tasks.locks import storage
from virgate.node.tasks.manager import Tasks


@frozen(kw_only=True, slots=False)
class Storage(LateManagers):
    """The managers of storage. Each owns its fields; they share domains, locks and tasks."""

    repository: Repository
    servers: Servers
    references: References
    maker: DomainMaker
    maker_of_pools: PoolMaker
    pools: Pools
    election: Election
    members: Members
    monitors: Monitors
    volumes: Volumes
    images: Images
    protection: Protection
    mailboxes: Mailboxes
    growing: Growing
    tasks: Tasks
    helpers: FilesOf

    async def create_pool(
        self, pool: str, name: str, master: str, domains: Sequence[str], version: int, lease: LeaseParameters | None
    ) -> None:
        wanted = [storage(domain, exclusive=True) for domain in map(part, domains)]
        async with self.locks.hold(storage(part(pool), exclusive=True), *wanted):
            await self.maker_of_pools.create(pool, name, master, domains, version, lease)

    async def reconstruct_pool(
        self,
        pool: str,
        name: str,
        master: str,
        domains: Mapping[str, object],
        version: int,
        lease: LeaseParameters | None,
        host: int | None,
    ) -> None:
        """`PoolIsConnected` (325) while this host is in it."""
        connected = self.pools.connected
        if connected is not None and connected.id == pool:
            raise PoolIsConnected(pool)
        async with self.locks.hold(storage(part(pool), exclusive=True)):
            await self.maker_of_pools.reconstruct(pool, name, master, domains, version, lease, host)

    async def format_domain(self, domain: str, auto_detach: bool) -> None:
        async with self.locks.hold(storage(part(domain), exclusive=True)):
            pool = self.pools.connected
            members = tuple(pool.map.domains) if pool else ()
            await self.maker.format(domain, auto_detach, members, pool.id if pool else "")

    async def domain_info(self, domain: str) -> dict[str, Any]:
        """getStorageDomainInfo (spec xmlrpc-storage 4.1)."""
        found = await self.domains.find(domain)
        record = await found.refresh()
        return {
            "uuid": record.id,
            "type": record.type,
            "class": record.domain_class.name,
            "name": record.name,
            "role": record.role,
            "pool": list(record.pools),
            "version": str(record.version),
            **found.details(),
            **({"block_size": record.block_size, "alignment": record.alignment} if record.version >= 5 else {}),
        }

    async def visible_domains(
        self, pool: str | None, domain_class: object, type_wanted: object, remote: str | None
    ) -> list[str]:
        """Filters that are empty or 0 are off; a type may be a number in text (spec xmlrpc-storage 13, R4)."""
        found = await self.domains.all()
        if pool is not None:
            members = self.pools.find(pool).map.domains
            found = [domain for domain in found if domain.id in members]
        if domain_class:
            wanted = Class.numbered(domain_class)
            found = [domain for domain in found if domain.record.domain_class is wanted]
        if type_wanted and str(type_wanted) != "0":
            type = await storage_type(self.domains.hooks, type_wanted)
            found = [domain for domain in found if domain.type is type]
        if remote:
            mount = self.repository.mount_point(remote)
            found = [domain for domain in found if domain.path.parent.name == mount.name]
        return [domain.id for domain in found]

    async def describe_domain(self, domain: str, description: str) -> None:
        """Renames a domain of the connected pool."""
        pool = self.pools.connected
        if pool is None:
            raise NoPoolConnected()
        pool.spm.require()
        found = await self.domains.find(domain)
        check_name(description, found.version)
        if len(description) > NAME_LIMIT:
            raise DomainNameTooLong(description)
        async with self.locks.hold(storage(domain)):
            await found.change({"DESCRIPTION": description})

    async def watch_alone(self, domain: str, host: int) -> None:
        async with self.locks.hold(MONITORS):
            self.monitors.watch_alone(part(domain), host)

    async def unwatch_alone(self, domain: str) -> None:
        """`IsMemberOfPool` (900) for a domain that its pool watches."""
        async with self.locks.hold(MONITORS):
            if not await self.monitors.unwatch_alone(part(domain)):
                raise IsMemberOfPool(domain)

    async def start(self) -> None:
        """Makes the tree. No pool is connected after a start: clients do that (spec xmlrpc-storage 7.2)."""
        await self.repository.make()
        await self.references.start()
        self.election.start()

    async def stop(self) -> None:
        """Gives the SPM role back and stops watching. What machines use stays as it is."""
        self.election.stop()
        self.references.stop()
        await self.end_work()
        await self.monitors.close(leave=False)
        await self.mailboxes.left()
        await self.pools.close()
