"""One bulk call per period, whatever goes wrong."""

from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm.figures import statistics
from virgate.node.vm.sampler import AT_ONCE


def asked(host: Any) -> int:
    return int(host.domains.names.count("statistics"))


@pytest_twisted.ensureDeferred
async def test_the_number_of_calls_does_not_depend_on_the_number_of_machines(host: Any, params: dict[str, Any]) -> None:
    for number in range(2, 9):
        await host.machines.create({**params, "vmId": f"{number}{params['vmId'][1:]}"})
    host.clock.advance(15)
    host.clock.advance(15)
    assert asked(host) == 2


@pytest_twisted.ensureDeferred
async def test_calls_that_hang_are_followed_by_a_few_more_and_then_by_none(host: Any) -> None:
    gate = host.domains.hold["statistics"] = Deferred()
    for _ in range(10):
        host.clock.advance(15)
    assert asked(host) == AT_ONCE
    host.domains.hold.clear()
    gate.callback(None)
    host.clock.advance(15)
    assert asked(host) == AT_ONCE + 1


@pytest_twisted.ensureDeferred
async def test_what_a_call_tells_that_was_held_up_does_not_replace_newer_figures(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.machines.create(params)
    host.domains.samples[machine.id] = {"cpu.user": 1, "cpu.system": 0}
    gate = host.domains.hold["statistics"] = Deferred()
    host.clock.advance(15)
    host.domains.hold.clear()
    host.domains.samples[machine.id] = {"cpu.user": 2, "cpu.system": 0}
    host.clock.advance(15)
    host.domains.samples[machine.id] = {"cpu.user": 1, "cpu.system": 0}
    gate.callback(None)
    assert machine.figures.members()["cpuUsage"] == "2"


@pytest_twisted.ensureDeferred
async def test_the_figures_of_a_machine_that_does_not_answer_grow_old(host: Any, params: dict[str, Any]) -> None:
    hung = await host.machines.create(params)
    well = await host.machines.create({**params, "vmId": f"2{params['vmId'][1:]}"})
    host.domains.samples |= {vm.id: {"cpu.user": 1, "cpu.system": 0, "balloon.rss": 1} for vm in (hung, well)}
    host.clock.advance(15)
    del host.domains.samples[hung.id]["balloon.rss"]
    for _ in range(5):
        host.clock.advance(15)
    answers = [statistics(machine)["monitorResponse"] for machine in (hung, well)]
    assert answers == ["-1", "0"]


@pytest_twisted.ensureDeferred
async def test_neither_a_lost_hypervisor_nor_a_defect_ends_the_sampling(host: Any) -> None:
    host.domains.fail["statistics"] = [HypervisorAway("u", "away"), ValueError("a defect")]
    for _ in range(3):
        host.clock.advance(15)
    assert asked(host) == 3


@pytest_twisted.ensureDeferred
async def test_stopping_ends_the_sampling(host: Any) -> None:
    await host.machines.stop()
    host.clock.advance(60)
    assert asked(host) == 0
