"""Pause, continue, reset, and what hypervisor events do to a machine."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.errors import CannotReset, NoSuchMachine, WrongState
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.life import Status

ID = "11111111-1111-4111-8111-111111111111"


@pytest_twisted.ensureDeferred
async def test_pause_and_cont_run_their_hooks_and_tell_each_status_once(host: Any, machine: Any) -> None:
    await machine.pause()
    assert (machine.vitals.status, machine.vitals.pause_code) == (Status.PAUSED, "NOERR")
    await machine.cont()
    await machine.hook_lane.empty()
    assert host.trace.points == ["before_vm_pause", "after_vm_pause", "before_vm_cont", "after_vm_cont"]
    assert [event["details"] for event in host.told] == [{"status": "Paused"}, {"status": "Powering up"}]
    assert machine.vitals.pause_code == ""


@pytest.mark.parametrize(("verb", "status"), [("pause", Status.UP), ("cont", Status.PAUSED)])
@pytest_twisted.ensureDeferred
async def test_a_refusing_hook_leaves_the_guest_as_it_was(host: Any, machine: Any, verb: str, status: Status) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no")

    if verb == "cont":
        await machine.pause()
    host.trace.act[f"before_vm_{verb}"] = refuse
    with pytest.raises(HookError):
        await getattr(machine, verb)()
    assert machine.vitals.status is status


@pytest.mark.parametrize("begin", ["leave", "save"])
@pytest_twisted.ensureDeferred
async def test_cont_is_refused_while_the_machine_moves_or_is_saved(host: Any, machine: Any, begin: str) -> None:
    getattr(machine.life, begin)()
    with pytest.raises(WrongState) as refused:
        await machine.cont()
    assert refused.value.code == 16


@pytest_twisted.ensureDeferred
async def test_cont_of_a_machine_that_is_down_is_refused(machine: Any) -> None:
    machine.life.down(Exit.of(Reason.USER))
    with pytest.raises(WrongState):
        await machine.cont()


@pytest_twisted.ensureDeferred
async def test_reset_really_resets_and_shows_a_reboot_for_a_minute(host: Any, machine: Any) -> None:
    host.clock.advance(30)
    await machine.reset()
    assert "reset" in host.domains.names
    assert machine.status is Status.REBOOTING
    assert machine.record.started == 1030.0
    host.clock.advance(61)
    assert machine.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_refused_reset_is_code_90(host: Any, machine: Any) -> None:
    host.domains.fail["reset"] = [HypervisorFailed(1, "boom")]
    with pytest.raises(CannotReset) as refused:
        await machine.reset()
    assert refused.value.code == 90
    machine.life.down(Exit.of(Reason.USER))
    with pytest.raises(NoSuchMachine):
        await machine.reset()


@pytest_twisted.ensureDeferred
async def test_somebody_elses_pause_is_seen_and_hooked(host: Any, machine: Any) -> None:
    host.domains.lifecycle(ID, "suspended", "paused")
    assert machine.vitals.status is Status.PAUSED
    await machine.hook_lane.empty()
    assert host.trace.points == ["after_vm_pause"]


@pytest_twisted.ensureDeferred
async def test_event_hooks_of_one_machine_keep_their_order_while_the_first_is_slow(host: Any, machine: Any) -> None:
    gate: Deferred[None] = Deferred()

    async def slow(**_: Any) -> None:
        await gate

    host.trace.act["after_vm_pause"] = slow
    host.domains.lifecycle(ID, "suspended", "paused")
    host.domains.lifecycle(ID, "resumed", "unpaused")
    assert machine.vitals.status is Status.UP
    assert host.trace.points == ["after_vm_pause"]
    gate.callback(None)
    await machine.hook_lane.empty()
    assert host.trace.points == ["after_vm_pause", "after_vm_cont"]


@pytest_twisted.ensureDeferred
async def test_a_migration_pause_runs_no_pause_hook(host: Any, machine: Any) -> None:
    host.domains.lifecycle(ID, "suspended", "migrated")
    host.domains.lifecycle(ID, "resumed", "migrated")
    await machine.hook_lane.empty()
    assert host.trace.points == []


@pytest.mark.parametrize(("reason", "code"), [("", "EOTHER"), ("enospc", "ENOSPC"), ("eio", "EIO")])
@pytest_twisted.ensureDeferred
async def test_an_io_error_pauses_with_its_reason_and_names_the_disk(
    host: Any, machine: Any, reason: str, code: str
) -> None:
    happened = {"alias": "virtio-disk0", "path": "/a", "action": "pause", "reason": reason}
    host.events.tell("libvirt.io_error", uuid=ID, **happened)
    host.domains.lifecycle(ID, "suspended", "ioerror")
    assert (machine.vitals.status, machine.vitals.pause_code) == (Status.PAUSED, code)
    (event,) = host.told
    assert event["details"] == {
        "status": "Paused",
        "pauseCode": code,
        "ioerror": {"alias": "virtio-disk0", "path": "/a"},
    }


@pytest_twisted.ensureDeferred
async def test_an_io_error_that_only_reports_changes_nothing(host: Any, machine: Any) -> None:
    host.events.tell("libvirt.io_error", uuid=ID, alias="a", path="", action="report", reason="eio")
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_guests_reboot_is_reported_and_starts_its_time_again(host: Any, machine: Any) -> None:
    host.clock.advance(500)
    host.events.tell("libvirt.reboot", uuid=ID)
    assert machine.status is Status.REBOOTING
    assert host.statuses == ["RebootInProgress"]
    assert machine.record.started == 1500.0


@pytest_twisted.ensureDeferred
async def test_watchdog_clock_and_screen_events_are_kept(host: Any, machine: Any) -> None:
    host.events.tell("libvirt.watchdog", uuid=ID, action="reset")
    host.events.tell("libvirt.rtc", uuid=ID, offset=100)
    host.events.tell("libvirt.graphics", uuid=ID, phase="initialize", client="10.0.0.9")
    assert machine.record.watchdog == {"time": 1000.0, "action": "reset"}
    assert machine.record.clock_drift == 100
    assert machine.record.client == "10.0.0.9"
    host.events.tell("libvirt.graphics", uuid=ID, phase="disconnect", client="10.0.0.7")
    assert machine.record.client == "10.0.0.9"
    host.events.tell("libvirt.graphics", uuid=ID, phase="disconnect", client="10.0.0.9")
    assert machine.record.client == ""


@pytest_twisted.ensureDeferred
async def test_events_of_unknown_domains_are_nobodys_business(host: Any) -> None:
    for topic, fields in {
        "lifecycle": {"event": "stopped", "detail": "shutdown"},
        "reboot": {},
        "rtc": {"offset": 1},
        "io_error": {"alias": "a", "path": "", "action": "pause", "reason": ""},
        "watchdog": {"action": "none"},
        "graphics": {"phase": "connect"},
    }.items():
        host.events.tell(f"libvirt.{topic}", uuid="unknown", **fields)
    assert host.told == []


@pytest_twisted.ensureDeferred
async def test_a_clock_event_that_tells_the_whole_offset_is_not_added_twice(host: Any, params: dict[str, Any]) -> None:
    machine = await host.machines.create({**params, "timeOffset": "-3600"})
    domain = host.domains.domains[ID]
    domain.xml = domain.xml.replace('adjustment="-3600"', 'adjustment="-3500"')
    host.events.tell("libvirt.rtc", uuid=ID, offset=-3500)
    await machine.hook_lane.empty()
    assert machine.record.time_offset + machine.record.clock_drift == -3500
