"""A machine arrives: the sequence of spec migration 7, and the destination's column of the failure matrix (10)."""

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from doubles.machines import Domain, Host
from twisted.internet.defer import Deferred

from virgate.domxml.errors import CannotCreate, MachineExists, MissingParameter
from virgate.hookspecs.errors import HookError
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import arrival, commands, description
from virgate.node.vm.migration.errors import Busy, BusyForOldHosts, DestinationHookFailed, NotReadyInTime

IMAGE = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "name": "vda", **IMAGE}


async def sent(host: Host, params: dict[str, Any]) -> dict[str, Any]:
    """What another host would tell of a machine that runs there, and nothing of it on this one."""
    machine = await host.running(params)
    host.clock.advance(100)
    told = description.tell(machine, host.domains.domains[machine.id].xml, guest={}, guest_events=False)
    await host.machines.destroy(machine.id)
    for noted in (host.trace.points, host.domains.calls, host.told, host.disks.calls, host.guards.calls):
        noted.clear()
    return told


@pytest.fixture
def with_disk(params: dict[str, Any]) -> dict[str, Any]:
    return params | {"devices": [dict(DISK)], "custom": {"kind": "test"}}


async def prepared(host: Host, params: dict[str, Any]) -> Machine:
    told = await sent(host, params)
    machine = await commands.arrive(host.machines, told, None)
    host.domains.domains[machine.id] = Domain(told["xml"], "paused", "migration")
    return machine


async def comes(host: Host, machine: Machine, event: str = "resumed", detail: str = "migrated") -> None:
    domain = host.domains.domains[machine.id]
    domain.state, domain.reason = ("running", "migrated") if event == "resumed" else ("paused", "user")
    host.domains.lifecycle(machine.id, event, detail)
    host.clock.advance(arrival.SETTLE)


@pytest_twisted.ensureDeferred
async def test_a_machine_arrives_with_all_its_properties(host: Host, with_disk: dict[str, Any]) -> None:
    machine = await prepared(host, with_disk)
    assert machine.vitals.status is Status.ARRIVING
    assert host.trace.points == ["after_disk_prepare", "before_vm_migrate_destination"]
    assert host.disks.calls == [("prepare", "vda")]
    assert host.machines.means.traffic.incoming.held == 1
    await comes(host, machine)
    assert machine.vitals.status is Status.UP and machine.record.custom == {"kind": "test"}
    assert host.trace.points[2:] == ["after_vm_migrate_destination"]
    assert machine.launch is None and host.machines.means.traffic.incoming.held == 0
    assert machine.means.wall() - machine.record.started == pytest.approx(101, abs=1)
    assert "startTime" in host.domains.domains[machine.id].xml
    assert host.told[-1]["details"]["memUsage"] == "0", "clients are told everything at once"


@pytest_twisted.ensureDeferred
async def test_disks_are_protected_once_the_source_is_gone(host: Host, with_disk: dict[str, Any]) -> None:
    machine = await prepared(host, with_disk)
    assert host.guards.calls == []
    host.guards.fail = LeaseNotAcquired("d", "the source has it")
    await comes(host, machine)
    host.guards.fail = None
    host.clock.advance(1)
    assert host.guards.calls == ["take", "take", "take", "started"][-len(host.guards.calls) :]
    assert host.guards.calls[-1] == "started"


@pytest_twisted.ensureDeferred
async def test_events_of_the_way_are_no_pause_and_no_continue(host: Host, params: dict[str, Any]) -> None:
    machine = await prepared(host, params)
    host.domains.lifecycle(machine.id, "started", "migrated")
    host.domains.lifecycle(machine.id, "suspended", "migrated")
    host.domains.lifecycle(machine.id, "resumed", "postcopy")
    assert machine.vitals.status is Status.ARRIVING
    await comes(host, machine)
    assert not [point for point in host.trace.points if "pause" in point or "cont" in point]
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_one_that_was_paused_arrives_paused(host: Host, params: dict[str, Any]) -> None:
    machine = await prepared(host, params)
    await comes(host, machine, "suspended", "paused")
    assert machine.vitals.status is Status.PAUSED


@pytest_twisted.ensureDeferred
async def test_a_hook_forbids_the_arrival(host: Host, with_disk: dict[str, Any]) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no such network here")

    told = await sent(host, with_disk)
    host.trace.act["before_vm_migrate_destination"] = refuse
    with pytest.raises(DestinationHookFailed, match="Destination hook failed: no such network here"):
        await commands.arrive(host.machines, told, None)
    assert host.disks.calls == [("prepare", "vda"), ("teardown", "vda")]
    machine = host.machines.find(told["vmId"])
    assert machine.vitals.status is Status.DOWN, "it is kept until somebody destroys it"
    await host.machines.destroy(machine.id)
    assert host.machines.means.traffic.incoming.held == 0


@pytest_twisted.ensureDeferred
async def test_disks_that_are_not_ready_in_time(host: Host, with_disk: dict[str, Any]) -> None:
    told = await sent(host, with_disk)
    storage: Deferred[None] = Deferred()

    async def slow(**_: Any) -> None:
        await storage

    host.trace.act["after_disk_prepare"] = slow
    asked = Deferred.fromCoroutine(commands.arrive(host.machines, told, None))
    host.clock.advance(36)
    with pytest.raises(NotReadyInTime):
        await asked
    assert host.machines.find(told["vmId"]).vitals.status is Status.DOWN
    assert host.disks.calls[-1] == ("teardown", "vda")


@pytest_twisted.ensureDeferred
async def test_who_is_known_already_is_refused(host: Host, params: dict[str, Any]) -> None:
    told = await sent(host, params)
    await host.running(params)
    with pytest.raises(MachineExists):
        await commands.arrive(host.machines, told, 2)
    assert host.machines.means.traffic.incoming.held == 0


@pytest_twisted.ensureDeferred
async def test_a_busy_host_says_so_in_the_words_that_the_source_knows(host: Host, params: dict[str, Any]) -> None:
    told = await sent(host, params)
    host.machines.means.traffic.incoming.take_anyway()
    with pytest.raises(Busy):
        await commands.arrive(host.machines, told, 1)
    with pytest.raises(BusyForOldHosts):
        await commands.arrive(host.machines, told, None)
    assert len(host.machines) == 0


@pytest_twisted.ensureDeferred
async def test_a_stream_that_breaks_leaves_it_down(host: Host, with_disk: dict[str, Any]) -> None:
    machine = await prepared(host, with_disk)
    host.domains.stop(machine.id, "failed")
    assert machine.vitals.exit is not None
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (1, 8)
    assert host.disks.calls[-1] == ("teardown", "vda")
    assert machine.id in host.machines


@pytest_twisted.ensureDeferred
async def test_the_source_has_it_destroyed(host: Host, with_disk: dict[str, Any]) -> None:
    machine = await prepared(host, with_disk)
    await host.machines.destroy(machine.id)
    assert machine.vitals.exit is not None and machine.vitals.exit.reason == 10
    assert machine.id not in host.machines and machine.id not in host.domains.domains
    assert host.disks.calls.count(("teardown", "vda")) == 1


@pytest_twisted.ensureDeferred
async def test_a_guest_that_never_comes_is_given_up(host: Host, params: dict[str, Any]) -> None:
    traffic = host.machines.means.traffic
    traffic.settings = evolve(traffic.settings, destination_timeout=50.0)
    machine = await prepared(host, params)
    host.clock.advance(50)
    assert machine.vitals.exit is not None and machine.vitals.exit.reason == 8
    assert host.domains.domains[machine.id].state == "shutoff"


@pytest_twisted.ensureDeferred
async def test_one_that_came_unheard_is_here(host: Host, params: dict[str, Any]) -> None:
    traffic = host.machines.means.traffic
    traffic.settings = evolve(traffic.settings, destination_timeout=50.0)
    machine = await prepared(host, params)
    host.domains.domains[machine.id].state = "running"
    host.clock.advance(50)
    host.clock.advance(1)
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_guest_torn_in_post_copy_is_down_and_kept(host: Host, params: dict[str, Any]) -> None:
    machine = await prepared(host, params)
    host.domains.lifecycle(machine.id, "resumed", "postcopy")
    host.domains.lifecycle(machine.id, "suspended", "postcopy_failed")
    assert machine.vitals.exit is not None and machine.vitals.exit.reason == 12
    assert host.domains.domains[machine.id].state == "shutoff" and machine.id in host.machines


@pytest_twisted.ensureDeferred
async def test_the_form_of_old_hosts_is_understood(host: Host, with_disk: dict[str, Any]) -> None:
    machine = await host.running(with_disk)
    document = f"<domain><uuid>{machine.id}</uuid><name>one</name></domain>"
    await host.machines.destroy(machine.id)
    told = with_disk | {"_srcDomXML": document, "migrationDest": "libvirt", "status": "Up", "elapsedTimeOffset": 5}
    arriving = await commands.arrive(host.machines, told, None)
    assert [disk.volume_id for disk in arriving.record.disks] == ["v"]
    assert "status" not in arriving.record.conf and arriving.record.conf["memSize"] == 64
    await host.machines.destroy(arriving.id)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"vmId": "33333333-3333-4333-8333-333333333333"}, CannotCreate),
        ({"_srcDomXML": "", "xml": ""}, MissingParameter),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_describes_another_machine_or_none(
    host: Host, params: dict[str, Any], change: dict[str, str], error: type[Exception]
) -> None:
    told = await sent(host, params)
    with pytest.raises(error):
        await commands.arrive(host.machines, told | change, None)
    assert host.machines.means.traffic.incoming.held == 0
