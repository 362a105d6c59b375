"""The shutdown and reboot chain of spec xmlrpc-host-vm 2.3."""

from typing import Any

import pytest
import pytest_twisted

from virgate.errors import InvalidParameter
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.errors import NoSuchMachine, NoWayDown
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.life import Status
from virgate.node.vm.powerdown import power_down

ID = "11111111-1111-4111-8111-111111111111"


def done(host: Any) -> list[str]:
    return [name for name in host.domains.names if name != "statistics"]


def ask(machine: Any, *, reboot: bool = False, timeout: Any = None, force: bool = False) -> None:
    power_down(machine, reboot=reboot, timeout=timeout, force=force)


@pytest_twisted.ensureDeferred
async def test_the_button_is_pressed_and_the_machine_reports_powering_down(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine)
    assert done(host) == ["shutdown"]
    assert host.statuses == ["Powering down"]
    host.clock.advance(301)
    assert machine.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_guest_that_obeys_is_down_by_the_admins_wish(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine, force=True)
    host.domains.stop(ID, "shutdown")
    await machine.release.run(machine.document)
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 6)
    host.clock.advance(500)
    assert "destroy" not in host.domains.names


@pytest_twisted.ensureDeferred
async def test_force_pulls_the_plug_after_the_timeout_and_the_machine_stays_listed(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.running(params)
    ask(machine, force=True, timeout="7")
    host.clock.advance(6.9)
    assert done(host) == ["shutdown"]
    host.clock.advance(0.2)
    await machine.release.run(machine.document)
    assert host.domains.calls[1] == ("destroy", ID, True)
    assert machine.vitals.status is Status.DOWN
    assert ID in host.machines


@pytest.mark.parametrize("nothing", [None, "", 0])
@pytest_twisted.ensureDeferred
async def test_a_missing_timeout_means_two_minutes(host: Any, params: dict[str, Any], nothing: Any) -> None:
    machine = await host.running(params)
    ask(machine, force=True, timeout=nothing)
    host.clock.advance(119.9)
    assert "destroy" not in host.domains.names
    host.clock.advance(0.2)
    assert "destroy" in host.domains.names


@pytest.mark.parametrize("nonsense", ["-1", "nan", "inf", "1e300", "soon", ["1"], {"a": 1}])
@pytest_twisted.ensureDeferred
async def test_a_timeout_that_nobody_could_wait_for_is_refused_before_the_guest_is_asked(
    host: Any, params: dict[str, Any], nonsense: Any
) -> None:
    machine = await host.running(params)
    with pytest.raises(InvalidParameter):
        ask(machine, force=True, timeout=nonsense)
    assert done(host) == []
    assert machine.powerdown is None


@pytest_twisted.ensureDeferred
async def test_without_force_nothing_is_pulled(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine)
    host.clock.advance(1000)
    assert done(host) == ["shutdown"]
    assert machine.powerdown is None


@pytest_twisted.ensureDeferred
async def test_a_guest_without_power_button_and_without_force_has_no_way_down(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.running({**params, "acpiEnable": "false"})
    with pytest.raises(NoWayDown) as refused:
        ask(machine)
    assert refused.value.code == 4
    assert str(refused.value) == "VM without ACPI or active oVirt guest agent. Try Forced Shutdown."
    ask(machine, force=True)
    assert done(host)[0] == "destroy"


@pytest_twisted.ensureDeferred
async def test_a_dead_machine_does_not_exist_for_shutdown(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    machine.life.down(Exit.of(Reason.USER))
    with pytest.raises(NoSuchMachine):
        ask(machine)


@pytest_twisted.ensureDeferred
async def test_a_reboot_asks_the_guest_and_ends_when_it_rebooted(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine, reboot=True, force=True)
    assert done(host) == ["reboot"]
    assert host.statuses == ["RebootInProgress"]
    host.events.tell("libvirt.reboot", uuid=ID)
    host.clock.advance(1000)
    assert done(host) == ["reboot"]


@pytest_twisted.ensureDeferred
async def test_a_forced_reboot_ends_with_the_reset_button(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine, reboot=True, force=True)
    host.clock.advance(121)
    assert done(host) == ["reboot", "reset"]


@pytest_twisted.ensureDeferred
async def test_a_refused_step_leads_to_the_next_at_once(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    host.domains.fail["shutdown"] = [HypervisorFailed(1, "boom")]
    ask(machine, force=True)
    assert done(host)[:2] == ["shutdown", "destroy"]


@pytest_twisted.ensureDeferred
async def test_a_second_request_takes_the_place_of_the_first(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine, force=True, timeout=10)
    ask(machine, timeout=1000)
    host.clock.advance(500)
    assert done(host) == ["shutdown", "shutdown"]


@pytest_twisted.ensureDeferred
async def test_a_reboot_does_not_end_a_shutdown(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    ask(machine, force=True, timeout=5)
    host.events.tell("libvirt.reboot", uuid=ID)
    host.clock.advance(6)
    assert done(host)[:2] == ["shutdown", "destroy"]
