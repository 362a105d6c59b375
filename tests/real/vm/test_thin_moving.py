"""Thin disks of a guest that is on its way: real QEMU writes, the destination and libvirt's stream are played."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from real.vm.thin_stage import FIRST, VOLUMES, Storage, allocated, boot, marks, storage, until
from twisted.internet.defer import Deferred

from virgate.hookspecs import devices, host, migration, vm
from virgate.libvirt import moving
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import commands
from virgate.node.vm.migration.traffic import Traffic
from virgate.node.vm.thin import Watermarks
from virgate.node.vm.thin.disks import ThinDisk
from virgate.plugins import Hooks
from virgate.units import MiB

__all__ = ["boot", "marks", "storage"]

ABORTED = 78
WRITTEN = 24 * MiB
"""What the guest writes."""


@define
class There:
    """A destination that sees what storage has said it has. `able` and `hold` keep it from that."""

    storage: Storage
    able: bool = True
    hold: Deferred[None] | None = None
    seen: list[tuple[int, int]] = field(factory=list)
    """Sizes on storage when it looked, and on this host at that time."""

    async def ping(self) -> None: ...

    async def create(self, params: dict[str, Any], limit: int | None) -> dict[str, Any]:
        return {}

    async def destroy(self, vm: str) -> None: ...

    async def status(self, vm: str) -> str:
        return "Migration Destination"

    async def sees_growth(self) -> bool:
        return self.able

    async def refresh_disk(self, vm: str, disk: ThinDisk) -> int:
        if self.hold is not None:
            await self.hold
        wanted = self.storage.asked[-1][1]
        self.seen.append((wanted, self.storage.volumes[disk.volume].size))
        return wanted


@define
class Way:
    there: There
    stream: Deferred[None] = field(factory=Deferred)

    async def begin(self, bench: Any, vm: str) -> Machine:
        await commands.leave(bench.machines, {"vmId": vm, "dst": "hostb"})
        machine: Machine = bench.machines.get(vm)
        await until(lambda: machine.vitals.status is Status.LEAVING, 10)
        return machine

    def fail(self) -> None:
        self.stream.errback(HypervisorFailed(ABORTED, "canceled by client"))


@pytest_twisted.async_yield_fixture
async def way(bench: Any, storage: Storage, marks: Watermarks, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    made = Way(There(storage))
    traffic, hooks = Traffic(call=lambda _: made.there), Hooks(vm, devices, host, migration)
    bench.machines.means = evolve(bench.machines.means, traffic=traffic, hooks=hooks)

    async def migrate(*_: Any) -> None:
        await made.stream

    monkeypatch.setattr(moving, "migrate", migrate)
    yield made
    if not made.stream.called:
        made.fail()


@pytest_twisted.ensureDeferred
async def test_a_moving_guest_writes_only_where_its_destination_can_read(
    bench: Any, storage: Storage, boot: Any, way: Way
) -> None:
    """The guest, which stands still for want of room meanwhile, goes on when the destination has looked."""
    holding = storage.hold = Deferred()
    vm = await boot(WRITTEN)
    machine = await way.begin(bench, vm)
    way.there.hold = Deferred()
    storage.hold = None
    holding.callback(None)  # it grew before the move: only the destination is still to see that
    volume = storage.volumes[VOLUMES[0]]
    await until(lambda: machine.vitals.pause_code == "ENOSPC", 20)
    assert machine.vitals.status is Status.LEAVING
    looking, way.there.hold = way.there.hold, None
    looking.callback(None)
    await until(lambda: allocated(volume) >= WRITTEN)
    await until(lambda: not machine.vitals.pause_code)
    here = dict(reversed(way.there.seen))  # when the destination saw each size for the first time
    assert len(here) > 1 and all(size < wanted for wanted, size in here.items())
    way.fail()
    await until(lambda: machine.departure is None)
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_guest_whose_destination_cannot_be_told_waits_until_the_move_is_over(
    bench: Any, storage: Storage, boot: Any, way: Way
) -> None:
    way.there.able = False
    storage.full = 1000
    vm = await boot(WRITTEN)
    machine = await way.begin(bench, vm)
    storage.full = 0
    await until(lambda: machine.vitals.pause_code == "ENOSPC", 20)
    assert storage.volumes[VOLUMES[0]].size == FIRST
    way.fail()
    await until(lambda: allocated(storage.volumes[VOLUMES[0]]) >= WRITTEN)
    await until(lambda: machine.vitals.status is Status.UP)
