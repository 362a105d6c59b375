"""One machine on a real QEMU, from create to destroy."""

from typing import Any

import pytest_twisted


@pytest_twisted.ensureDeferred
async def test_a_machine_runs_pauses_goes_on_and_is_gone_after_destroy(
    bench: Any, params: dict[str, Any], libvirtd: Any
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
