"""Machines through a whole daemon on real QEMU: how they end, who else touches them, what survives kill -9."""

import base64
import os
import signal

import pytest
from real.whole.house import BOOTS, new_id

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
STRANGER = """<domain type='qemu'><name>{name}</name><uuid>{id}</uuid><memory unit='MiB'>32</memory>
<os><type arch='x86_64'>hvm</type></os><devices>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""


@pytest.fixture
def running(own):
    """A house of one test, which may be killed, with a pool."""
    own.start()
    own.make_pool()
    return own


def test_a_killed_qemu_is_down_with_its_reason_until_destroy_also_after_a_restart(running):
    disk = running.make_volume()
    vm = running.up(devices=[{**DISK, **disk}])
    assert running.prepared()
    os.kill(running.qemu(vm), signal.SIGKILL)
    stats = running.failed(vm)
    assert (stats["exitCode"], stats["exitReason"], stats["exitMessage"]) == (1, 2, "Lost connection with qemu process")
    running.until(lambda: running.prepared() == [], "the disk is torn down")
    running.kill()
    running.start()
    again = running.stats(vm)
    for name in ("status", "exitCode", "exitReason", "exitMessage"):
        assert again[name] == stats[name]
    running.ask("destroy", vm)
    assert running.ask("list")["vmList"] == []
    assert vm not in running.defined()
    running.kill()
    running.start()
    assert running.ask("list")["vmList"] == []


def test_a_guest_that_ended_while_no_daemon_ran_is_down_afterwards(running):
    killed, destroyed = running.up(), running.up()
    pid = running.qemu(killed)
    running.kill()
    os.kill(pid, signal.SIGKILL)
    running.libvirtd.virsh("destroy", destroyed)
    running.start()
    for vm in (killed, destroyed):
        running.until(lambda vm=vm: running.stats(vm)["status"] == "Down", "it is seen to be down")
    assert running.stats(destroyed)["exitReason"] == 6
    assert running.stats(killed)["exitCode"] == 1


SAME = ("vmId", "vmName", "custom", "memSize", "smp", "display", "pid", "timeOffset", "devices", "status", "pauseCode")


def kept(full):
    return {name: full.get(name) for name in SAME}


def test_kill_9_of_the_daemon_loses_nothing_of_running_and_paused_machines(running):
    disk = running.make_volume()
    devices = [
        {**DISK, **disk, "custom": {"pinned": "yes"}, "deviceId": new_id()},
        {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
        {"type": "graphics", "device": "vnc"},
        {"type": "video", "device": "cirrus"},
    ]
    custom = {"colour": 'bl"ue & <grün>', "empty": ""}
    up = running.up(devices=devices, custom=custom, timeOffset="-3600")
    paused = running.create(launchPaused="true")
    running.until_status(paused, "Paused")
    before = {vm: running.full(vm) for vm in (up, paused)}
    running.until(lambda: "vda" in running.stats(up).get("disks", {}), "there are samples")
    stats = running.stats(up)

    running.kill()
    assert running.state(up) == "running"
    running.start()

    for vm in (up, paused):
        assert kept(running.full(vm)) == kept(before[vm])
    assert running.full(up)["custom"] == custom
    assert running.stats(paused)["status"] == "Paused"
    running.until(lambda: "vda" in running.stats(up).get("disks", {}), "there are samples again")
    after = running.stats(up)
    assert set(after) == set(stats)
    assert int(after["elapsedTime"]) >= int(stats["elapsedTime"])
    assert int(after["cpuUsage"]) >= int(stats["cpuUsage"])
    assert after["hash"] == stats["hash"]

    running.ask("cont", paused)
    assert running.state(paused) == "running"
    assert "Up" in (running.full(paused)["status"], running.stats(paused)["status"])
    running.rejoin()
    for vm in (up, paused):
        running.ask("destroy", vm)
    assert running.prepared() == []
    running.done("deleteImage", running.domain, running.pool, disk["imageID"])


def test_kill_9_in_the_middle_of_a_start_leaves_a_machine_or_none(running, tmp_path):
    running.script(
        "before_vm_start",
        f"#!/bin/sh\necho $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid\nexec sleep 600\n",
    )
    vm = running.create(devices=[{**DISK, **running.make_volume()}])
    running.until((tmp_path / "pid").exists, "the script runs")
    running.kill()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    running.no_scripts()
    running.start()
    assert running.ask("list")["vmList"] == []
    assert vm not in running.defined()
    running.rejoin()
    running.up(vmId=vm)
    assert running.left_behind(vm) == []


def test_a_restarted_libvirtd_finds_its_machines_managed_as_before(house):
    libvirtd = house.libvirtd
    staying, dying = house.up(custom={"a": "b"}), house.up()
    pid = house.qemu(dying)
    libvirtd.stop_daemon()
    house.until(lambda: house.code("pause", staying) == 16, "it notices")
    for verb in ("ping", "getAllVmStats", "list", "getVdsStats", "getAllTasks"):
        house.ask(verb)
    assert house.stats(staying)["status"] in ("Up", "Powering up")
    os.kill(pid, signal.SIGKILL)
    libvirtd.start(keep_guests=True)
    house.until(lambda: house.stats(dying)["status"] == "Down", "it catches up")
    house.until(lambda: house.code("pause", staying) == 0, "it is connected again")
    house.until_status(staying, "Paused")
    house.ask("cont", staying)
    assert house.full(staying)["custom"] == {"a": "b"}
    house.up()


def test_machines_of_others_are_listed_as_external_and_left_alone(house, tmp_path):
    ids = {name: new_id() for name in ("running", "off")}
    house.made += ids.values()
    for name, id in ids.items():
        document = tmp_path / f"{name}.xml"
        document.write_text(STRANGER.format(name=f"whole-{name}", id=id))
        house.libvirtd.virsh("define", str(document))
    house.libvirtd.virsh("start", ids["running"])
    house.until(lambda: len(house.ask("list")["vmList"]) == 1, "it is listed")
    full = house.full(ids["running"])
    assert (full["external"], full["vmName"]) == (True, "whole-running")
    before = house.xml(ids["running"])
    house.ask("getAllVmStats")
    house.libvirtd.virsh("suspend", ids["running"])
    house.until_status(ids["running"], "Paused")
    house.libvirtd.virsh("resume", ids["running"])
    assert house.xml(ids["running"]) == before
    house.libvirtd.virsh("destroy", ids["running"])
    house.until(lambda: house.ask("list")["vmList"][0]["status"] == "Down", "its end is seen")
    house.ask("destroy", ids["running"])
    assert set(ids.values()) <= set(house.defined())
    for id in ids.values():
        house.libvirtd.virsh("undefine", id)


def test_a_machine_launched_paused_waits_for_cont(house):
    vm = house.create(launchPaused=True)
    house.until_status(vm, "Paused")
    assert house.state(vm) == "paused"
    assert house.stats(vm)["pauseCode"] == "NOERR"
    house.ask("cont", vm)
    assert house.state(vm) == "running"
    assert "pauseCode" not in house.stats(vm)
    assert house.left_behind(vm) == []


def test_the_same_id_twice_is_refused_and_ids_are_free_again_after_destroy(house):
    vm = house.up()
    assert house.code("create", {"vmId": vm, "memSize": "32"}) == 4
    house.unplug(vm)
    assert house.code("create", {"vmId": vm, "memSize": "32"}) == 4
    house.ask("destroy", vm)
    assert house.up(vmId=vm) == vm


def test_a_name_that_libvirt_has_already_is_told_as_the_exit_reason(house):
    house.up(vmName="twins")
    second = house.create(vmName="twins")
    stats = house.failed(second)
    assert "twins" in stats["exitMessage"]
    house.ask("destroy", second)
    assert house.libvirtd.virsh("domstate", "twins").strip() == "running"


def test_many_machines_at_once_all_start_and_end(house):
    vms = [house.create(launchPaused=True) for _ in range(8)]
    for vm in vms:
        house.until_status(vm, "Paused")
    assert {one["vmId"] for one in house.ask("getAllVmStats")["statsList"]} == set(vms)
    assert set(vms) <= set(house.defined())


def test_destroy_in_the_middle_of_a_start_leaves_nothing(house):
    for _ in range(4):
        disk = house.make_volume()
        vm = house.create(devices=[{**DISK, **disk}], launchPaused=True)
        house.ask("destroy", vm)
        assert (house.left_behind(vm), house.prepared(), vm in house.defined()) == ([], [], False)
        house.done("deleteImage", house.domain, house.pool, disk["imageID"])


# -- guests that really run


KEEP_CONSOLE = """#!/usr/bin/env python3
import os
import hooking

if path := os.environ.get("console_log"):
    domain = hooking.read_domxml()
    for serial in domain.getElementsByTagName("serial"):
        log = domain.createElement("log")
        log.setAttribute("file", path)
        serial.appendChild(log)
    hooking.write_domxml(domain)
"""
NOTE = "This note was never on any disk: größer als 0\n"


def test_a_guest_reads_its_payload_and_what_it_does_by_itself_is_its_end(house, guest, tmp_path):
    house.script("before_vm_start", KEEP_CONSOLE)
    console = tmp_path / "console"
    files = {"note.txt": NOTE, "openstack/latest/meta_data.json": '{"uuid": "x"}'}
    payload = {
        "volId": "config-2",
        "file": {name: base64.b64encode(text.encode()).decode() for name, text in files.items()},
    }
    vm = house.up(
        **BOOTS,
        kernelArgs="console=ttyS0 quiet virgate.payload=1",
        custom={"console_log": str(console)},
        devices=[
            {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
            {"type": "disk", "device": "cdrom", "iface": "ide", "specParams": {"vmPayload": payload}},
        ],
    )

    def said():
        return console.read_text(errors="replace") if console.exists() else ""

    house.until(lambda: "VIRGATE-GUEST-UP" in said(), "the guest is up", 90)
    for name, text in files.items():
        assert f"== {name}" in said().replace("\r", "")
        assert text.strip() in said()
    assert len(house.left_behind(vm)) == 1
    house.libvirtd.virsh("shutdown", vm, "--mode", "acpi")  # as a user at the guest's own console would
    stats = house.failed(vm)
    assert (stats["exitCode"], stats["exitReason"]) == (0, 7)
    assert stats["exitMessage"] == "User shut down from within the guest"
    house.until(lambda: house.left_behind(vm) == [], "its payload is gone")
    assert house.ask("list")["vmList"][0]["status"] == "Down"


def test_a_shutdown_that_a_client_asks_for_is_the_administrators(house, guest):
    vm = house.up(**BOOTS, kernelArgs="quiet")
    house.ask("shutdown", vm, "0", "", False, "1", True)
    house.until(lambda: house.stats(vm)["status"] == "Down", "it is down", 60)
    stats = house.stats(vm)
    assert (stats["exitCode"], stats["exitReason"]) == (0, 6)
