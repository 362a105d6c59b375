"""A running guest survives the sudden death of its daemon."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest_twisted
from lab.libvirtd import PrivateLibvirtd

from virgate.node.vm import describe
from virgate.run.process import spawn

DAEMON = Path(__file__).with_name("daemon.py")


@pytest_twisted.ensureDeferred
async def test_a_guest_survives_kill_9_of_its_daemon_and_is_managed_again_with_all_its_properties(
    bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd, tmp_path: Path
) -> None:
    vm = params["vmId"]
    await bench.machines.stop()  # the other daemon is the only one for now
    image = tmp_path / "disk.raw"
    image.write_bytes(bytes(1 << 20))
    disk = {
        "type": "disk",
        "device": "disk",
        "iface": "virtio",
        "format": "raw",
        "path": str(image),
        "custom": {"pinned": "yes"},
        "deviceId": "d1",
    }
    params |= {"custom": {"colour": "blue"}, "timeOffset": "-3600", "unheardOf": [1, "two"], "devices": [disk]}
    async with spawn([sys.executable, str(DAEMON), libvirtd.uri, str(tmp_path), json.dumps(params)]) as daemon:
        async for line in daemon.pieces("\n"):
            before = json.loads(line)
            break
        daemon.kill()
        await daemon.exit_code()
    assert before["status"] == "Up"
    assert libvirtd.virsh("domstate", vm).strip() == "running"

    await bench.machines.start()
    machine = bench.machines.find(vm)
    after = describe.full(machine)
    for own in ("statusTime", "pid"):
        before.pop(own)
        after.pop(own)
    assert after == before
    assert machine.record.custom == {"colour": "blue"}
    assert [one.custom for one in hooked(machine)] == [{"pinned": "yes"}]
    assert 0 < bench.machines.means.wall() - machine.record.started < 120

    await machine.pause()
    await machine.cont()
    libvirtd.virsh("destroy", vm)
    await bench.until(vm, "Down")
    assert machine.vitals.exit.reason == 6


def hooked(machine: Any) -> list[Any]:
    from virgate.domxml.hooked import hooked_devices
    from virgate.domxml.tree import parse

    return hooked_devices(parse(machine.record.xml), machine.request)


@pytest_twisted.ensureDeferred
async def test_machines_are_caught_up_with_after_libvirtd_was_away(
    bench: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd
) -> None:
    vm = params["vmId"]
    machine = await bench.machines.create(params)
    await bench.until(vm, "Powering up", "Down")
    pid = libvirtd.guest(params["vmName"])
    libvirtd.stop_daemon()
    os.kill(pid, signal.SIGKILL)
    libvirtd.start(keep_guests=True)
    await bench.until(vm, "Down")
    assert machine.vitals.exit is not None
