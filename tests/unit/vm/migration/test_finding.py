"""A daemon that starts finds moves on their way (spec migration 12.3, 12.4)."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import Host
from twisted.internet.defer import Deferred

from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import trail
from virgate.node.vm.migration.addresses import Destination
from virgate.node.vm.migration.errors import PeerRefused, PeerUnreachable
from virgate.node.vm.registry import Machines

OUT = {"type": 2, "operation": 5, "data_total": 10, "data_remaining": 5}


async def again(host: Host, machine: Machine, state: str, reason: str) -> tuple[Machines, Machine]:
    """The machine as the next daemon finds it."""
    killed, host.machines._happenings = host.machines._happenings, None
    assert killed is not None
    killed.close()
    domain = host.domains.domains[machine.id]
    domain.state, domain.reason = state, reason
    host.domains.handles[machine.id] = object()
    machines = host.again()
    await machines.start()
    return machines, machines.find(machine.id)


@pytest_twisted.ensureDeferred
async def test_one_that_leaves_is_watched_until_it_is_gone(host: Host, move: Any, machine: Machine) -> None:
    move.libvirt.jobs = [OUT, OUT, OUT]
    machines, found = await again(host, machine, "running", "booted")
    assert found.vitals.status is Status.LEAVING and machines.means.traffic.outgoing.held == 1
    host.clock.advance(10)
    assert found.vitals.status is Status.LEAVING
    move.libvirt.leave(found.id)
    assert found.vitals.exit is not None and (found.vitals.exit.code, found.vitals.exit.reason) == (0, 4)
    assert move.trace[-1] == "after_vm_migrate_source" and machines.means.traffic.outgoing.held == 0
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_one_whose_move_ends_without_leaving_is_up(host: Host, move: Any, machine: Machine) -> None:
    move.libvirt.jobs = [OUT, {"type": 0}]
    machines, found = await again(host, machine, "running", "booted")
    host.clock.advance(10)
    assert found.vitals.status is Status.UP and found.standing.code == 12
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_it_can_still_be_canceled(host: Host, move: Any, machine: Machine) -> None:
    move.libvirt.jobs = [OUT, OUT, {"type": 0}]
    machines, found = await again(host, machine, "running", "booted")
    assert found.departure is not None
    await found.departure.cancel()
    host.clock.advance(0.5)
    assert move.trace[-1] == "abort" and found.vitals.status is Status.UP
    await machines.stop()


@pytest.mark.parametrize(("ends", "told"), [("running", True), ("shutoff", False)])
@pytest_twisted.ensureDeferred
async def test_the_destination_is_told_of_the_end_when_the_guest_is_surely_here(
    host: Host, move: Any, machine: Machine, ends: str, told: bool
) -> None:
    await trail.leave(machine, Destination.read("there:1234"))
    move.libvirt.jobs = [OUT, {"type": 0}]
    machines, found = await again(host, machine, "running", "booted")
    host.domains.domains[found.id].state = ends
    host.clock.advance(10)
    assert found.standing.code == 12 and ("VM.destroy" in move.trace) is told
    assert not told or str(move.peer.destination) == "there:1234"
    await machines.stop()


@pytest.mark.parametrize(
    ("reason", "word", "told"),
    [
        ("user", "Migration Destination", True),
        ("ioerror", "Down", True),
        ("watchdog", "Migration Destination", True),
        ("user", "Paused", False),
        ("user", "Up", False),
        ("user", PeerRefused(1, "no such machine"), False),
        ("ioerror", PeerUnreachable("there", "silent"), False),
        ("migration", "Migration Destination", False),
        ("unknown", "Migration Destination", False),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_destination_of_a_guest_that_was_paused_here_is_told_when_it_has_not_got_it(
    host: Host, move: Any, machine: Machine, reason: str, word: Any, told: bool
) -> None:
    await trail.leave(machine, Destination.read("there:1234"))
    move.libvirt.jobs = [OUT, {"type": 0}]
    machines, found = await again(host, machine, "paused", "user")
    host.domains.domains[found.id].reason = reason
    move.peer.answers["VM.getStats"] = [word]
    host.clock.advance(10)
    assert found.standing.code == 12 and found.vitals.status is Status.PAUSED
    assert ("VM.destroy" in move.trace) is told
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_where_a_machine_goes_does_not_go_along(host: Host, move: Any, machine: Machine) -> None:
    move.libvirt.hold = Deferred()
    await move.begin(machine)
    await machine.document()
    assert str(trail.find(machine)) == str(move.peer.destination)
    move.libvirt.hold.callback(None)
    assert trail.NAME not in move.libvirt.asked["destination_xml"]
    assert trail.NAME not in move.peer.told["_srcDomXML"]


@pytest_twisted.ensureDeferred
async def test_the_rest_of_a_guest_in_post_copy_is_forgotten_when_it_is_done(
    host: Host, move: Any, machine: Machine
) -> None:
    machines, found = await again(host, machine, "paused", "postcopy")
    assert found.status is Status.PAUSED and found.vitals.pause_code == "POSTCOPY"
    move.libvirt.leave(found.id)
    assert found.id not in machines
    await machines.stop()


@pytest.mark.parametrize(("state", "reason"), [("paused", "migration"), ("running", "postcopy")])
@pytest_twisted.ensureDeferred
async def test_one_that_arrives_is_waited_for(host: Host, move: Any, machine: Machine, state: str, reason: str) -> None:
    machines, found = await again(host, machine, state, reason)
    assert found.vitals.status is Status.ARRIVING and machines.means.traffic.incoming.held == 1
    host.domains.domains[found.id].state = "running"
    host.domains.lifecycle(found.id, "resumed", "migrated")
    host.clock.advance(1)
    assert found.vitals.status is Status.UP and machines.means.traffic.incoming.held == 0
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_a_torn_guest_is_down(host: Host, move: Any, machine: Machine) -> None:
    machines, found = await again(host, machine, "paused", "postcopy_failed")
    assert found.vitals.exit is not None and found.vitals.exit.reason == 12
    assert host.domains.domains[found.id].state == "shutoff"
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_news_missed_while_libvirt_was_away_are_seen(host: Host, move: Any, machine: Machine) -> None:
    machines, found = await again(host, machine, "paused", "migration")
    domain = host.domains.domains[found.id]
    domain.state, domain.reason = "running", "migrated"
    host.events.tell("libvirt.connected", uri="qemu:///system")
    host.clock.advance(1)
    assert found.vitals.status is Status.UP
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_disks_of_one_that_does_not_come_are_released_by_its_destroy(
    host: Host, move: Any, params: dict[str, Any]
) -> None:
    image = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
    drive = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **image}
    machine = await host.running(params | {"devices": [drive]})
    machines, found = await again(host, machine, "paused", "migration")
    host.disks.calls.clear()
    host.domains.stop(found.id, "failed")
    assert found.vitals.exit is not None and found.vitals.exit.reason == 8
    await machines.destroy(found.id)
    assert host.disks.calls == [("teardown", "vda")]
    await machines.stop()
