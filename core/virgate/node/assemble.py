"""Builds the node: every manager once, each given the others through the narrow doors it asks for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet import reactor as _reactor

from virgate.config import Settings
from virgate.domxml.facts import HostFacts
from virgate.events import EventBus
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.domains import Domains
from virgate.libvirt.settings import LibvirtSettings
from virgate.node.guest.agents import Agents
from virgate.node.guest.settings import GuestSettings
from virgate.node.host.facts import Facts
from virgate.node.host.host import Host
from virgate.node.host.report import OVERHEAD_MIB, MachinesReport
from virgate.node.node import Node
from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.assembling import OPERATIONS, Surroundings
from virgate.node.storage.assembling import assemble as assemble_storage
from virgate.node.storage.images.contents import Contents
from virgate.node.storage.manager import Storage
from virgate.node.storage.settings import StorageSettings
from virgate.node.storage.thin.policy import Policy
from virgate.node.storage.thin.settings import ThinSettings
from virgate.node.tasks.locks import Locks
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.node.tasks.settings import TaskSettings
from virgate.node.v2v.door import Door
from virgate.node.vm import payload
from virgate.node.vm.blocks.watching import Blocks
from virgate.node.vm.disks import HostDisks
from virgate.node.vm.guarding import HostGuards
from virgate.node.vm.hibernation.volumes import StoredConfs
from virgate.node.vm.life import Status
from virgate.node.vm.means import Means
from virgate.node.vm.migration.settings import MigrationSettings
from virgate.node.vm.migration.traffic import Traffic
from virgate.node.vm.payload import PayloadImages
from virgate.node.vm.registry import Machines
from virgate.node.vm.settings import MachineSettings
from virgate.node.vm.thin import Watermarks
from virgate.plugins import Hooks, Registry
from virgate.run.helper import Helpers
from virgate.units import Size

if TYPE_CHECKING:
    from virgate.node.host.hostdev import HostDevices


@frozen
class Places:
    """The daemon's folders: what must survive a reboot, and what need not."""

    state_dir: Path
    run_dir: Path


def assemble(settings: Settings, places: Places, hooks: Hooks, registry: Registry) -> Node:
    """Nothing is started and nothing outside is touched yet; `Node.start` does that."""
    events = EventBus()
    libvirt = settings[LibvirtSettings]
    hypervisor = Hypervisor(libvirt.uri, events, threads=libvirt.threads)
    channels, consoles = _sockets(settings, places)
    storage = _storage(settings, places, hooks, events, lambda: host.uuid)
    host = Host(
        settings,
        hypervisor,
        hooks,
        storage_report=storage.monitors.entries,
        machines_report=lambda: _report(machines),
        imports_report=lambda: v2v.told(),
        events=events,
        virt_type=libvirt.virt_type,
    )
    facts = Facts(lambda: _facts(host, channels, consoles), hypervisor, events)
    machines = Machines(
        Means(
            domains=Domains(hypervisor),
            hooks=hooks,
            events=events,
            disks=HostDisks(storage.images, lambda: storage.external_leases),
            payloads=PayloadImages(payload.folder(places.run_dir)),
            guards=HostGuards(storage.protection, settings[StorageSettings].protect_disks),
            confs=StoredConfs(Contents(storage.images.jobs)),
            run_dir=places.run_dir,
            facts=facts,
            learn=facts.learn,
            host_devices=lambda: _host_devices(hypervisor),
            settings=settings[MachineSettings],
            traffic=Traffic(settings[MigrationSettings], lambda: _endpoint(settings, places)),
            reactor=_reactor,
        )
    )
    v2v = Door(places.run_dir / "v2v", places.state_dir / "v2v", storage.images, events)
    watermarks = _watermarks(machines, storage, settings[ThinSettings])
    return Node(
        settings=settings,
        hooks=hooks,
        events=events,
        hypervisor=hypervisor,
        tasks=storage.tasks,
        storage=storage,
        machines=machines,
        agents=Agents(machines, settings[GuestSettings]),
        watermarks=watermarks,
        blocks=Blocks(machines, storage, watermarks),
        host=host,
        v2v=v2v,
        plugins=registry,
        folders=(channels, consoles),
    )


def _sockets(settings: Settings, places: Places) -> tuple[Path, Path]:
    """Folders of agents' and consoles' sockets: where old hosts have them, if this libvirt may write there."""
    if settings[LibvirtSettings].uri.endswith("/session"):
        usual = places.run_dir / "channels", places.run_dir / "consoles"
    else:
        usual = Path(HostFacts().channels), Path(HostFacts().console_sockets)
    return settings[MachineSettings].channels or usual[0], usual[1]


def _storage(settings: Settings, places: Places, hooks: Hooks, events: EventBus, host: Callable[[], str]) -> Storage:
    values, recoveries = settings[StorageSettings], Recoveries()
    around = Surroundings(
        repository=Path(values.repository) if values.repository else places.state_dir / "data-center",
        state_dir=places.state_dir,
        run_dir=places.run_dir,
        helpers=Helpers(OPERATIONS, heartbeat=min(5.0, values.patience / 3), patience=values.patience),
        hooks=hooks,
        events=events,
        tasks=Tasks(recoveries, events, settings[TaskSettings]),
        recoveries=recoveries,
        locks=Locks(_reactor, settings[TaskSettings].lock_timeout),
        clock=_reactor,
        endpoint=_endpoint(settings, places),
        host=host,
    )
    return assemble_storage(settings, around)


def _endpoint(settings: Settings, places: Places) -> Endpoint:
    """This host's management port, which is also what it calls others with."""
    return Endpoint.described(settings.raw("xmlrpc"), places.state_dir, settings[ThinSettings].address)


def _watermarks(machines: Machines, storage: Storage, thin: ThinSettings) -> Watermarks:
    return Watermarks(machines, storage.growing, Policy(Size.mib(thin.chunk), thin.percent), thin.retry)


def _facts(host: Host, channels: Path, consoles: Path) -> HostFacts:
    return HostFacts(
        arch=host.arch,
        virt_type=host.virt_type,
        os_version=f"{host.system.version}-{host.system.release}",
        host_uuid=host.uuid,
        channels=str(channels),
        console_sockets=str(consoles),
    )


def _host_devices(hypervisor: Hypervisor) -> "HostDevices":
    from virgate.node.host.hostdev import HostDevices

    return HostDevices(hypervisor)


def _report(machines: Machines) -> MachinesReport:
    there = [machine for machine in machines if machine.status is not Status.DOWN]
    return MachinesReport(
        count=len(machines),
        active=sum(machine.status is Status.UP for machine in there),
        incoming=sum(machine.vitals.status is Status.ARRIVING for machine in there),
        outgoing=sum(machine.vitals.status is Status.LEAVING for machine in there),
        committed=sum(int(machine.record.conf.get("memSize", 0)) + OVERHEAD_MIB for machine in there),
    )
