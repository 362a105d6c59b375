"""Ends of machines: destroy, guests that end by themselves, and what is released exactly once (spec hooks 1.8)."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm import flags
from virgate.node.vm.errors import CannotDestroy, NoSuchMachine
from virgate.node.vm.life import Status

ID = "11111111-1111-4111-8111-111111111111"
BOOM = HypervisorFailed(1, "boom")


@pytest.fixture
def params(params: dict[str, Any]) -> dict[str, Any]:
    image = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
    device = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "custom": {"a": "b"}, **image}
    return {**params, "devices": [device]}


@pytest_twisted.ensureDeferred
async def test_destroy_runs_its_points_in_order_and_forgets_the_machine(host: Any, params: dict[str, Any]) -> None:
    await host.running(params)
    await host.machines.destroy(ID)
    assert host.trace.points == [
        "before_device_destroy",
        "before_vm_destroy",
        "after_vm_destroy",
        "after_device_destroy",
    ]
    assert host.domains.domains == {} and ID not in host.machines
    assert host.disks.calls[-1] == ("teardown", "vda")
    assert host.statuses == ["Powering down", "Down"]
    assert host.told[-1]["details"]["exitReason"] == 6


@pytest_twisted.ensureDeferred
async def test_device_hooks_are_given_the_devices_present_xml(host: Any, params: dict[str, Any]) -> None:
    await host.running(params)
    await host.machines.destroy(ID)
    for point in ("before_device_destroy", "after_device_destroy"):
        assert 'dev="vda"' in host.trace.given[point]["device"].text
        assert host.trace.given[point]["device"].custom == {"a": "b"}


@pytest_twisted.ensureDeferred
async def test_a_refusing_device_hook_keeps_the_machine_running(host: Any, params: dict[str, Any]) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("not now")

    machine = await host.running(params)
    host.trace.act["before_device_destroy"] = refuse
    with pytest.raises(HookError):
        await host.machines.destroy(ID)
    assert machine.vitals.status is Status.UP
    assert "destroy" not in host.domains.names


@pytest_twisted.ensureDeferred
async def test_a_failing_before_vm_destroy_does_not_save_the_machine(host: Any, params: dict[str, Any]) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("not now")

    await host.running(params)
    host.trace.act["before_vm_destroy"] = refuse
    await host.machines.destroy(ID)
    assert ID not in host.machines


@pytest_twisted.ensureDeferred
async def test_a_guest_that_resists_politeness_is_ended_plainly(host: Any, params: dict[str, Any]) -> None:
    await host.running(params)
    host.domains.fail["destroy"] = [BOOM]
    await host.machines.destroy(ID)
    assert [call for call in host.domains.calls if call[0] == "destroy"] == [
        ("destroy", ID, True),
        ("destroy", ID, False),
    ]


@pytest_twisted.ensureDeferred
async def test_a_guest_that_libvirt_keeps_is_an_error_and_stays_listed(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    host.domains.fail["destroy"] = [BOOM, BOOM]
    with pytest.raises(CannotDestroy) as refused:
        await host.machines.destroy(ID)
    assert refused.value.code == 42
    assert machine.vitals.status is Status.POWERING_DOWN
    assert ID in host.machines
    await host.machines.destroy(ID)
    assert ID not in host.machines


@pytest_twisted.ensureDeferred
async def test_a_guest_that_ends_by_itself_is_released_down_and_listed_until_destroyed(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.running(params)
    host.domains.stop(ID, "shutdown")
    await machine.release.run(machine.document)  # never runs: it waits for the release that the event began
    assert host.trace.points == ["after_vm_destroy", "after_device_destroy"]
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 7)
    assert ID in host.machines
    await host.machines.destroy(ID)
    assert host.trace.points[2:] == ["before_device_destroy", "before_vm_destroy"]
    assert host.domains.domains == {}
    assert [call for call in host.disks.calls if call[0] == "teardown"] == [("teardown", "vda")]


@pytest_twisted.ensureDeferred
async def test_a_disk_that_stays_busy_does_not_keep_the_machine_from_going_down(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.running(params)
    host.disks.fail["teardown vda"] = OSError("busy")
    host.domains.stop(ID, "crashed")
    await machine.release.run(machine.document)
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (1, 2)


@pytest_twisted.ensureDeferred
async def test_the_exit_reason_outlives_the_daemon_until_destroy(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    host.domains.stop(ID, "shutdown")
    await machine.release.run(machine.document)
    again = host.again()
    await again.start()
    assert again.find(ID).vitals.exit == machine.vitals.exit
    await again.destroy(ID)
    third = host.again()
    await third.start()
    assert len(third) == 0
    await again.stop()
    await third.stop()


@pytest_twisted.ensureDeferred
async def test_two_destroys_of_one_machine_are_one_and_a_no_such_machine(host: Any, params: dict[str, Any]) -> None:
    await host.running(params)
    gate = host.domains.hold["destroy"] = Deferred()
    first = Deferred.fromCoroutine(host.machines.destroy(ID))
    second = Deferred.fromCoroutine(host.machines.destroy(ID))
    host.domains.hold.clear()
    gate.callback(None)
    await first
    with pytest.raises(NoSuchMachine):
        await second
    assert host.trace.points.count("before_vm_destroy") == 1


@pytest_twisted.ensureDeferred
async def test_an_unknown_machine_cannot_be_destroyed(host: Any) -> None:
    with pytest.raises(NoSuchMachine) as unknown:
        await host.machines.destroy("v1")
    assert (unknown.value.code, str(unknown.value)) == (1, "Virtual machine does not exist")


@pytest_twisted.ensureDeferred
async def test_a_destroyed_id_can_be_created_again(host: Any, params: dict[str, Any]) -> None:
    await host.running(params)
    await host.machines.destroy(ID)
    await host.running(params)
    await host.machines.destroy(ID)


@pytest_twisted.ensureDeferred
async def test_a_client_may_ask_for_more_patience_with_qemu(host: Any, params: dict[str, Any]) -> None:
    await host.running(params)
    host.domains.fail["destroy"] = [BOOM, BOOM]
    await host.machines.destroy(ID, 3)
    assert [call[2] for call in host.domains.calls if call[0] == "destroy"] == [True, True, True]


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_cleaned_up_keeps_no_machine_from_its_end(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    flags.path(host.machines.means.run_dir, ID).mkdir(parents=True)  # a script did that
    host.domains.fail["set_metadata"] = [RuntimeError("a defect")]
    host.domains.stop(ID, "shutdown")
    await machine.release.run(machine.document)
    assert machine.vitals.status is Status.DOWN
    assert host.disks.calls[-1] == ("teardown", "vda")
    assert "after_vm_destroy" in host.trace.points
    await host.machines.destroy(ID)
    assert ID not in host.machines
