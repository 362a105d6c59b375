"""Machines on a real QEMU, without a disk unless a test wants one."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from lab.libvirtd import PrivateLibvirtd
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from virgate.domxml.facts import DiskRequest, DiskSource, HostFacts, LeaseRequest, LeaseSource
from virgate.events import EventBus
from virgate.hookspecs import devices, host, vm
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.domains import Domains
from virgate.node.vm.means import Means
from virgate.node.vm.registry import Machines
from virgate.node.vm.settings import MachineSettings
from virgate.plugins import Hooks


@pytest.fixture(scope="module")
def libvirtd(libvirtd: PrivateLibvirtd) -> PrivateLibvirtd:
    """Machines have their channels where libvirtd's own /var/lib/libvirt is."""
    (libvirtd.root / "lib/qemu/channels").mkdir(parents=True)
    return libvirtd


class PathDisks:
    """Disks that are files already."""

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        return DiskSource(disk.path, disk.format)

    async def teardown(self, disk: DiskRequest) -> None:
        pass

    async def lease(self, lease: LeaseRequest) -> LeaseSource:
        raise NotImplementedError


class NoPayloads:
    async def make(self, *_: Any) -> Any:
        raise NotImplementedError

    async def remove(self, vm: str) -> None:
        pass


@define
class Bench:
    """Machines, the bus they tell on, and waiting for a status."""

    machines: Machines
    events: EventBus
    hooks: Hooks
    told: list[dict[str, Any]] = field(factory=list)
    _waiting: list[tuple[str, str, Deferred[None]]] = field(factory=list)

    def hear(self, **event: Any) -> None:
        """Whoever waits goes on when the daemon has dealt with all of it: hooks follow the news of a status."""
        self.told.append(event)
        for wanted in tuple(self._waiting):
            if wanted[:2] == (event["vm"], event["details"]["status"]):
                self._waiting.remove(wanted)
                reactor.callLater(0, wanted[2].callback, None)  # type: ignore[attr-defined]

    async def until(self, vm: str, *statuses: str, seconds: float = 60) -> None:
        """Waits for the next event with one of these statuses; comes back at once if the machine has it now."""
        machine = self.machines.get(vm)
        if machine is not None and machine.status in statuses:
            return
        waiting: Deferred[None] = Deferred()
        self._waiting.extend((vm, status, waiting) for status in statuses)
        waiting.addBoth(lambda result: (self._drop(waiting), result)[1])
        await waiting.addTimeout(seconds, reactor)  # type: ignore[arg-type]

    def _drop(self, waiting: Deferred[None]) -> None:
        self._waiting = [one for one in self._waiting if one[2] is not waiting]


@pytest.fixture
def make_machines(tmp_path: Path) -> Callable[..., Machines]:
    def make(hypervisor: Hypervisor, events: EventBus, hooks: Hooks, **settings: Any) -> Machines:
        means = Means(
            Domains(hypervisor),
            hooks,
            events,
            PathDisks(),
            NoPayloads(),
            tmp_path,
            lambda: HostFacts(virt_type="qemu"),
            MachineSettings(**settings),
            reactor=reactor,
        )
        return Machines(means)

    return make


@pytest_twisted.async_yield_fixture
async def bench(libvirtd: PrivateLibvirtd, make_machines: Any) -> AsyncIterator[Bench]:
    events = EventBus()
    hooks = Hooks(vm, devices, host)
    hypervisor = Hypervisor(libvirtd.uri, events)
    await hypervisor.start()
    made = Bench(make_machines(hypervisor, events, hooks, sample_period=0.2), events, hooks)
    events.listen("vm.status", made.hear)
    await made.machines.start()
    yield made
    for machine in made.machines:
        await made.machines.destroy(machine.id)
    await made.machines.stop()
    await hypervisor.stop()


@pytest.fixture
def params() -> dict[str, Any]:
    """A machine without any disk."""
    vm = f"{os.getpid():08x}-1111-4111-8111-111111111111"
    return {"vmId": vm, "vmName": f"n{vm[:8]}", "memSize": 64, "kvmEnable": "false", "devices": []}
