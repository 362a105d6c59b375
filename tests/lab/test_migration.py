"""Machines move between two hosts, each with a whole daemon, and stay whole when that fails (spec migration 5-12)."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.daemons import DaemonHost, Daemons, boots
from lab.network import Network

MIB = 1 << 20
DONE = (0, "Migration done")
CANCELED = (47, "Migration canceled")
SLOW = 1
"""MiB/s: a move at this speed lasts until somebody ends it."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def daemons(lab: Lab, libvirt_cache: Path, guest: Path) -> Daemons:
    return Daemons(lab, Network(lab), libvirt_cache)


@pytest.fixture(scope="module")
def hosts(daemons: Daemons) -> list[DaemonHost]:
    return daemons.start("north", "south", settings={"migration.monitor_interval": 0.3})


@pytest.fixture
def vm(daemons: Daemons, hosts: list[DaemonHost]) -> Iterator[str]:
    """A machine with a disk that runs on the first host; both hosts know nothing of it afterwards."""
    north, south = hosts
    drive = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "index": "0"}
    params = boots(memSize="128", devices=[drive | daemons.volume(north, MIB)])
    north.call("create", params)
    north.until_status(params["vmId"], "Up")
    yield params["vmId"]
    for host in (north, south):
        for script in host.hooks.glob("*migrate*/*"):
            script.unlink()
        if host.status(params["vmId"]) != "gone":
            host.call("destroy", params["vmId"])
        assert params["vmId"] not in host.defined()


def streaming(host: DaemonHost, vm: str) -> None:
    """Waits until memory goes over the wire."""
    host.until(lambda: int(host.stats(vm).get("migrationProgress", 0)) > 0, "the guest's memory goes over")


def test_a_machine_moves_and_both_hosts_tell_it(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    before = north.stats(vm)
    assert north.call("migrateStatus", vm)["migrationStats"]["progress"] == 0
    north.move(vm, south, downtime="300", abortOnError="true")
    assert north.stats(vm)["status"] == "Migration Source"
    assert north.code("migrate", {"vmId": vm, "dst": south.dst}) == 51
    assert north.until_over(vm) == DONE, north.said() + south.said()
    told = north.call("migrateStatus", vm)
    assert told["progress"] == told["migrationStats"]["progress"] == 100
    assert told["migrationStats"]["downtime"] >= 0
    north.until_status(vm, "Down")
    gone = north.stats(vm)
    assert (gone["exitCode"], gone["exitReason"]) == (0, 4)
    south.until_status(vm, "Up")
    after = south.stats(vm)
    assert int(after["elapsedTime"]) >= int(before["elapsedTime"])
    (full,) = south.call("list", True, [vm])["vmList"]
    assert full["memSize"] == 128 and full["kernel"], "what the client gave came along"
    assert vm in south.defined()
    assert south.code("migrateCancel", vm) == 47
    assert south.code("migrateChangeParams", vm, {"maxBandwidth": 10}) in (81, 16)


def test_a_move_is_canceled_in_the_middle_and_the_guest_goes_on(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=SLOW)
    streaming(north, vm)
    assert north.call("getVdsStats")["info"]["outgoingVmMigrations"] == 1
    assert south.call("getVdsStats")["info"]["incomingVmMigrations"] == 1
    north.call("migrateCancel", vm)
    assert north.until_over(vm) == CANCELED
    north.until_status(vm, "Up")
    assert south.status(vm) == "gone"
    north.move(vm, south)
    assert north.until_over(vm) == DONE, "it can move afterwards"


def test_a_move_is_made_faster_while_it_goes_on(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=SLOW)
    streaming(north, vm)
    north.call("migrateChangeParams", vm, {"maxBandwidth": 500})
    assert north.until_over(vm) == DONE


def test_a_hook_of_the_destination_keeps_the_machine_where_it_is(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    south.script("before_vm_migrate_destination", "#!/bin/sh\necho no room >&2\nexit 2\n")
    north.move(vm, south)
    code, message = north.until_over(vm)
    assert code == 78 and message.startswith("Destination hook failed: ") and "no room" in message
    north.until_status(vm, "Up")
    assert south.status(vm) == "gone"


def test_a_hook_of_the_source_keeps_the_machine_where_it_is(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.script("before_vm_migrate_source", "#!/bin/sh\nexit 2\n")
    north.move(vm, south)
    assert north.until_over(vm)[0] == 12
    north.until_status(vm, "Up")
    assert south.status(vm) == "gone"


def test_who_cannot_be_called_is_no_destination(hosts: list[DaemonHost], vm: str) -> None:
    north, _ = hosts
    north.call("migrate", {"vmId": vm, "dst": "south:9"})
    code, message = north.until_over(vm)
    assert code == 12 and "south:9" in message
    north.until_status(vm, "Up")


def test_a_machine_that_is_there_already_is_left_alone(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    south.call("create", boots(vmId=vm, vmName="other", memSize="32", kernel="", initrd=""))
    south.until_status(vm, "Up")
    north.move(vm, south)
    assert north.until_over(vm)[0] == 4
    north.until_status(vm, "Up")
    assert south.status(vm) == "Up"


def test_a_busy_destination_is_asked_until_it_has_room(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    first = boots(memSize="128")
    north.call("create", first)
    north.until_status(first["vmId"], "Up")
    north.move(first["vmId"], south, maxBandwidth=SLOW, incomingLimit=1)
    streaming(north, first["vmId"])
    north.move(vm, south, incomingLimit=1)
    north.until(lambda: "its destination is busy" in north.said(), "the destination is busy")
    assert north.status(vm) == "Migration Source"
    north.call("migrateCancel", first["vmId"])
    assert north.until_over(first["vmId"]) == CANCELED
    assert north.until_over(vm) == DONE
    north.call("destroy", first["vmId"])
    south.until_status(vm, "Up")


def test_a_schedule_that_gives_up_ends_the_move(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    give_up = {"init": [{"name": "abort", "params": []}], "stalling": []}
    north.move(vm, south, maxBandwidth=SLOW, convergenceSchedule=give_up)
    assert north.until_over(vm) == CANCELED
    north.until_status(vm, "Up")


def test_a_paused_machine_arrives_paused(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.call("pause", vm)
    north.move(vm, south)
    assert north.until_over(vm) == DONE
    south.until_status(vm, "Paused")
    south.call("cont", vm)
    south.until_status(vm, "Up")


def test_the_destinations_daemon_is_killed_and_the_machine_arrives(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=SLOW)
    streaming(north, vm)
    south.kill()
    south.restart()
    assert south.status(vm) == "Migration Destination"
    north.call("migrateChangeParams", vm, {"maxBandwidth": 500})
    assert north.until_over(vm) == DONE
    south.join()
    south.until_status(vm, "Up")


def test_the_sources_daemon_is_killed_and_the_machine_arrives(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=20)
    streaming(north, vm)
    north.kill()
    north.restart()
    found = north.status(vm)
    assert found in ("Migration Source", "Down"), found
    south.until_status(vm, "Up", seconds=60)
    north.until_status(vm, "Down", seconds=60)
    assert (north.stats(vm)["exitCode"], north.stats(vm)["exitReason"]) == (0, 4)
    north.join()


def test_a_move_found_after_a_restart_can_be_canceled(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=SLOW)
    streaming(north, vm)
    north.kill()
    north.restart()
    north.join()
    assert north.status(vm) == "Migration Source"
    north.call("migrateCancel", vm)
    north.until_status(vm, "Up")
    south.until(lambda: south.status(vm) == "gone", "the destination is told")


def test_a_guest_that_ends_on_the_way_is_gone_on_both_hosts(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=SLOW)
    streaming(north, vm)
    north.call("destroy", vm)
    assert north.status(vm) == "gone"
    south.until(lambda: south.status(vm) == "gone", "the destination forgets it")


def test_a_stream_that_breaks_ends_the_move_and_not_the_guest(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    north.move(vm, south, maxBandwidth=SLOW)
    streaming(north, vm)
    os.kill(south.host.libvirtd.guest(f"n{vm[:8]}"), signal.SIGKILL)
    assert north.until_over(vm)[0] in (12, 102)
    north.until_status(vm, "Up")
    south.until(lambda: south.status(vm) == "gone", "the destination forgets it")


WAYS: list[dict[str, Any]] = [
    {"tunneled": "true"},
    {"autoConverge": "true", "compressed": "true"},
    {"parallel": 2, "maxBandwidth": 500},
]


def test_memory_goes_every_way_that_libvirt_offers(hosts: list[DaemonHost], vm: str) -> None:
    here, there = hosts
    for way in WAYS:
        here.move(vm, there, **way)
        assert here.until_over(vm) == DONE, (way, here.said())
        there.until_status(vm, "Up")
        here.call("destroy", vm)
        here, there = there, here


def test_after_post_copy_the_source_has_nothing_left(hosts: list[DaemonHost], vm: str) -> None:
    north, south = hosts
    later = {"stalling": [{"limit": 1000, "action": {"name": "postcopy", "params": []}}]}
    north.move(vm, south, maxBandwidth=5, convergenceSchedule=later)
    streaming(north, vm)
    north.host.libvirtd.virsh("migrate-postcopy", vm)
    north.until(lambda: north.status(vm) == "gone", "the source forgets it", 60)
    south.until_status(vm, "Up")
    assert vm not in north.defined()
