"""Falling asleep: the order of things, what is kept, and that every failure leaves a machine that goes on."""

from typing import Any

import attrs
import pytest
import pytest_twisted
from doubles.machines import ID
from twisted.internet.defer import Deferred

from virgate.errors import VirgateError
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorAway, HypervisorFailed
from virgate.node.vm.errors import Moving, NoSuchMachine
from virgate.node.vm.hibernation.handle import Handle
from virgate.node.vm.hibernation.save import hibernate
from virgate.node.vm.life import Status
from virgate.node.vm.migration.errors import DisksFailing, NothingToCancel, NotUnderWay, Transient

HANDLE = "d,p,i1,v1,i2,v2"


async def sleep(dormitory: Any, machine: Any) -> None:
    hibernate(machine, Handle.parse(HANDLE))
    await dormitory.asleep(machine)


@pytest_twisted.ensureDeferred
async def test_memory_and_parameters_are_written_and_the_machine_is_down(dormitory: Any, machine: Any) -> None:
    machine.record.conf |= {"display": "vnc", "displayIp": "10.0.0.1", "pid": "7", "_secret": "x"}
    dormitory.host.clock.advance(50)
    await sleep(dormitory, machine)
    assert machine.vitals.exit.members == {"exitCode": 0, "exitReason": 5, "exitMessage": "SaveState succeeded"}
    assert machine.standing.members["status"] == {"code": 0, "message": "SaveState done"}
    assert dormitory.libvirt.files.keys() == {"/rhev/"}
    assert dormitory.confs.lengthened == [Handle.parse(HANDLE).memory]  # libvirt cut the file
    kept = dormitory.kept
    assert (kept["vmId"], kept["vmName"], kept["elapsedTimeOffset"]) == (ID, "one", 50.0)
    assert kept["devices"][0]["imageID"] == "i"
    assert not {"display", "displayIp", "pid", "_secret", "migrationDest"} & kept.keys()


@pytest_twisted.ensureDeferred
async def test_hooks_fire_around_it_and_those_of_the_end_wait_for_destroy(dormitory: Any, machine: Any) -> None:
    host = dormitory.host
    await sleep(dormitory, machine)
    assert host.trace.points == ["before_vm_pause", "after_vm_pause", "before_vm_hibernate", "after_vm_hibernate"]
    assert host.trace.given["after_vm_hibernate"]["domain"].text == machine.record.xml
    await host.machines.destroy(ID)
    assert host.trace.points[4:] == ["before_vm_destroy", "after_vm_destroy"]


@pytest_twisted.ensureDeferred
async def test_its_disks_and_the_volume_of_its_memory_are_free_when_it_is_down(dormitory: Any, machine: Any) -> None:
    dormitory.host.disks.calls.clear()
    await sleep(dormitory, machine)
    assert dormitory.host.disks.calls == [("prepare", ""), ("teardown", ""), ("teardown", "vda")]
    await dormitory.host.machines.destroy(ID)
    assert dormitory.host.disks.calls[3:] == []
    assert ID not in dormitory.host.machines


@pytest_twisted.ensureDeferred
async def test_the_end_is_kept_for_the_next_daemon_which_releases_it_at_destroy(dormitory: Any, machine: Any) -> None:
    host = dormitory.host
    await sleep(dormitory, machine)
    again = host.again()
    await again.start()
    found = again.find(ID)
    assert found.vitals.exit.members == {"exitCode": 0, "exitReason": 5, "exitMessage": "SaveState succeeded"}
    host.trace.points.clear()
    await again.destroy(ID)
    assert host.trace.points == ["before_vm_destroy", "after_vm_destroy"]
    await again.stop()


@pytest_twisted.ensureDeferred
async def test_it_is_told_saving_at_once_and_down_at_the_end(dormitory: Any, machine: Any) -> None:
    await sleep(dormitory, machine)
    assert dormitory.host.statuses == ["Saving State", "Down"]


def fails_hook(point: str) -> Any:
    async def raises(**_: Any) -> None:
        raise HookError("Hook Error: no")

    def arrange(dormitory: Any) -> None:
        dormitory.host.trace.act[point] = raises

    return arrange


def fails_call(method: str) -> Any:
    return lambda dormitory: dormitory.host.domains.fail.update({method: [HypervisorFailed(1, "no")]})


def fails_prepare(dormitory: Any) -> None:
    dormitory.host.disks.fail["prepare "] = VirgateError()


def fails_conf(dormitory: Any) -> None:
    dormitory.confs.fail = VirgateError()


FAILURES = {
    "hook of pause": fails_hook("before_vm_pause"),
    "suspend": fails_call("suspend"),
    "hook of save": fails_hook("before_vm_hibernate"),
    "volume": fails_prepare,
    "parameters": fails_conf,
    "save": fails_call("on"),
}


@pytest.mark.parametrize("arrange", FAILURES.values(), ids=FAILURES)
@pytest_twisted.ensureDeferred
async def test_whatever_fails_the_machine_is_up_and_can_be_saved_later(
    dormitory: Any, machine: Any, arrange: Any
) -> None:
    host = dormitory.host
    arrange(dormitory)
    await sleep(dormitory, machine)
    assert (machine.vitals.status, machine.vitals.pause_code) == (Status.UP, "")
    assert host.domains.domains[ID].state == "running"
    assert machine.standing.code == 12
    assert host.disks.calls.count(("prepare", "")) - len(host.disks.fail) == host.disks.calls.count(("teardown", ""))
    host.trace.act.clear()
    host.disks.fail.clear()
    dormitory.confs.fail = None
    await sleep(dormitory, machine)
    assert machine.vitals.status is Status.DOWN


@pytest_twisted.ensureDeferred
async def test_a_guest_that_cannot_go_on_is_paused(dormitory: Any, machine: Any) -> None:
    fails_call("on")(dormitory)
    fails_hook("before_vm_cont")(dormitory)
    await sleep(dormitory, machine)
    assert (machine.vitals.status, machine.vitals.pause_code) == (Status.PAUSED, "NOERR")


@pytest_twisted.ensureDeferred
async def test_a_machine_that_was_paused_is_saved_as_it_is_and_stays_paused_when_that_fails(
    dormitory: Any, machine: Any
) -> None:
    await machine.pause()
    dormitory.host.trace.points.clear()
    fails_call("on")(dormitory)
    await sleep(dormitory, machine)
    assert machine.vitals.status is Status.PAUSED
    assert "resume" not in dormitory.host.domains.names
    await sleep(dormitory, machine)
    assert machine.vitals.exit.reason == 5
    assert dormitory.host.trace.points == ["before_vm_hibernate", "before_vm_hibernate", "after_vm_hibernate"]


@pytest_twisted.ensureDeferred
async def test_it_can_be_cancelled_while_it_waits_and_while_it_is_written(dormitory: Any, machine: Any) -> None:
    places = machine.means.traffic.outgoing
    for _ in range(places.bound):
        await places.take()
    hibernate(machine, Handle.parse(HANDLE))
    saving = machine.departure
    await saving.cancel()
    assert machine.vitals.status is Status.UP
    assert machine.standing.code == 47
    places.give_back()

    dormitory.host.domains.hold["on"] = Deferred()
    hibernate(machine, Handle.parse(HANDLE))
    saving, held = machine.departure, dormitory.host.domains.hold.pop("on")
    await saving.cancel()
    assert dormitory.libvirt.aborted == 1
    held.errback(HypervisorFailed(78, "aborted"))
    assert machine.vitals.status is Status.UP
    assert machine.standing.code == 47


@pytest_twisted.ensureDeferred
async def test_destroy_in_the_middle_gives_the_save_up(dormitory: Any, machine: Any) -> None:
    dormitory.host.domains.hold["on"] = Deferred()
    hibernate(machine, Handle.parse(HANDLE))
    held = dormitory.host.domains.hold.pop("on")
    destroyed = Deferred.fromCoroutine(dormitory.host.machines.destroy(ID))
    held.errback(HypervisorFailed(78, "aborted"))
    await destroyed
    assert ID not in dormitory.host.machines
    assert dormitory.host.domains.domains == {}


@pytest_twisted.ensureDeferred
async def test_a_guest_that_crashes_meanwhile_is_down_for_that_reason(dormitory: Any, machine: Any) -> None:
    held = dormitory.host.domains.hold["on"] = Deferred()
    hibernate(machine, Handle.parse(HANDLE))
    dormitory.host.domains.stop(ID, "crashed")
    held.errback(HypervisorFailed(1, "the guest is gone"))
    assert machine.departure is None
    assert machine.vitals.exit.reason == 2


@pytest_twisted.ensureDeferred
async def test_a_hypervisor_that_is_lost_after_it_saved_all_has_saved_it(dormitory: Any, machine: Any) -> None:
    held = dormitory.host.domains.hold["on"] = Deferred()
    hibernate(machine, Handle.parse(HANDLE))
    dormitory.host.domains.stop(ID, "saved")
    assert machine.vitals.status is Status.SAVING
    held.errback(HypervisorAway("x", "gone"))
    assert machine.vitals.exit.reason == 5


class Silent:
    """A domain that is saved without a word."""

    def save(self, path: str) -> None:
        pass


@pytest_twisted.ensureDeferred
async def test_an_event_that_never_comes_is_not_waited_for_long(dormitory: Any, machine: Any) -> None:
    dormitory.host.domains.handles[ID] = Silent()
    hibernate(machine, Handle.parse(HANDLE))
    assert machine.vitals.status is Status.SAVING
    dormitory.host.clock.advance(30)
    assert machine.vitals.exit.reason == 5


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_saved_is_refused_with_its_code(dormitory: Any, machine: Any, params: Any) -> None:
    handle = Handle.parse(HANDLE)
    dormitory.host.domains.hold["on"] = Deferred()
    hibernate(machine, handle)
    with pytest.raises(Moving):
        hibernate(machine, handle)
    with pytest.raises(NotUnderWay):
        await machine.departure.limit_bandwidth(3)
    dormitory.host.domains.hold.pop("on").callback(None)
    with pytest.raises(NoSuchMachine):
        hibernate(machine, handle)


@pytest_twisted.ensureDeferred
async def test_a_machine_whose_storage_fails_or_whose_disks_are_transient_is_not_saved(
    dormitory: Any, machine: Any
) -> None:
    machine.life.halted("EIO")
    with pytest.raises(DisksFailing):
        hibernate(machine, Handle.parse(HANDLE))
    machine.life.running()
    machine.record.disks = tuple(attrs.evolve(one, shared="transient") for one in machine.record.disks)
    with pytest.raises(Transient):
        hibernate(machine, Handle.parse(HANDLE))
    assert machine.vitals.status is Status.UP


class Agent:
    """Notes what it is told."""

    responsive = active = True
    status = None
    carried = {"username": "root", "guestIPs": "10.0.0.2"}

    def __init__(self, machine: Any) -> None:
        self.machine, self.heard = machine, []

    def note(self, what: str) -> None:
        self.heard.append((what, self.machine.vitals.pause_code))

    def send(self, name: str) -> None:
        self.note(name)

    async def locked(self, timeout: float) -> None:
        self.note(f"locked {timeout:g}")

    async def event(self, kind: str, *, wait: float = 0.0, failure: bool = False) -> None:
        self.note(f"{kind} {wait:g} {failure}")
        raise VirgateError()


@pytest_twisted.ensureDeferred
async def test_the_guest_is_told_while_it_still_runs_and_needs_not_answer(dormitory: Any, machine: Any) -> None:
    machine.agent = agent = Agent(machine)
    fails_call("on")(dormitory)
    await sleep(dormitory, machine)
    assert agent.heard == [
        ("lock-screen", ""),
        ("locked 30", ""),
        ("before_hibernation 10 False", ""),
        ("after_hibernation 0 True", ""),
    ]
    agent.responsive = False
    agent.heard.clear()
    await sleep(dormitory, machine)
    assert [what for what, _ in agent.heard] == ["lock-screen", "before_hibernation 10 False"]
    assert dormitory.kept["username"] == "root"


@pytest_twisted.ensureDeferred
async def test_what_is_too_late_to_cancel_says_so(dormitory: Any, machine: Any) -> None:
    dormitory.host.domains.hold["on"] = Deferred()
    hibernate(machine, Handle.parse(HANDLE))
    held = dormitory.host.domains.hold.pop("on")
    dormitory.host.domains.fail["on"] = [HypervisorFailed(55, "no job is active")]
    with pytest.raises(NothingToCancel):
        await machine.departure.cancel()
    held.callback(None)
