"""What every owner in this room works with, handed in once."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from virgate.domxml.facts import DiskSource, HostFacts, PayloadRequest
from virgate.events import EventBus
from virgate.node.vm.disks import Disks
from virgate.node.vm.guarding import Guards, NoGuards
from virgate.node.vm.hibernation.volumes import ConfVolumes, NoConfs
from virgate.node.vm.migration.traffic import Traffic
from virgate.node.vm.settings import MachineSettings
from virgate.plugins import Hooks

if TYPE_CHECKING:
    from virgate.libvirt.domains import Domains


class Payloads(Protocol):
    """Makes images of payload files."""

    async def make(self, vm: str, payload: PayloadRequest) -> DiskSource: ...

    async def remove(self, vm: str) -> None: ...


class HostDevices(Protocol):
    """Takes devices, by libvirt's names, from the host's drivers and gives them back."""

    async def detach(self, name: str) -> None: ...

    async def reattach(self, name: str) -> None: ...


class Mirrors(Protocol):
    """Copies the traffic of a host's network to a guest's nic (its tap)."""

    async def begin(self, network: str, tap: str) -> None: ...

    async def end(self, network: str, tap: str) -> None:
        """Comes back quietly when nothing is copied."""


@frozen
class Means:
    domains: "Domains"
    hooks: Hooks
    events: EventBus
    disks: Disks
    payloads: Payloads
    run_dir: Path
    facts: Callable[[], HostFacts]
    settings: MachineSettings
    reactor: Any = None
    """Delays; None: the process's reactor."""
    guards: Guards = field(factory=NoGuards)
    confs: ConfVolumes = field(factory=NoConfs)
    traffic: Traffic = field(factory=Traffic)
    mirrors: Mirrors | None = None
    """None: nothing here can mirror networks, and nics that want it are not plugged."""
    learn: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None
    """Makes the facts known that a machine of these parameters depends on; never raises."""
    host_devices: "Callable[[], HostDevices] | None" = None
    """Lends devices of the host; None: they are taken as free."""
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    pid_folders: tuple[Path, ...] = (Path("/run/libvirt/qemu"),)
