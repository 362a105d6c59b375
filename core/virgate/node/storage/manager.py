"""The front of the room: everything a node does with storage hangs on one `Storage` value."""

import grp
import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from attrs import frozen
from twisted.internet import reactor as default_reactor
from twisted.logger import Logger

from virgate.errors import InvalidParameter
from virgate.events import EventBus
from virgate.node.storage.domains import Domains, FilesOf
from virgate.node.storage.images import Images
from virgate.node.storage.jobs import Jobs
from virgate.node.storage.making import DomainMaker
from virgate.node.storage.monitor import Monitors
from virgate.node.storage.pools import Pools
from virgate.node.storage.qemu_img import QemuImg
from virgate.node.storage.repository import Repository
from virgate.node.storage.rollback import Rollback
from virgate.node.storage.servers import Servers
from virgate.node.storage.settings import StorageSettings
from virgate.node.storage.values import Clock
from virgate.node.storage.volumes import Volumes
from virgate.node.tasks.locks import Locks
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.plugins import Hooks

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
    maker: DomainMaker
    pools: Pools
    monitors: Monitors
    volumes: Volumes
    images: Images
    tasks: Tasks
    locks: Locks
    helpers: FilesOf

    @classmethod
    def assembled(
        cls,
        settings: StorageSettings,
        *,
        repository: Path,
        run_dir: Path,
        helpers: FilesOf,
        hooks: Hooks,
        events: EventBus,
        tasks: Tasks,
        recoveries: Recoveries,
        locks: Locks,
        clock: Clock | None = None,
        qemu: QemuImg | None = None,
    ) -> "Storage":
        """`repository` is the resolved folder: the setting, or `<state_dir>/data-center` if that is empty."""
        clock = clock or cast(Clock, default_reactor)
        qemu = qemu or QemuImg()
        tree = Repository(repository, run_dir, helpers[REPOSITORY])
        domains = Domains(tree, helpers, hooks, qemu, owner(settings))
        monitors = Monitors(domains, events, clock, settings.monitor_interval)
        pools = Pools(domains, monitors, tasks, locks)
        jobs = Jobs(domains, pools, tasks, locks)
        volumes = Volumes(jobs, qemu, clock)
        Rollback(domains).register(recoveries)
        return cls(
            repository=tree,
            domains=domains,
            servers=Servers(domains, reader(settings)),
            maker=DomainMaker(domains),
            pools=pools,
            monitors=monitors,
            volumes=volumes,
            images=Images(jobs, volumes),
            tasks=tasks,
            locks=locks,
            helpers=helpers,
        )

    async def start(self) -> None:
        """Makes the tree. No pool is connected after a start: clients do that (spec xmlrpc-storage 7.2)."""
        await self.repository.make()

    async def stop(self) -> None:
        """Gives the SPM role back and stops watching. What machines use stays as it is."""
        await self.monitors.close(leave=False)
        await self.pools.close()


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
