"""One machine on a real QEMU, from create to destroy."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from lab.libvirtd import PrivateLibvirtd

from virgate import hookimpl
from virgate.node.vm import console, describe
from virgate.node.vm.errors import NoConsole
from virgate.node.vm.figures import statistics
from virgate.node.vm.powerdown import power_down


@pytest_twisted.ensureDeferred
async def test_a_machine_runs_pauses_goes_on_and_is_gone_after_destroy(
    bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd
) -> None:
    vm = params["vmId"]
    machine = await bench.machines.create(params)
    assert machine.vitals.status == "WaitForLaunch"
    await bench.until(vm, "Powering up", "Down")
    assert machine.vitals.exit is None
    assert libvirtd.virsh("domstate", vm).strip() == "running"

    await machine.pause()
    assert libvirtd.virsh("domstate", vm).strip() == "paused"
    assert machine.vitals.status == "Paused"
    await machine.cont()
    assert libvirtd.virsh("domstate", vm).strip() == "running"
    assert machine.vitals.status == "Up"

    await bench.machines.destroy(vm)
    assert vm not in libvirtd.virsh("list", "--all", "--uuid")
    assert len(bench.machines) == 0


@pytest_twisted.ensureDeferred
async def test_launch_paused_waits_for_cont(bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd) -> None:
    vm = params["vmId"]
    machine = await bench.machines.create({**params, "launchPaused": True})
    await bench.until(vm, "Paused", "Down")
    assert libvirtd.virsh("domstate", vm).strip() == "paused"
    assert machine.vitals.pause_code == "NOERR"
    await machine.cont()
    assert libvirtd.virsh("domstate", vm).strip() == "running"


@pytest_twisted.ensureDeferred
async def test_hooks_see_and_change_the_machine_in_order(
    bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd
) -> None:
    class Plugin:
        seen: list[str] = []

        @staticmethod
        @hookimpl
        def before_vm_start(vm: Any, domain: Any) -> None:
            Plugin.seen.append(f"before_vm_start {vm.custom['colour']}")
            domain.text = domain.text.replace("</name>", "</name><title>a blue one</title>")

        @staticmethod
        @hookimpl
        def after_vm_start(vm: Any, domain: Any) -> None:
            Plugin.seen.append("after_vm_start " + str(domain.tree.get("id") is not None))

        @staticmethod
        @hookimpl
        def after_vm_pause(vm: Any) -> None:
            Plugin.seen.append("after_vm_pause")

        @staticmethod
        @hookimpl
        def after_vm_cont(vm: Any) -> None:
            Plugin.seen.append("after_vm_cont")

    bench.hooks.register(Plugin, "plugin")
    vm = params["vmId"]
    machine = await bench.machines.create({**params, "custom": {"colour": "blue"}})
    await bench.until(vm, "Powering up", "Down")
    assert "<title>a blue one</title>" in libvirtd.virsh("dumpxml", vm)
    libvirtd.virsh("suspend", vm)
    await bench.until(vm, "Paused")
    libvirtd.virsh("resume", vm)
    await bench.until(vm, "Powering up")
    await machine.hook_lane.empty()
    assert Plugin.seen == ["before_vm_start blue", "after_vm_start True", "after_vm_pause", "after_vm_cont"]


@pytest_twisted.ensureDeferred
async def test_real_samples_become_statistics(bench: Any, until: Any, params: dict[str, Any], tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    image.touch()
    with image.open("r+b") as file:
        file.truncate(8 << 20)
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "path": str(image), "cache": "none"}
    screen = {"type": "graphics", "device": "vnc"}
    machine = await bench.machines.create({**params, "devices": [disk, screen]})
    await bench.until(params["vmId"], "Powering up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit

    def read() -> bool:  # the firmware looks for something to boot
        return str(statistics(machine).get("disks", {}).get("vda", {}).get("readBytes", "0")) != "0"

    await until(read)
    members = statistics(machine)
    assert float(members["cpuUser"]) + float(members["cpuSys"]) > 0
    assert members["vcpuCount"] == "1"
    assert members["disks"]["vda"]["apparentsize"] == str(8 << 20)
    assert members["displayType"] == "vnc" and int(members["displayPort"]) >= 5900
    assert int(members["elapsedTime"]) < 60
    full = describe.full(machine)
    (found,) = [one for one in full["devices"] if one["type"] == "disk"]
    assert found["name"] == "vda" and found["alias"] and found["address"]["type"] == "pci"


@pytest_twisted.ensureDeferred
async def test_a_disk_that_is_not_there_is_told_as_the_exit_reason(
    bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd
) -> None:
    vm = params["vmId"]
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "path": "/nowhere/disk"}
    machine = await bench.machines.create({**params, "devices": [disk]})
    await bench.until(vm, "Powering up", "Down")
    assert machine.vitals.exit.code == 1
    assert "/nowhere/disk" in machine.vitals.exit.message
    assert libvirtd.virsh("domstate", vm).strip() == "shut off"
    await bench.machines.destroy(vm)
    assert vm not in libvirtd.virsh("list", "--all", "--uuid")


@pytest_twisted.ensureDeferred
async def test_a_killed_qemu_is_a_lost_one(bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd) -> None:
    vm = params["vmId"]
    machine = await bench.machines.create(params)
    await bench.until(vm, "Powering up", "Down")
    pid = libvirtd.guest(params["vmName"])
    os.kill(pid, signal.SIGKILL)
    await bench.until(vm, "Down")
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (1, 2)
    assert "exitReason" in libvirtd.virsh("dumpxml", vm)


@pytest_twisted.ensureDeferred
async def test_reset_and_forced_shutdown_reach_the_guest(
    bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd
) -> None:
    vm = params["vmId"]
    machine = await bench.machines.create(params)
    await bench.until(vm, "Powering up", "Down")
    await machine.reset()
    assert machine.status == "RebootInProgress"
    power_down(machine, reboot=False, timeout=0.2, force=True)
    await bench.until(vm, "Down")
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 6)
    assert libvirtd.virsh("domstate", vm).strip() == "shut off"


@pytest_twisted.ensureDeferred
async def test_the_console_of_a_running_machine_is_found(bench: Any, params: dict[str, Any]) -> None:
    device = {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}}
    machine = await bench.machines.create({**params, "devices": [device]})
    await bench.until(params["vmId"], "Powering up", "Down")
    place = await console.find(machine)
    assert place.kind == "pty" and place.path.startswith("/dev/pts/")


@pytest_twisted.ensureDeferred
async def test_a_machine_without_console_says_so(bench: Any, params: dict[str, Any]) -> None:
    machine = await bench.machines.create(params)
    await bench.until(params["vmId"], "Powering up", "Down")
    with pytest.raises(NoConsole):
        await console.find(machine)


@pytest_twisted.ensureDeferred
async def test_a_domain_of_virsh_is_listed_as_external_and_left_alone(
    bench: Any, until: Any, libvirtd: PrivateLibvirtd, tmp_path: Path
) -> None:
    vm = "99999999-9999-4999-8999-999999999999"
    document = tmp_path / "stranger.xml"
    document.write_text(
        f"<domain type='qemu'><name>stranger</name><uuid>{vm}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64'>hvm</type></os></domain>"
    )
    libvirtd.virsh("create", str(document))
    await until(lambda: bench.machines.get(vm) is not None)
    assert describe.full(bench.machines.find(vm))["external"] is True
    libvirtd.virsh("destroy", vm)
    await bench.until(vm, "Down")
