"""Making the managers of storage, each with what it needs of the others."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twisted.internet import reactor as default_reactor

from virgate.events import EventBus
from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.accounts import owner, reader
from virgate.node.storage.domains.domains import Domains, FilesOf
from virgate.node.storage.domains.making import DomainMaker
from virgate.node.storage.domains.monitor import Monitors
from virgate.node.storage.domains.probing import Probes
from virgate.node.storage.images.images import Images
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.protection import Protection
from virgate.node.storage.images.qemu_img import Limits, QemuImg
from virgate.node.storage.images.rollback import Rollback
from virgate.node.storage.images.volumes import Volumes
from virgate.node.storage.late import late
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.manager import Storage
from virgate.node.storage.pools.candidate import PoolCandidate
from virgate.node.storage.pools.election import Election
from virgate.node.storage.pools.members import Members
from virgate.node.storage.pools.pools import Pools
from virgate.node.storage.pools.settings import DEFAULTS as SPM_DEFAULTS
from virgate.node.storage.pools.settings import SpmSettings
from virgate.node.storage.repository import Repository
from virgate.node.storage.servers.references import References
from virgate.node.storage.servers.servers import Servers
from virgate.node.storage.settings import StorageSettings
from virgate.node.storage.thin.services import attend
from virgate.node.storage.thin.settings import ThinSettings
from virgate.node.storage.values import Clock
from virgate.node.tasks.locks import Locks
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.plugins import Hooks
from virgate.units import MiB, Size

if TYPE_CHECKING:
    from virgate.node.storage.images.copying import Copying
    from virgate.node.storage.images.iso_files import IsoFiles
    from virgate.node.storage.images.merging import Merging
    from virgate.node.storage.images.moving import Moving
    from virgate.node.storage.images.transfer import Transfers
    from virgate.node.storage.nbd.servers import NbdServers
    from virgate.node.storage.pools.machine_files import MachineFiles
    from virgate.node.storage.sdm.sdm import Sdm

OPERATIONS = "virgate.node.storage.operations"
"""The module that the helpers of storage run."""

REPOSITORY = "repository"


def assemble(
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
) -> Storage:
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
    return Storage(
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
        copying=late(lambda: _copying(jobs, qemu, clock)),
        moving=late(lambda: _moving(jobs, qemu)),
        merging=late(lambda: _merging(jobs, qemu)),
        transfers=late(lambda: _transfers(jobs)),
        files=late(lambda: _files(jobs, settings)),
        machine_files=late(lambda: _machine_files(jobs, settings)),
        clock=clock,
        host=host,
        protection=Protection(domains),
        sdm=late(lambda: _sdm(domains, locks, qemu, clock, events)),
        nbd=late(lambda: _nbd(domains, locks, run_dir)),
        mailboxes=mailboxes,
        growing=growing,
        tasks=tasks,
        locks=locks,
        helpers=helpers,
    )


def _copying(jobs: Jobs, qemu: QemuImg, clock: Clock) -> "Copying":
    from virgate.node.storage.images.copying import Copying

    return Copying(jobs, qemu, clock)


def _transfers(jobs: Jobs) -> "Transfers":
    from virgate.node.storage.images.transfer import Transfers

    return Transfers(jobs)


def _files(jobs: Jobs, settings: StorageSettings) -> "IsoFiles":
    from virgate.node.storage.images.iso_files import IsoFiles

    return IsoFiles(jobs.domains, jobs.pools, reader(settings))


def _machine_files(jobs: Jobs, settings: StorageSettings) -> "MachineFiles":
    from virgate.node.storage.pools.machine_files import MachineFiles

    return MachineFiles(jobs.pools, jobs.locks, owner(settings))


def _moving(jobs: Jobs, qemu: QemuImg) -> "Moving":
    from virgate.node.storage.images.moving import Moving

    return Moving(jobs, qemu)


def _merging(jobs: Jobs, qemu: QemuImg) -> "Merging":
    from virgate.node.storage.images.merging import Merging

    return Merging(jobs, qemu)


def _sdm(domains: Domains, locks: Locks, qemu: QemuImg, clock: Clock, events: EventBus) -> "Sdm":
    from virgate.node.storage.sdm.registry import JobRegistry
    from virgate.node.storage.sdm.sdm import Sdm

    return Sdm(domains, locks, qemu, JobRegistry(clock, events))


def _nbd(domains: Domains, locks: Locks, run_dir: Path) -> "NbdServers":
    from virgate.node.storage.nbd.servers import NbdServers

    return NbdServers(domains, locks, run_dir / "nbd")
