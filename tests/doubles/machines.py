"""A host without a hypervisor: a recording double of `Domains`, real hooks, and machines on it.

`host` and `params` are fixtures: a conftest.py imports them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field, frozen
from lxml import etree
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from virgate import hookimpl
from virgate.domxml.facts import DiskRequest, DiskSource, HostFacts, LeaseRequest, LeaseSource, PayloadRequest
from virgate.events import EventBus
from virgate.hookspecs import devices, migration, vm
from virgate.hookspecs import host as polling
from virgate.libvirt.errors import DomainNotFound
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.node.vm.means import Means
from virgate.node.vm.registry import Machines
from virgate.node.vm.settings import MachineSettings
from virgate.plugins import Hooks

ID = "11111111-1111-4111-8111-111111111111"


@frozen
class Found:
    uuid: str
    name: str
    id: int
    state: str
    reason: str
    persistent: bool = True


@define
class Domain:
    xml: str
    state: str = "shutoff"
    reason: str = "unknown"


@define
class RecordingDomains:
    """Keeps domains in memory, notes every call, tells the events a hypervisor would. `fail[method]` raises."""

    events: EventBus
    calls: list[tuple[Any, ...]] = field(factory=list)
    domains: dict[str, Domain] = field(factory=dict)
    fail: dict[str, list[Exception]] = field(factory=dict)
    hold: dict[str, Deferred[None]] = field(factory=dict)
    samples: dict[str, dict[str, Any]] = field(factory=dict)
    sizes: dict[str, tuple[int, int, int]] = field(factory=dict)
    """Of each target: capacity, allocation, physical."""
    handles: dict[str, Any] = field(factory=dict)
    """By id, what stands for libvirt's domain in `on`."""
    connection: Any = None
    """What stands for libvirt's connection in `ask`."""
    errors: dict[str, str] = field(factory=dict)

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    async def _do(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.hold:
            await self.hold[name]
        if self.fail.get(name):
            raise self.fail[name].pop(0)

    def _domain(self, uuid: str) -> Domain:
        if uuid not in self.domains:
            raise DomainNotFound(uuid)
        return self.domains[uuid]

    def lifecycle(self, uuid: str, event: str, detail: str) -> None:
        self.events.tell("libvirt.lifecycle", uuid=uuid, event=event, detail=detail)

    def stop(self, uuid: str, detail: str) -> None:
        """The guest ends by itself."""
        self.domains[uuid].state, self.domains[uuid].reason = "shutoff", detail
        self.lifecycle(uuid, "stopped", detail)

    async def define(self, xml: str) -> None:
        await self._do("define", xml)
        self.domains[etree.fromstring(xml.encode()).findtext("uuid") or ""] = Domain(xml)

    async def start(self, uuid: str, paused: bool = False, flags: int = 0) -> None:
        await self._do("start", uuid, paused, flags)
        self._domain(uuid).state = "paused" if paused else "running"
        if not paused:
            self.lifecycle(uuid, "resumed", "unpaused")
        self.lifecycle(uuid, "started", "booted")
        if paused:
            self.lifecycle(uuid, "suspended", "paused")

    async def destroy(self, uuid: str, graceful: bool = True) -> None:
        await self._do("destroy", uuid, graceful)
        if self._domain(uuid).state != "shutoff":
            self.stop(uuid, "destroyed")

    async def undefine(self, uuid: str) -> None:
        await self._do("undefine", uuid)
        self._domain(uuid)
        del self.domains[uuid]

    async def on(self, uuid: str, function: Callable[[Any], Any], *, beside: bool = False) -> Any:
        await self._do("on", uuid)
        if uuid not in self.handles:
            raise DomainNotFound(uuid)
        return function(self.handles[uuid])

    async def ask(self, function: Callable[[Any], Any], uuid: str = "") -> Any:
        await self._do("ask", uuid)
        return function(self.connection)

    async def suspend(self, uuid: str) -> None:
        await self._do("suspend", uuid)
        self._domain(uuid).state = "paused"
        self.lifecycle(uuid, "suspended", "paused")

    async def resume(self, uuid: str) -> None:
        await self._do("resume", uuid)
        self._domain(uuid).state = "running"
        self.lifecycle(uuid, "resumed", "unpaused")

    async def shutdown(self, uuid: str) -> None:
        await self._do("shutdown", uuid)

    async def reboot(self, uuid: str) -> None:
        await self._do("reboot", uuid)

    async def reset(self, uuid: str) -> None:
        await self._do("reset", uuid)

    async def set_shares(self, uuid: str, shares: int) -> None:
        await self._do("set_shares", uuid, shares)

    async def xml(self, uuid: str) -> str:
        await self._do("xml", uuid)
        return self._domain(uuid).xml

    async def state(self, uuid: str) -> tuple[str, str]:
        await self._do("state", uuid)
        domain = self._domain(uuid)
        return domain.state, domain.reason

    async def list(self) -> list[Any]:
        await self._do("list")
        settled = {uuid: one.reason != "migration" for uuid, one in self.domains.items()}
        return [Found(uuid, "n", 1, one.state, one.reason, settled[uuid]) for uuid, one in self.domains.items()]

    async def statistics(self) -> dict[str, dict[str, Any]]:
        await self._do("statistics")
        return self.samples

    async def set_block_threshold(self, uuid: str, target: str, offset: int) -> None:
        await self._do("set_block_threshold", uuid, target, offset)

    async def block_sizes(self, uuid: str, target: str) -> tuple[int, int, int]:
        self._domain(uuid)
        return self.sizes[target]

    async def disk_errors(self, uuid: str) -> dict[str, str]:
        self._domain(uuid)
        return dict(self.errors)

    async def metadata(self, uuid: str, uri: str, inactive: bool = False) -> str | None:
        await self._do("metadata", uuid, uri)
        found = etree.fromstring(self._domain(uuid).xml.encode()).find(f"metadata/{{{uri}}}*")
        return None if found is None else etree.tostring(found, encoding="unicode")

    async def set_metadata(self, uuid: str, xml: str | None, prefix: str, uri: str) -> None:
        await self._do("set_metadata", uuid, xml, prefix, uri)
        root = etree.fromstring(self._domain(uuid).xml.encode())
        if xml is None:
            for old in root.findall(f"metadata/{{{uri}}}*"):
                old.getparent().remove(old)
            etree.cleanup_namespaces(root)
            self._domain(uuid).xml = etree.tostring(root, encoding="unicode")
            return
        fresh, metadata = etree.fromstring(xml.encode()), root.find("metadata")
        assert metadata is not None and not fresh.nsmap, "libvirt declares the namespace itself"
        for plain in fresh.iter():
            plain.tag = f"{{{uri}}}{plain.tag}"
        for old in metadata.findall(str(fresh.tag)):
            metadata.remove(old)
        metadata.append(fresh)
        self._domain(uuid).xml = etree.tostring(root, encoding="unicode")


@define
class RecordingDisks:
    calls: list[tuple[str, str]] = field(factory=list)
    fail: dict[str, Exception] = field(factory=dict)
    chains: dict[str, tuple[dict[str, Any], ...]] = field(factory=dict)
    """What is told of the chain of a volume, by its id."""

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        self.calls.append(("prepare", disk.target))
        if error := self.fail.get(f"prepare {disk.target}"):
            raise error
        chain = self.chains.get(disk.volume_id, ())
        path = f"/rhev/{disk.target}" if disk.is_image else disk.path
        return DiskSource(path, "raw", chain=chain, info=chain[-1] if chain else {})

    async def teardown(self, disk: DiskRequest) -> None:
        self.calls.append(("teardown", disk.target))
        if error := self.fail.get(f"teardown {disk.target}"):
            raise error

    async def lease(self, lease: LeaseRequest) -> LeaseSource:
        self.calls.append(("lease", lease.lease_id))
        if error := self.fail.get(f"lease {lease.lease_id}"):
            raise error
        return LeaseSource("/rhev/xleases", 3 << 20)


@define
class RecordingGuards:
    """Guards every machine that has an image."""

    calls: list[str] = field(factory=list)
    fail: Exception | None = None

    async def take(self, vm: str, disks: Sequence[DiskRequest]) -> "RecordingGuards | None":
        if not any(disk.is_image for disk in disks):
            return None
        self.calls.append("take")
        if self.fail:
            raise self.fail
        return self

    async def give_back(self, vm: str, disks: Sequence[DiskRequest]) -> None:
        if any(disk.is_image for disk in disks):
            self.calls.append("give back")

    def started(self) -> None:
        self.calls.append("started")

    def end(self) -> None:
        self.calls.append("end")


@define
class RecordingPayloads:
    made: list[str] = field(factory=list)

    async def make(self, vm: str, payload: PayloadRequest) -> DiskSource:
        self.made.append(vm)
        return DiskSource(f"/run/payload/{vm}.img")

    async def remove(self, vm: str) -> None:
        if vm in self.made:
            self.made.remove(vm)


class Trace:
    """A plugin on every point of a machine's life that notes its calls; `act[point]` is awaited inside."""

    def __init__(self) -> None:
        self.points: list[str] = []
        self.given: dict[str, dict[str, Any]] = {}
        self.act: dict[str, Callable[..., Awaitable[None]]] = {}

    async def note(self, point: str, **given: Any) -> None:
        self.points.append(point)
        self.given[point] = given
        if point in self.act:
            await self.act[point](**given)


def _plugin(trace: Trace) -> Any:
    def implement(name: str, arguments: str) -> Any:
        passed = "".join(f", {one}={one}" for one in arguments.split(", ") if one)
        space: dict[str, Any] = {"trace": trace}
        exec(f"async def {name}({arguments}):\n    await trace.note({name!r}{passed})", space)
        return hookimpl(space[name])

    class Plugin:
        pass

    whole = {f"{when}_vm_{what}": "vm, domain" for when in ("before", "after") for what in ("start", "cont", "pause")}
    device = {f"{when}_device_{what}": "vm, device" for when in ("before", "after") for what in ("create", "destroy")}
    polled = {f"{when}_get_{what}": "data" for when in ("before", "after") for what in ("vm_stats", "all_vm_stats")}
    others = {"before_vm_destroy": "vm", "after_vm_destroy": "vm, domain", "after_disk_prepare": "vm, data"}
    sleeping = {f"{when}_vm_hibernate": "vm, domain" for when in ("before", "after")}
    waking = {f"{when}_vm_dehibernate": "vm, domain, from_snapshot" for when in ("before", "after")}
    both = ("before", "after")
    plugged = {f"{when}_{what}_hotplug": "vm, device" for when in both for what in ("disk", "nic", "memory")}
    unplugged = {f"{when}_{what}_hotunplug": "vm, device" for when in both for what in ("disk", "nic")}
    updated = {f"{when}_update_device": "vm, device" for when in both}
    failed = {f"after_{what}_fail": "vm, device" for what in ("nic_hotplug", "nic_hotunplug", "update_device")}
    tickets = {f"{when}_vm_set_ticket": "vm, domain, params" for when in both}
    processors = {f"{when}_set_num_of_cpus": "" for when in both}
    sides = [f"{when}_{{}}_migrate_{side}" for when in both for side in ("source", "destination")]
    others |= {name.format("vm"): "vm, domain" for name in sides}
    others |= {name.format("device"): "vm, device" for name in sides}
    others |= plugged | unplugged | updated | failed | tickets | processors
    for name, arguments in (whole | device | polled | others | sleeping | waking).items():
        setattr(Plugin, name, staticmethod(implement(name, arguments)))
    return Plugin


async def launched(machine: Machine) -> None:
    if machine.launch is not None:
        await machine.launch.over()


@define
class Host:
    """Everything a test of machines touches."""

    machines: Machines
    domains: RecordingDomains
    disks: RecordingDisks
    payloads: RecordingPayloads
    events: EventBus
    trace: Trace
    clock: Clock
    run_dir: Path
    told: list[dict[str, Any]] = field(factory=list)
    guards: RecordingGuards = field(factory=RecordingGuards)

    @property
    def statuses(self) -> list[str]:
        return [event["details"]["status"] for event in self.told]

    async def run(self, params: dict[str, Any]) -> Machine:
        """A machine whose launch is over, whatever came of it."""
        machine = await self.machines.create(params)
        await launched(machine)
        return machine

    async def running(self, params: dict[str, Any]) -> Machine:
        """One that runs; its start is forgotten, because it is not the test's subject."""
        machine = await self.run(params)
        assert machine.vitals.status is Status.UP
        self.trace.points.clear()
        self.domains.calls.clear()
        self.told.clear()
        return machine

    def again(self) -> "Machines":
        """The machines as a daemon that was just started sees them."""
        return Machines(self.machines.means)


@pytest_twisted.async_yield_fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    events, trace, clock = EventBus(), Trace(), Clock()
    hooks = Hooks(vm, devices, polling, migration)
    hooks.register(_plugin(trace), "trace")
    domains, disks, payloads = RecordingDomains(events), RecordingDisks(), RecordingPayloads()
    guards = RecordingGuards()
    means = Means(
        domains,  # type: ignore[arg-type]
        hooks,
        events,
        disks,
        payloads,
        tmp_path,
        HostFacts,
        MachineSettings(),
        reactor=clock,
        monotonic=clock.seconds,
        wall=lambda: 1000.0 + clock.seconds(),
        pid_folders=(tmp_path,),
        guards=guards,
    )
    machines = Machines(means)
    made = Host(machines, domains, disks, payloads, events, trace, clock, tmp_path, guards=guards)
    events.listen("vm.status", lambda **event: made.told.append(event))
    await machines.start()
    domains.calls.clear()
    yield made
    stopping = Deferred.fromCoroutine(machines.stop())
    clock.advance(60)  # nobody waits for what a failing test left hanging
    await stopping


@pytest.fixture
def params() -> dict[str, Any]:
    return {"vmId": ID, "vmName": "one", "memSize": 64, "kvmEnable": "false", "devices": []}
