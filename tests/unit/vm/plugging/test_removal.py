"""A guest lets go at once, late, silently, never, or refuses; and what leaves late is seen to."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import ID
from twisted.internet.defer import Deferred
from unit.vm.plugging.conftest import MAC, VOLUME

from virgate.node.vm.errors import NoSuchMachine
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.plugging import disk, nic
from virgate.node.vm.plugging.errors import DiskNotUnplugged, NicNotUnplugged

FIRST = {"drive": {"path": "/images/first"}}


def names(machine: Any) -> list[str]:
    return [str(one.get("name")) for one in machine.record.conf["devices"] if one["type"] == "disk"]


@pytest_twisted.ensureDeferred
async def test_a_lost_event_is_made_up_for_by_a_look(host: Any, machine: Any, domain: Any) -> None:
    domain.guest = "is silent"
    leaving = Deferred.fromCoroutine(disk.unplug(machine, FIRST))
    assert not leaving.called
    host.clock.advance(1.0)
    await leaving
    assert names(machine) == ["hdc"]


@pytest_twisted.ensureDeferred
async def test_a_guest_that_keeps_a_device_is_waited_for_and_the_device_stays(
    host: Any, machine: Any, domain: Any
) -> None:
    domain.guest = "keeps"
    leaving = Deferred.fromCoroutine(disk.unplug(machine, FIRST))
    host.clock.pump([1.0] * 29)
    assert not leaving.called
    host.clock.advance(1.0)
    with pytest.raises(DiskNotUnplugged, match="within 30 s") as problem:
        await leaving
    assert problem.value.code == 46
    assert names(machine) == ["vda", "hdc"]
    assert host.disks.calls == [] and not machine.changing.locked
    assert host.clock.getDelayedCalls() == [] or all(call.active() for call in host.clock.getDelayedCalls())


@pytest_twisted.ensureDeferred
async def test_what_leaves_after_the_time_out_is_told_and_torn_down(host: Any, machine: Any, domain: Any) -> None:
    await disk.plug(machine, {"drive": {"type": "disk", "device": "disk", "iface": "virtio", **VOLUME}})
    domain.guest = "keeps"
    leaving = Deferred.fromCoroutine(disk.unplug(machine, {"drive": VOLUME}))
    host.clock.pump([1.0] * 30)
    with pytest.raises(DiskNotUnplugged):
        await leaving
    alias = next(one["alias"] for one in machine.record.conf["devices"] if one.get("name") == "vdb")
    host.trace.points.clear()
    domain.let_go(alias)
    assert names(machine) == ["vda", "hdc"]
    assert host.trace.points == ["after_disk_hotunplug"]
    assert alias in host.trace.given["after_disk_hotunplug"]["device"].text
    assert host.disks.calls[-1] == ("teardown", "vdb")


@pytest_twisted.ensureDeferred
async def test_who_waits_for_a_device_sees_to_it_alone(host: Any, machine: Any, domain: Any) -> None:
    await disk.unplug(machine, FIRST)
    assert host.trace.points == ["before_disk_hotunplug", "after_disk_hotunplug"]


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_told_at_once(host: Any, machine: Any, domain: Any) -> None:
    domain.guest = "refuses"
    with pytest.raises(NicNotUnplugged, match="refused"):
        await nic.unplug(machine, {"nic": {"macAddr": MAC}})
    assert host.trace.points == ["before_nic_hotunplug", "after_nic_hotunplug_fail"]
    assert [one["macAddr"] for one in machine.record.conf["devices"] if one["type"] == "interface"] == [MAC]


@pytest_twisted.ensureDeferred
async def test_a_guest_that_ends_meanwhile_ends_the_waiting(machine: Any, domain: Any) -> None:
    domain.guest = "keeps"
    leaving = Deferred.fromCoroutine(disk.unplug(machine, FIRST))
    machine.life.down(Exit.of(Reason.USER))
    with pytest.raises(NoSuchMachine):
        await leaving


@pytest_twisted.ensureDeferred
async def test_a_reconnected_daemon_sees_what_it_missed(host: Any, machine: Any, domain: Any) -> None:
    alias = next(one["alias"] for one in machine.record.conf["devices"] if one["type"] == "interface")
    domain.let_go(alias, tells=False)
    host.events.tell("libvirt.connected", uri="qemu:///system")
    assert all(one["type"] != "interface" for one in machine.record.conf["devices"])
    assert host.trace.points == ["after_nic_hotunplug"]


@pytest_twisted.ensureDeferred
async def test_events_of_strangers_and_of_devices_that_stay_change_nothing(
    host: Any, machine: Any, domain: Any
) -> None:
    before = machine.record.conf["devices"]
    for uuid, alias in ((ID, "nobody"), ("other", before[0]["alias"])):
        host.events.tell("libvirt.device_removed", uuid=uuid, alias=alias)
    assert machine.record.conf["devices"] == before and host.trace.points == []
