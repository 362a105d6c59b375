"""One bulk call per period, whatever goes wrong."""

from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.libvirt.errors import HypervisorAway


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
async def test_a_call_that_hangs_is_not_asked_again(host: Any) -> None:
    gate = host.domains.hold["statistics"] = Deferred()
    for _ in range(10):
        host.clock.advance(15)
    assert asked(host) == 1
    host.domains.hold.clear()
    gate.callback(None)
    host.clock.advance(15)
    assert asked(host) == 2


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
