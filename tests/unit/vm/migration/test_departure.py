"""A machine leaves: the traces of spec migration I, and the source's column of the failure matrix (10)."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import Host
from lxml import etree
from twisted.internet.defer import Deferred

from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorAway, HypervisorFailed, OperationInvalid
from virgate.node.vm.errors import Moving, NoSuchMachine
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import commands
from virgate.node.vm.migration.errors import (
    BadOrder,
    DisksFailing,
    NothingToCancel,
    NotUnderWay,
    PeerRefused,
    PeerUnreachable,
    Transient,
)

KEYS = {
    "_srcDomXML",
    "elapsedTimeOffset",
    "enableGuestEvents",
    "guestFQDN",
    "migrationDest",
    "netIfaces",
    "username",
    "vmId",
    "xml",
}
ASKED = ["ping", "before_vm_migrate_source", "migrationCreate"]


@pytest_twisted.ensureDeferred
async def test_i_success(move: Any, machine: Machine, host: Host) -> None:
    assert await move.run(machine) == (0, "Migration done")
    assert move.trace == [
        *ASKED,
        "downtime 101",
        "migrate qemu+tcp://hostb/system 3",
        "after_vm_migrate_source",
    ]
    assert set(move.peer.told) >= KEYS
    assert machine.vitals.exit is not None
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 4)
    assert host.statuses[-2:] == ["Migration Source", "Down"]
    assert machine.standing.members["downtime"] == 7
    assert host.disks.calls.count(("teardown", "vda")) == 0, "images stay prepared until destroy"


@pytest_twisted.ensureDeferred
async def test_a_machine_made_from_a_document_tells_what_newer_hosts_want_and_no_more(
    move: Any, host: Host, params: dict[str, Any]
) -> None:
    first = await host.running(params)
    text = host.domains.domains[first.id].xml
    root = etree.fromstring(text.encode())
    uuid = root.find("uuid")
    assert uuid is not None
    uuid.text = "22222222-2222-4222-8222-222222222222"
    machine = await host.running({"vmId": uuid.text, "xml": etree.tostring(root, encoding="unicode")})
    assert await move.run(machine) == (0, "Migration done")
    assert set(move.peer.told) == KEYS


@pytest_twisted.ensureDeferred
async def test_the_last_figures_tell_the_downtime(move: Any, machine: Machine, host: Host) -> None:
    told: list[dict[str, Any]] = []
    host.events.listen("vm.migration", lambda **event: told.append(event))
    move.libvirt.figures = {"downtime": 90, "downtime_net": 42}
    await move.run(machine)
    assert machine.standing.members == {
        "status": {"code": 0, "message": "Migration done"},
        "progress": 100,
        "downtime": 42,
    }
    assert told[0] == {"vm": machine.id, "progress": 100, "downtime": 42, "postcopy": False}


@pytest_twisted.ensureDeferred
async def test_i_busy_then_room(move: Any, machine: Machine, host: Host) -> None:
    move.peer.answers["migrationCreate"] = [PeerRefused(82, "busy"), {}]
    await move.begin(machine, incomingLimit=3)
    assert machine.status is Status.LEAVING and host.machines.means.traffic.outgoing.held == 0
    departure = machine.departure
    assert departure is not None
    over = Deferred.fromCoroutine(departure.over())
    host.clock.advance(10)
    await over
    assert move.trace[: 2 * len(ASKED) - 1] == [*ASKED, *ASKED[1:]]
    assert (machine.standing.code, machine.standing.message) == (0, "Migration done")
    assert move.peer.limits == [3, 3]


@pytest_twisted.ensureDeferred
async def test_a_wait_for_room_is_canceled(move: Any, machine: Machine) -> None:
    move.peer.answers["migrationCreate"] = [PeerRefused(82, "busy")]
    await move.begin(machine)
    await commands.cancel(machine)
    assert machine.standing.code == 47 and machine.vitals.status is Status.UP
    assert move.trace[-1] == "VM.destroy"


@pytest_twisted.ensureDeferred
async def test_i_an_error_of_the_destination_is_the_clients(move: Any, machine: Machine, host: Host) -> None:
    move.peer.answers["migrationCreate"] = [PeerRefused(9, "too slow")]
    assert await move.run(machine) == (9, "too slow")
    assert move.trace == [*ASKED, "VM.destroy"]
    assert machine.vitals.status is Status.UP and host.statuses[-2:] == ["Migration Source", "Powering up"]
    assert host.machines.means.traffic.outgoing.held == 0


@pytest_twisted.ensureDeferred
async def test_a_machine_that_runs_there_already_is_not_destroyed(move: Any, machine: Machine) -> None:
    move.peer.answers["migrationCreate"] = [PeerRefused(4, "exists")]
    assert await move.run(machine) == (4, "exists")
    assert "VM.destroy" not in move.trace


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (HypervisorFailed(78, "canceled by client"), 47),
        (HypervisorFailed(9, "the stream broke"), 102),
        (HypervisorFailed(38, "connection refused"), 12),
    ],
)
@pytest_twisted.ensureDeferred
async def test_i_what_libvirt_refuses_leaves_the_machine_up(
    move: Any, machine: Machine, failure: Exception, code: int
) -> None:
    move.libvirt.fails = failure
    assert (await move.run(machine))[0] == code
    assert move.trace[-1] == "VM.destroy"
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_destination_that_cannot_be_called_is_not_called_again(move: Any, machine: Machine) -> None:
    move.peer.answers["ping"] = [PeerUnreachable("hostb:54321", "refused")]
    code, message = await move.run(machine)
    assert code == 12 and "hostb:54321" in message
    assert move.trace == ["ping"] and machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_hook_keeps_the_machine_here(move: Any, machine: Machine, host: Host) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("tied to this host")

    host.trace.act["before_vm_migrate_source"] = refuse
    code, message = await move.run(machine)
    assert code == 12 and "tied to this host" in message
    assert move.trace == ["ping", "before_vm_migrate_source", "VM.destroy"]


@pytest_twisted.ensureDeferred
async def test_i_canceled_before_the_stream(move: Any, machine: Machine) -> None:
    move.peer.answers["migrationCreate"] = [waiting := Deferred()]
    await move.begin(machine)
    await commands.cancel(machine)
    assert (machine.standing.code, machine.standing.message) == (47, "Migration canceled")
    assert move.trace == [*ASKED, "VM.destroy"] and machine.vitals.status is Status.UP
    assert waiting.called


@pytest_twisted.ensureDeferred
async def test_canceled_in_the_middle_of_the_stream(move: Any, machine: Machine) -> None:
    move.libvirt.hold = Deferred()
    await move.begin(machine)
    await commands.cancel(machine)
    assert machine.standing.code == 47 and machine.vitals.status is Status.UP
    assert move.trace[-2:] == ["abort", "VM.destroy"]


@pytest_twisted.ensureDeferred
async def test_a_cancel_that_comes_before_libvirt_began_is_tried_again(
    move: Any, machine: Machine, host: Host, too_late: Exception
) -> None:
    move.libvirt.hold = Deferred()
    move.libvirt.refuses["abort"] = too_late
    await move.begin(machine)
    canceled = Deferred.fromCoroutine(commands.cancel(machine))
    move.libvirt.refuses.clear()
    host.clock.advance(0.1)
    await canceled
    assert machine.standing.code == 47


@pytest_twisted.ensureDeferred
async def test_a_cancel_that_comes_too_late_says_so(move: Any, machine: Machine, host: Host, too_late: Any) -> None:
    move.libvirt.hold = Deferred()
    move.libvirt.refuses["abort"] = too_late
    await move.begin(machine)
    canceled = Deferred.fromCoroutine(commands.cancel(machine))
    host.clock.pump([0.1] * 60)
    with pytest.raises(NothingToCancel):
        await canceled
    move.libvirt.hold.callback(None)
    assert machine.standing.code == 0 and machine.vitals.status is Status.DOWN


@pytest_twisted.ensureDeferred
async def test_a_second_move_and_changes_are_refused_meanwhile(move: Any, machine: Machine) -> None:
    move.libvirt.hold = Deferred()
    await move.begin(machine)
    with pytest.raises(Moving):
        await move.begin(machine)
    with pytest.raises(Moving):
        machine.stays()
    await commands.change(machine, {"maxBandwidth": 10})
    assert move.trace[-1] == "bandwidth 10"
    move.libvirt.hold.callback(None)
    with pytest.raises(NotUnderWay):
        await commands.change(machine, {"maxBandwidth": 10})
    with pytest.raises(NothingToCancel):
        await commands.cancel(machine)


@pytest_twisted.ensureDeferred
async def test_what_cannot_leave_is_told_at_once(move: Any, machine: Machine) -> None:
    with pytest.raises(NoSuchMachine):
        await commands.leave(move.host.machines, {"vmId": "nobody", "dst": "hostb"})
    with pytest.raises(BadOrder):
        await move.begin(machine, cpusets=["0", "1"])
    machine.record.conf["devices"].append({"type": "disk", "shared": "transient"})
    with pytest.raises(Transient):
        await move.begin(machine)
    machine.record.conf["devices"].pop()
    machine.life.halted("EIO")
    with pytest.raises(DisksFailing):
        await move.begin(machine)


@pytest_twisted.ensureDeferred
async def test_it_waits_for_whoever_changes_the_machine(move: Any, machine: Machine) -> None:
    await machine.changing.acquire()
    leaving = Deferred.fromCoroutine(move.begin(machine))
    assert machine.departure is None and not leaving.called
    machine.changing.release()
    await leaving
    assert machine.standing.code == 0


@pytest_twisted.ensureDeferred
async def test_only_so_many_leave_at_once_and_the_others_wait_as_leaving(
    move: Any, machine: Machine, host: Host, params: dict[str, Any]
) -> None:
    other = await host.running(params | {"vmId": "22222222-2222-4222-8222-222222222222"})
    move.libvirt.hold = first = Deferred()
    await move.begin(machine, outgoingLimit=1)
    await move.begin(other)
    assert move.trace.count("migrationCreate") == 1 and other.vitals.status is Status.LEAVING
    move.libvirt.hold = None
    first.callback(None)
    assert [machine.vitals.status, other.vitals.status] == [Status.DOWN] * 2


@pytest_twisted.ensureDeferred
async def test_a_paused_machine_stays_paused_when_it_does_not_leave(move: Any, machine: Machine, host: Host) -> None:
    await machine.pause()
    move.libvirt.fails = HypervisorFailed(9, "no")
    await move.run(machine)
    assert machine.vitals.status is Status.PAUSED and machine.vitals.pause_code == "NOERR"


@pytest_twisted.ensureDeferred
async def test_a_guest_that_ends_on_the_way_is_down_and_not_up(move: Any, machine: Machine, host: Host) -> None:
    move.libvirt.hold = Deferred()
    await move.begin(machine)
    host.domains.stop(machine.id, "shutdown")
    move.libvirt.fails = HypervisorFailed(1, "domain is not running")
    move.libvirt.hold.callback(None)
    assert machine.vitals.exit is not None and machine.vitals.exit.reason == 7
    assert move.trace[-1] == "VM.destroy" and machine.standing.code == 12


@pytest_twisted.ensureDeferred
async def test_destroy_ends_the_move_first(move: Any, machine: Machine, host: Host) -> None:
    move.libvirt.hold = Deferred()
    await move.begin(machine)
    await host.machines.destroy(machine.id)
    assert machine.id not in host.machines and "VM.destroy" in move.trace
    assert machine.standing.code == 47


POSTCOPY = {
    "init": [],
    "stalling": [
        {"limit": 0, "action": {"name": "postcopy", "params": []}},
        {"limit": -1, "action": {"name": "abort", "params": []}},
    ],
}


def job(iteration: int, remaining: int = 500) -> dict[str, Any]:
    return {
        "type": 2,
        "operation": 5,
        "memory_iteration": iteration,
        "data_total": 1000,
        "data_remaining": remaining,
    }


async def in_post_copy(move: Any, machine: Machine) -> None:
    move.libvirt.hold = Deferred()
    move.libvirt.jobs = [job(1), job(2)]
    await move.begin(machine, convergenceSchedule=POSTCOPY)
    move.host.clock.pump([10.0, 10.0])
    assert move.trace[-1] == "postcopy"
    move.host.domains.lifecycle(machine.id, "suspended", "postcopy")
    assert machine.status is Status.PAUSED
    assert move.host.told[-1]["details"]["pauseCode"] == "POSTCOPY"


@pytest_twisted.ensureDeferred
async def test_after_post_copy_nothing_is_left_here(move: Any, machine: Machine, host: Host) -> None:
    await in_post_copy(move, machine)
    assert "migrate qemu+tcp://hostb/system 32771" in move.trace
    move.libvirt.figures = {"downtime": 90, "downtime_net": 42}
    move.libvirt.hold.callback(None)
    assert machine.standing.members["downtime"] == 90
    assert machine.id not in host.machines


@pytest_twisted.ensureDeferred
async def test_i_a_guest_torn_in_post_copy_is_down_and_its_destination_left_alone(
    move: Any, machine: Machine, host: Host
) -> None:
    await in_post_copy(move, machine)
    move.libvirt.fails = HypervisorFailed(9, "lost")
    move.libvirt.hold.callback(None)
    assert machine.vitals.exit is not None and machine.vitals.exit.reason == 12
    assert "VM.destroy" not in move.trace and machine.standing.code == 102
    assert machine.id not in host.machines


@pytest_twisted.ensureDeferred
async def test_the_monitor_follows_the_schedule_and_tells_progress(move: Any, machine: Machine, host: Host) -> None:
    told: list[dict[str, Any]] = []
    host.events.listen("vm.migration", lambda **event: told.append(event))
    move.libvirt.hold = Deferred()
    move.libvirt.jobs = [{"type": 0}, job(1, 900), job(2, 700), job(3, 800), OperationInvalid(55, "gone")]
    await move.begin(machine)
    host.clock.pump([10.0] * 6)
    assert [event["progress"] for event in told] == [10, 30, 30]
    assert [call for call in move.trace if call.startswith("downtime")] == ["downtime 101", "downtime 104"]
    move.libvirt.hold.callback(None)
    assert machine.standing.code == 0


@pytest_twisted.ensureDeferred
async def test_old_limits_of_time_end_a_move(move: Any, machine: Machine, host: Host) -> None:
    from attrs import evolve

    traffic = host.machines.means.traffic
    traffic.settings = evolve(traffic.settings, time_limits=True)
    move.libvirt.hold = Deferred()
    move.libvirt.jobs = [job(1)]
    await move.begin(machine)
    host.clock.advance(10)
    assert machine.standing.code == 47 and machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_libvirt_goes_away_and_the_move_goes_on(move: Any, machine: Machine, host: Host) -> None:
    move.libvirt.fails = HypervisorAway("qemu:///system", "restarted")
    await move.begin(machine)
    assert machine.vitals.status is Status.LEAVING
    move.libvirt.leave(machine.id)
    assert machine.standing.code == 0 and "VM.destroy" not in move.trace


@pytest_twisted.ensureDeferred
async def test_libvirt_goes_away_and_the_move_with_it(move: Any, machine: Machine, host: Host) -> None:
    move.libvirt.fails = HypervisorAway("qemu:///system", "restarted")
    await move.begin(machine)
    host.clock.advance(10)
    assert machine.standing.code == 12 and machine.vitals.status is Status.UP
    assert move.trace[-1] == "VM.destroy"


@pytest_twisted.ensureDeferred
async def test_the_destinations_paths_go_into_its_document(move: Any, host: Host, params: dict[str, Any]) -> None:
    params["devices"] = [{"type": "disk", "device": "disk", "iface": "virtio", "path": "/here/a", "name": "vda"}]
    machine = await host.running(params)
    there = {"devices": [{"type": "disk", "name": "vda", "path": "/there/a"}]}
    move.peer.answers["migrationCreate"] = [there]
    await move.run(machine)
    document = etree.fromstring(move.libvirt.asked["destination_xml"].encode())
    assert document.xpath("string(devices/disk/source/@file)") == "/there/a"


class Agent:
    """Answers when it is told to."""

    def __init__(self, trace: list[str]) -> None:
        self.trace = trace
        self.disks: dict[str, str] = {}
        self.status, self.active = None, False
        self.carried = {"username": "root", "guestAgentAPIVersion": 3}

    async def event(self, kind: str, *, wait: float = 0.0, failure: bool = False) -> bool:
        self.trace.append(f"{kind} failure" if failure else kind)
        return True


@pytest_twisted.ensureDeferred
async def test_the_guest_is_told_before_and_when_it_fails(move: Any, machine: Machine) -> None:
    machine.agent = Agent(move.trace)  # type: ignore[assignment]
    move.peer.answers["migrationCreate"] = [PeerRefused(9, "no")]
    await move.run(machine, enableGuestEvents=True)
    assert move.trace == [
        "ping",
        "before_migration",
        "before_vm_migrate_source",
        "migrationCreate",
        "VM.destroy",
        "after_migration failure",
    ]
    assert move.peer.told["username"] == "root" and move.peer.told["guestAgentAPIVersion"] == 3


@pytest_twisted.ensureDeferred
async def test_clients_of_a_screen_keep_their_ticket(move: Any, machine: Machine) -> None:
    machine.record.client = "10.0.0.9"
    await move.run(machine)
    assert "ticket" in move.trace
