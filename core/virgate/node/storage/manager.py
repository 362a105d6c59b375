"""The front of the room: everything a node does with storage hangs on one `Storage` value."""

import grp
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen
from twisted.internet import reactor as default_reactor
from twisted.logger import Logger

from virgate.errors import InvalidParameter
from virgate.events import EventBus
from virgate.hookspecs.leases import LeaseParameters
from virgate.node.storage.domains.domains import Domains, FilesOf, storage_type
from virgate.node.storage.domains.making import DomainMaker, check_name
from virgate.node.storage.domains.monitor import Monitors
from virgate.node.storage.domains.probing import Probes
from virgate.node.storage.errors import DomainNameTooLong, IsMemberOfPool, NoPoolConnected, PoolIsConnected
from virgate.node.storage.images.copying import Copying
from virgate.node.storage.images.images import Images
from virgate.node.storage.images.iso_files import IsoFiles
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.protection import Protection
from virgate.node.storage.images.qemu_img import Limits, QemuImg
from virgate.node.storage.images.rollback import Rollback
from virgate.node.storage.images.transfer import Transfers
from virgate.node.storage.images.volumes import Volumes
from virgate.node.storage.late import late
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.pools.candidate import PoolCandidate
from virgate.node.storage.pools.election import Election
from virgate.node.storage.pools.machine_files import MachineFiles
from virgate.node.storage.pools.making import NAME_LIMIT, PoolMaker
from virgate.node.storage.pools.members import Members
from virgate.node.storage.pools.pools import MONITORS, Pools
from virgate.node.storage.pools.settings import DEFAULTS as SPM_DEFAULTS
from virgate.node.storage.pools.settings import SpmSettings
from virgate.node.storage.repository import Repository, part
from virgate.node.storage.servers.references import References
from virgate.node.storage.servers.servers import Servers
from virgate.node.storage.settings import StorageSettings
from virgate.node.storage.thin.endpoint import Endpoint
from virgate.node.storage.thin.growing import Growing
from virgate.node.storage.thin.services import Mailboxes, attend
from virgate.node.storage.thin.settings import ThinSettings
from virgate.node.storage.values import Class, Clock
from virgate.node.tasks.locks import Locks, storage
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.plugins import Hooks
from virgate.units import MiB, Size

if TYPE_CHECKING:
    from virgate.node.storage.external_leases import ExternalLeases
    from virgate.node.storage.images.merging import Merging
    from virgate.node.storage.images.moving import Moving
    from virgate.node.storage.images.moving_many import ManyMoves
    from virgate.node.storage.images.remote import Remote
    from virgate.node.storage.images.sparsifying import Sparsifying

OPERATIONS = "virgate.node.storage.operations"
"""The module that the helpers of storage run."""

REPOSITORY = "repository"
OVIRT = 36
"""User and group id of files on the domains of an oVirt host."""

log = Logger()


@frozen(kw_only=True)
class Storage:
    """The managers of storage. Each owns its fields; they share domains, locks and tasks."""

    repository: Repository
    domains: Domains
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
    copying: Copying
    moving: "Moving"
    merging: "Merging"
    transfers: Transfers
    files: IsoFiles
    machine_files: MachineFiles
    protection: Protection
    mailboxes: Mailboxes
    growing: Growing
    tasks: Tasks
    locks: Locks
    helpers: FilesOf
    clock: Clock
    host: Callable[[], str]
    """Answers the hardware id of this host."""

    @property
    def external_leases(self) -> "ExternalLeases":
        from virgate.node.storage.external_leases import ExternalLeases

        return ExternalLeases(self.images.jobs, self.clock, self.host)

    @property
    def many_moves(self) -> "ManyMoves":
        from virgate.node.storage.images.moving_many import ManyMoves

        return ManyMoves(self.moving)

    @property
    def remote(self) -> "Remote":
        from virgate.node.storage.images.remote import Remote

        return Remote(self.images.jobs, self.volumes.qemu)

    @property
    def sparsifying(self) -> "Sparsifying":
        from virgate.node.storage.images.sparsifying import Sparsifying

        return Sparsifying(self.images.jobs, self.volumes.qemu)

    @classmethod
    def assembled(
        cls,
        settings: StorageSettings,
        *,
        repository: Path,
        run_dir: Path,
        state_dir: Path | None = None,
        helpers: FilesOf,
        hooks: Hooks,
        events: EventBus,
        tasks: Tasks,
        recoveries: Recoveries,
        locks: Locks,
        clock: Clock | None = None,
        qemu: QemuImg | None = None,
        mailbox: MailboxSettings | None = None,
        thin: ThinSettings | None = None,
        endpoint: Endpoint | None = None,
        spm: SpmSettings = SPM_DEFAULTS,
        host: Callable[[], str] = str,
    ) -> "Storage":
        """`repository` is the resolved folder: the setting, or `<state_dir>/data-center` if that is empty.

        `state_dir` keeps what must survive a reboot; without it that is where the repository is.
        `host` answers the hardware id of this host.
        """
        clock = clock or cast(Clock, default_reactor)
        thin = thin or ThinSettings()
        qemu = qemu or QemuImg(limits=Limits(settings.inspect_memory * MiB, settings.inspect_seconds))
        tree = Repository(repository, run_dir, helpers[REPOSITORY])
        domains = Domains(
            tree,
            helpers,
            hooks,
            qemu,
            owner(settings),
            lvm_method=settings.lvm_method,
            chunk=Size.mib(thin.chunk),
        )
        monitors = Monitors(domains, events, clock, settings.monitor_interval, Probes(helpers, settings.patience))
        pools = Pools(domains, monitors, tasks, locks)
        events.listen("storage.domain", pools.heard)
        election = Election(PoolCandidate(pools), spm, clock, settings.monitor_interval)
        jobs = Jobs(domains, pools, tasks, locks)
        volumes = Volumes(jobs, qemu, clock)
        servers = Servers(domains, reader(settings), settings.mount_limit)
        monitors.mend = servers.renew
        Rollback(domains, qemu).register(recoveries)
        mailboxes, growing = attend(pools, helpers, mailbox or MailboxSettings(), thin, endpoint or Endpoint.unknown())
        return cls(
            repository=tree,
            domains=domains,
            servers=servers,
            references=References(servers, (state_dir or repository.parent) / "connections", clock),
            maker=DomainMaker(domains),
            maker_of_pools=pools.maker,
            pools=pools,
            election=election,
            members=Members(pools),
            monitors=monitors,
            volumes=volumes,
            images=Images(jobs, volumes),
            copying=Copying(jobs, qemu, clock),
            moving=late(lambda: _moving()(jobs, qemu)),
            merging=late(lambda: _merging()(jobs, qemu)),
            transfers=Transfers(jobs),
            files=IsoFiles(domains, pools, reader(settings)),
            machine_files=MachineFiles(pools, locks, owner(settings)),
            clock=clock,
            host=host,
            protection=Protection(domains),
            mailboxes=mailboxes,
            growing=growing,
            tasks=tasks,
            locks=locks,
            helpers=helpers,
        )

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
        await self.monitors.close(leave=False)
        await self.mailboxes.left()
        await self.pools.close()


def _moving() -> "type[Moving]":
    from virgate.node.storage.images.moving import Moving

    return Moving


def _merging() -> "type[Merging]":
    from virgate.node.storage.images.merging import Merging

    return Merging


def owner(settings: StorageSettings) -> Sequence[int] | None:
    """Who owns new files: as set; else vdsm:kvm where the host has them as 36:36; else who the daemon is."""
    if settings.user or settings.group:
        return (_user(settings.user) if settings.user else -1, _group(settings.group) if settings.group else -1)
    try:
        known = pwd.getpwnam("vdsm").pw_uid == OVIRT and grp.getgrgid(OVIRT)
    except KeyError:
        return None
    return (OVIRT, OVIRT) if known and os.geteuid() in (0, OVIRT) else None


def reader(settings: StorageSettings) -> tuple[int, Sequence[int]] | None:
    """The user of guests with his groups; None if folders are not checked for him."""
    if not settings.hypervisor_user:
        return None
    user = pwd.getpwuid(_user(settings.hypervisor_user))
    return user.pw_uid, os.getgrouplist(user.pw_name, user.pw_gid)


def _user(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise InvalidParameter("storage.user", name) from None


def _group(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise InvalidParameter("storage.group", name) from None
