"""Thin disks on real block devices: a guest writes faster or slower than its volumes grow, and never sees an error."""

from typing import Any

import pytest_twisted
from real.vm.thin_stage import CHUNK, VOLUMES, Storage, allocated, boot, marks, storage, until
from twisted.internet.defer import Deferred

from virgate.node.storage.thin.policy import Policy
from virgate.node.vm.life import Status
from virgate.node.vm.registry import Machines
from virgate.node.vm.thin import Watermarks
from virgate.units import MiB, Size

__all__ = ["boot", "marks", "storage"]


@pytest_twisted.ensureDeferred
async def test_a_volume_grows_while_its_guest_writes(
    bench: Any, storage: Storage, marks: Watermarks, boot: Any
) -> None:
    vm = await boot(24 * MiB)
    (volume,) = (storage.volumes[name] for name in VOLUMES[:1])
    await until(lambda: allocated(volume) >= 24 * MiB)
    # QEMU may tell the old size once more: then the same is asked for again, which changes nothing.
    assert [*dict.fromkeys(size // MiB for _, size in storage.asked)] == [16, 24, 32]
    assert bench.machines.get(vm).vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_guest_that_ran_out_of_room_goes_on_when_there_is_some(
    bench: Any, storage: Storage, marks: Watermarks, boot: Any
) -> None:
    holding = storage.hold = Deferred()
    vm = await boot(24 * MiB)
    await bench.until(vm, "Paused")
    machine = bench.machines.get(vm)
    await until(lambda: machine.vitals.pause_code == "ENOSPC")
    storage.hold = None
    holding.callback(None)
    await bench.until(vm, "Up", "Powering up")
    await until(lambda: allocated(storage.volumes[VOLUMES[0]]) >= 24 * MiB)
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_guest_goes_on_when_all_its_disks_have_room(
    bench: Any, storage: Storage, marks: Watermarks, boot: Any
) -> None:
    storage.full = 7
    vm = await boot(20 * MiB, drives=2)
    machine = bench.machines.get(vm)
    await bench.until(vm, "Paused")
    await until(lambda: all(allocated(volume) >= 20 * MiB for volume in storage.volumes.values()))
    assert machine.vitals.status is Status.UP
    assert {volume for volume, _ in storage.asked} == set(VOLUMES)


@pytest_twisted.ensureDeferred
async def test_another_daemon_goes_on_where_the_last_one_left_off(
    bench: Any, storage: Storage, marks: Watermarks, boot: Any
) -> None:
    marks.stop()
    vm = await boot(24 * MiB)
    await bench.until(vm, "Paused")
    machines = Machines(bench.machines.means)
    await machines.start()
    again = Watermarks(machines, storage, Policy(Size(CHUNK), 50), retry=0.2)
    again.start()
    try:
        await until(lambda: allocated(storage.volumes[VOLUMES[0]]) >= 24 * MiB)
        assert machines.get(vm).vitals.status is Status.UP
    finally:
        again.stop()
        await machines.stop()
