"""Making the managers of storage, each with what it needs of the others."""

from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen

from virgate.config import Settings
from virgate.events import EventBus
from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.accounts import owner, reader
from virgate.node.storage.devices.settings import DeviceSettings
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
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.manager import Storage
from virgate.node.storage.pools.candidate import PoolCandidate
from virgate.node.storage.pools.election import Election
from virgate.node.storage.pools.members import Members
from virgate.node.storage.pools.pools import Pools
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

OPERATIONS = "virgate.node.storage.operations"
"""The module that the helpers of storage run."""

REPOSITORY = "repository"


@frozen(kw_only=True)
class Surroundings:
    """What storage needs of the daemon that it is part of."""

    repository: Path
    """Already resolved: the setting, or `<state_dir>/data-center` if that is empty."""
    state_dir: Path
    """Keeps what must survive a reboot."""
    run_dir: Path
    helpers: FilesOf
    hooks: Hooks
    events: EventBus
    tasks: Tasks
    recoveries: Recoveries
    locks: Locks
    clock: Clock
    qemu: QemuImg | None = None
    """None: the one of this host, with the limits of the settings."""
    endpoint: Endpoint = field(factory=Endpoint.unknown)
    host: Callable[[], str] = str
    """Answers the hardware id of this host."""


def assemble(settings: Settings, around: Surroundings) -> Storage:
    """Nothing is started and nothing outside is touched yet; `Storage.start` does that."""
    values, clock = settings[StorageSettings], around.clock
    domains = _domains(settings, around)
    pools = _pools(values, around, domains)
    jobs = Jobs(domains, pools, around.tasks, around.locks)
    volumes = Volumes(jobs, domains.qemu, clock)
    servers = Servers(domains, reader(values), values.mount_limit)
    pools.monitors.mend = servers.renew
    Rollback(domains, domains.qemu).register(around.recoveries)
    mailboxes, growing = attend(
        pools, around.helpers, settings[MailboxSettings], settings[ThinSettings], around.endpoint
    )
    return Storage(
        settings=values,
        run_dir=around.run_dir,
        repository=domains.repository,
        domains=domains,
        servers=servers,
        references=References(servers, around.state_dir / "connections", clock),
        maker=DomainMaker(domains),
        maker_of_pools=pools.maker,
        pools=pools,
        election=Election(PoolCandidate(pools), settings[SpmSettings], clock, values.monitor_interval),
        members=Members(pools),
        monitors=pools.monitors,
        volumes=volumes,
        images=Images(jobs, volumes),
        jobs=jobs,
        qemu=domains.qemu,
        protection=Protection(domains),
        mailboxes=mailboxes,
        growing=growing,
        tasks=around.tasks,
        locks=around.locks,
        helpers=around.helpers,
        events=around.events,
        clock=clock,
        host=around.host,
    )


def _domains(settings: Settings, around: Surroundings) -> Domains:
    values = settings[StorageSettings]
    return Domains(
        Repository(around.repository, around.run_dir, around.helpers[REPOSITORY]),
        around.helpers,
        around.hooks,
        around.qemu or QemuImg(limits=Limits(values.inspect_memory * MiB, values.inspect_seconds)),
        owner(values),
        device_settings=settings[DeviceSettings],
        lvm_method=values.lvm_method,
        chunk=Size.mib(settings[ThinSettings].chunk),
    )


def _pools(values: StorageSettings, around: Surroundings, domains: Domains) -> Pools:
    """With the monitors of their domains, whose news they hear."""
    probes = Probes(around.helpers, values.patience)
    monitors = Monitors(domains, around.events, around.clock, values.monitor_interval, probes)
    pools = Pools(domains, monitors, around.tasks, around.locks)
    around.events.listen("storage.domain", pools.heard)
    return pools
