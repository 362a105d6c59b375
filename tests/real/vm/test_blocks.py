"""Snapshots and merges on real QEMU under a daemon that is killed at every single call, and started anew."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve
from real.vm.blocks_stage import (
    CAPACITY,
    DOMAIN,
    IMAGE,
    POOL,
    Devices,
    Disks,
    Dying,
    Killed,
    Stored,
    either,
    read,
    until,
    volume_id,
    write,
)
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from virgate.domxml import tree
from virgate.node.storage.sdm.registry import JobRegistry
from virgate.node.storage.thin.policy import Policy
from virgate.node.vm.blocks import chain, kept, snapshot
from virgate.node.vm.blocks.merges import Merges
from virgate.node.vm.blocks.merging import Wanted
from virgate.node.vm.machine import Machine
from virgate.node.vm.registry import Machines
from virgate.node.vm.thin import Watermarks
from virgate.units import MiB, Size

DRIVE = {"domainID": DOMAIN, "imageID": IMAGE}


@define
class Stage:
    """One machine for all rounds; each round has a daemon of its own."""

    bench: Any
    stored: Stored
    vm: str
    made: int = 1
    written: int = 0
    bulk: int = 0
    """Bytes of other data in each layer."""
    ends: Any = None

    async def daemon(self, killed: Killed) -> tuple[Machine, Merges, Machines]:
        """What a daemon that starts now finds and goes on with."""
        means = evolve(self.bench.machines.means, domains=Dying(self.bench.machines.means.domains, killed))
        self.stored.killed = killed
        machines = Machines(means)
        await machines.recovery.run()
        machine = machines.find(self.vm)
        jobs = JobRegistry(reactor)
        merges = Merges(self.stored, self.stored, self.stored, lambda: jobs, reactor, period=0.2, doubt=0.5)
        if self.ends:
            self.ends()
        self.ends = self.bench.events.listen(
            "libvirt.block_job", lambda uuid, disk, status, **_: merges.hear(uuid, disk, status)
        )
        for merge in kept.Kept.read(tree.parse(machine.record.xml)).merges:
            merges.adopt(machine, merge).look()
        return machine, merges, machines

    async def layer(self, machine: Machine) -> str:
        """The guest writes into a new volume: the pattern is there before it is put on top."""
        base, new = self.top(machine), volume_id(self.made)
        self.made += 1
        self.stored.make(new, base)
        write(self.stored.path(new), self.written, self.bulk)
        self.written += 1
        await snapshot.snapshot(machine, [{**DRIVE, "baseVolumeID": base, "volumeID": new}])
        return new

    def top(self, machine: Machine) -> str:
        return machine.record.disks[0].volume_id

    def chain(self, machine: Machine) -> list[str]:
        return list(chain.read(tree.parse(machine.record.xml))["vda"].volumes)


@pytest.fixture
def stored(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stored]:
    folder = tmp_path / POOL / DOMAIN / "images" / IMAGE
    folder.mkdir(parents=True)
    made: Stored = getattr(request, "param", Stored)(folder)
    try:
        made.make(volume_id(0))
        yield made
    finally:
        if isinstance(made, Devices):
            made.close()


@pytest_twisted.async_yield_fixture
async def stage(bench: Any, params: dict[str, Any], stored: Stored) -> AsyncIterator[Stage]:
    bench.machines.means = evolve(bench.machines.means, disks=Disks(stored))
    ids = {"poolID": POOL, "volumeID": volume_id(0), **DRIVE}
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "cow", **ids}
    machine = await bench.machines.create({**params, "devices": [disk]})
    await bench.until(machine.id, "Up", "Powering up", "Down")
    assert machine.vitals.alive, machine.vitals.exit
    made = Stage(bench, stored, machine.id)
    yield made
    if made.ends:
        made.ends()
    await bench.machines.destroy(machine.id)


async def merged(stage: Stage, active: bool, killed: Killed) -> bool:
    """One merge under a daemon that may be killed, ended by the next one; whether it was killed."""
    machine, merges, _ = await stage.daemon(Killed())
    first = await stage.layer(machine)
    if not active:
        await stage.layer(machine)
    before = stage.chain(machine)
    base = before[before.index(first) - 1]
    machine, merges, _ = await stage.daemon(killed)
    wanted = Wanted({**DRIVE, "volumeID": before[-1]}, base, first, f"{killed.at}{active}")

    async def whole() -> None:
        await merges.begin(machine, wanted)
        await until(lambda: not len(merges))

    dead = await either(Deferred.fromCoroutine(whole()), killed)
    if dead:
        merges.stop()
        machine, merges, _ = await stage.daemon(Killed())
        await until(lambda: not len(merges))
    await machine.document()
    assert kept.Kept.read(tree.parse(machine.record.xml)) == kept.Kept()
    left = stage.chain(machine)
    assert left == stage.stored.chain()
    assert (await (await stage.daemon(Killed()))[0].means.domains.list())[0].state == "running"
    if left == before:  # it was killed before the hypervisor had begun: nobody was told that it had
        assert dead
        machine, merges, _ = await stage.daemon(Killed())
        await merges.begin(machine, evolve(wanted, id="again"))
        await until(lambda: not len(merges))
    assert stage.chain(machine) == stage.stored.chain() == [volume for volume in before if volume != first]
    assert machine.record.disks[0].volume_id == (base if active else before[-1])
    stage.stored.drop(first)
    read(stage.stored.path(stage.chain(machine)[-1]), range(stage.written))
    return dead


async def killed_everywhere(stage: Stage, active: bool, done: bool) -> int:
    at = 1
    while await merged(stage, active, Killed(at, done=done)):
        at += 1

    return at


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("active", [True, False], ids=["top", "middle"])
@pytest_twisted.ensureDeferred
async def test_a_merge_survives_a_daemon_killed_at_any_call(stage: Stage, active: bool, done: bool) -> None:
    assert await killed_everywhere(stage, active, done) > 5


@pytest.mark.parametrize("stored", [Devices], indirect=True)
@pytest.mark.parametrize("active", [True, False], ids=["top", "middle"])
@pytest_twisted.ensureDeferred
async def test_a_thin_base_has_room_for_what_is_merged_into_it(stage: Stage, stored: Devices, active: bool) -> None:
    stored.first = 8 * MiB
    stage.bulk = 6 * MiB
    assert not await merged(stage, active, Killed())
    ((base, capacity, written),) = stored.grown
    assert (base, capacity, written) == (volume_id(0), CAPACITY, 9 * MiB)


@pytest.mark.parametrize("stored", [Devices], indirect=True)
@pytest_twisted.ensureDeferred
async def test_watermarks_make_the_room_of_a_merge(stage: Stage, stored: Devices, monkeypatch: Any) -> None:
    """What gives volumes room in a whole daemon does it before anything is written into the base."""
    stored.first = 8 * MiB
    stage.bulk = 6 * MiB
    marks = Watermarks(stage.bench.machines, stored, Policy(Size(4 * MiB), 50))
    monkeypatch.setattr(Devices, "grow_for", marks.grow_for)
    refused: list[str] = []
    stage.bench.events.listen("libvirt.io_error", lambda **event: refused.append(event["reason"]))
    assert not await merged(stage, True, Killed())
    assert stored.sizes == [(volume_id(0), 13 * MiB)] and refused == []
