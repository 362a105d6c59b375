"""What a daemon that is started later makes of what was plugged and unplugged before and meanwhile."""

from typing import Any

import pytest_twisted
from doubles.machines import ID
from unit.vm.plugging.conftest import MAC, VOLUME

from virgate.domxml.errors import BadDevice
from virgate.node.vm.plugging import disk, tickets

DRIVE = {"type": "disk", "device": "disk", "iface": "virtio", **VOLUME}


def names(machine: Any) -> list[str]:
    return [str(one.get("name")) for one in machine.record.conf["devices"] if one["type"] == "disk"]


async def again(host: Any) -> Any:
    host.disks.calls.clear()
    host.guards.calls.clear()
    machines = host.again()
    await machines.start()
    return machines


@pytest_twisted.ensureDeferred
async def test_a_plugged_disk_is_found_with_its_volume_and_prepared(host: Any, machine: Any, domain: Any) -> None:
    await disk.plug(machine, {"drive": {**DRIVE, "custom": {"colour": "red"}}})
    machines = await again(host)
    found = machines.find(ID)
    (plugged,) = [one for one in found.record.conf["devices"] if one.get("name") == "vdb"]
    assert (plugged["volumeID"], plugged["custom"]) == ("volume", {"colour": "red"})
    assert host.disks.calls == [("prepare", "vdb")]
    await disk.unplug(found, {"drive": VOLUME})
    assert host.disks.calls[-1] == ("teardown", "vdb")
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_what_left_meanwhile_is_torn_down_and_nobody_is_told(host: Any, machine: Any, domain: Any) -> None:
    await disk.plug(machine, {"drive": DRIVE})
    for one in machine.record.conf["devices"]:
        if one.get("name") == "vdb" or one.get("macAddr") == MAC:
            domain.let_go(one["alias"], tells=False)
    host.trace.points.clear()
    machines = await again(host)
    found = machines.find(ID)
    assert names(found) == ["vda", "hdc"]
    assert all(one["type"] != "interface" for one in found.record.conf["devices"])
    assert (host.guards.calls, host.disks.calls) == (["give back"], [("teardown", "vdb")])
    assert [one.target for one in found.record.disks] == ["vda", "hdc"]
    assert host.trace.points == []
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_the_wish_of_a_client_for_its_leaving_outlives_the_daemon(host: Any, machine: Any, domain: Any) -> None:
    wanted = {"graphicsType": "spice", "password": "x", "ttl": 60, "disconnectAction": "REBOOT"}
    await tickets.update_display(machine, wanted)
    machines = await again(host)
    screens = [one for one in machines.find(ID).record.conf["devices"] if one["type"] == "graphics"]
    assert {one["disconnectAction"] for one in screens} == {"REBOOT"}
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_a_disk_that_is_unplugged_before_its_storage_is_back_is_not_prepared_any_more(
    host: Any, machine: Any, domain: Any
) -> None:
    await disk.plug(machine, {"drive": DRIVE})
    host.disks.fail["prepare vdb"] = BadDevice("disk", "no storage yet")
    machines = await again(host)
    await disk.unplug(machines.find(ID), {"drive": VOLUME})
    host.disks.fail.clear()
    host.clock.advance(60)
    assert host.disks.calls.count(("prepare", "vdb")) == 1 and host.disks.calls[-1] == ("teardown", "vdb")
    await machines.stop()
