"""Starting: the sequence of spec hooks 1.8, and what a failure at each step leaves behind: nothing."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import launched
from lxml import etree
from twisted.internet.defer import Deferred

from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.life import Status

ID = "11111111-1111-4111-8111-111111111111"
IMAGE = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}


def disk(**keys: Any) -> dict[str, Any]:
    return {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **keys}


@pytest_twisted.ensureDeferred
async def test_create_answers_before_the_guest_runs_and_then_it_is_up(host: Any, params: dict[str, Any]) -> None:
    host.domains.hold["start"] = Deferred()
    machine = await host.machines.create(params)
    assert machine.vitals.status is Status.WAIT_FOR_LAUNCH
    host.domains.hold.pop("start").callback(None)
    await launched(machine)
    assert machine.vitals.status is Status.UP
    assert machine.status is Status.POWERING_UP
    assert host.domains.names[:3] == ["define", "start", "xml"]


@pytest_twisted.ensureDeferred
async def test_points_fire_in_order_and_flags_are_gone_afterwards(host: Any, params: dict[str, Any]) -> None:
    params["devices"] = [disk(**IMAGE), disk(path="/images/b", custom={"pinned": "yes"})]
    await launched(await host.machines.create(params))
    assert host.trace.points == [
        "after_disk_prepare",
        "before_device_create",
        "before_vm_start",
        "after_vm_start",
        "after_device_create",
    ]
    assert list(host.run_dir.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_the_machine_is_told_up_only_after_its_hooks_ran(host: Any, params: dict[str, Any]) -> None:
    async def look(**_: Any) -> None:
        seen.append(host.machines.find(ID).vitals.status)

    seen: list[Status] = []
    host.trace.act["after_vm_start"] = look
    await launched(await host.machines.create(params))
    assert seen == [Status.WAIT_FOR_LAUNCH]
    assert host.statuses == ["Powering up"]


@pytest_twisted.ensureDeferred
async def test_what_a_script_leaves_is_what_the_hypervisor_gets_to_the_letter(
    host: Any, params: dict[str, Any]
) -> None:
    async def change(domain: Any, **_: Any) -> None:
        domain.text = domain.text.replace("<name>one</name>", "<name>one</name><!-- mine --><title>t</title>")

    host.trace.act["before_vm_start"] = change
    await launched(await host.machines.create(params))
    defined = host.domains.calls[0][1]
    assert "<!-- mine --><title>t</title>" in defined
    assert defined == host.trace.given["before_vm_start"]["domain"].text


@pytest_twisted.ensureDeferred
async def test_a_device_hook_replaces_its_device_in_place(host: Any, params: dict[str, Any]) -> None:
    async def change(device: Any, **_: Any) -> None:
        assert device.custom == {"pinned": "yes"}
        device.tree.set("sgio", "filtered")

    params["devices"] = [disk(path="/a", custom={"pinned": "yes"}), disk(path="/b")]
    host.trace.act["before_device_create"] = change
    await launched(await host.machines.create(params))
    found = etree.fromstring(host.domains.calls[0][1].encode()).findall("devices/disk")
    assert [(one.find("target").get("dev"), one.get("sgio")) for one in found] == [("vda", "filtered"), ("vdb", None)]


@pytest_twisted.ensureDeferred
async def test_after_disk_prepare_may_move_the_disk(host: Any, params: dict[str, Any]) -> None:
    async def change(data: Any, **_: Any) -> None:
        assert data.value["path"] == "/rhev/vda"
        assert data.value["imageID"] == "i"
        data.value = {**data.value, "path": "/local/copy", "format": "cow", "imageID": "ignored"}

    params["devices"] = [disk(**IMAGE)]
    host.trace.act["after_disk_prepare"] = change
    await launched(await host.machines.create(params))
    found = etree.fromstring(host.domains.calls[0][1].encode()).find("devices/disk")
    assert found.find("source").get("file") == "/local/copy"
    assert found.find("driver").get("type") == "qcow2"


@pytest_twisted.ensureDeferred
async def test_launch_paused_starts_paused_and_a_script_can_change_that(host: Any, params: dict[str, Any]) -> None:
    params["launchPaused"] = "false"  # its presence counts
    machine = await host.machines.create(params)
    await launched(machine)
    assert host.domains.calls[1] == ("start", ID, True, 1)
    assert (machine.vitals.status, machine.vitals.pause_code) == (Status.PAUSED, "NOERR")
    assert "launchPaused" not in machine.record.conf
    await host.machines.destroy(ID)

    async def unpause(**_: Any) -> None:
        (host.run_dir / ID / "launchflags").write_text("0\n")

    host.domains.calls.clear()
    host.trace.act["before_vm_start"] = unpause
    machine = await host.machines.create(params)
    await launched(machine)
    assert host.domains.calls[1] == ("start", ID, False, 0)
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_hook_may_continue_a_machine_that_starts_paused(host: Any, params: dict[str, Any]) -> None:
    async def cont(**_: Any) -> None:
        await host.machines.find(ID).cont()

    params["launchPaused"] = True
    host.trace.act["after_vm_start"] = cont
    machine = await host.machines.create(params)
    await launched(machine)
    assert machine.vitals.status is Status.UP


BOOM = HypervisorFailed(1, "boom")
FAILURES: dict[str, tuple[str, Any, str]] = {
    "a disk": ("disk", ("prepare vdb", BOOM), "libvirt failed: boom"),
    "after_disk_prepare": ("hook", "after_disk_prepare", "Hook Error: no"),
    "before_device_create": ("hook", "before_device_create", "Hook Error: no"),
    "before_vm_start": ("hook", "before_vm_start", "Hook Error: no"),
    "define": ("libvirt", "define", "libvirt failed: boom"),
    "start": ("libvirt", "start", "libvirt failed: boom"),
}


@pytest.mark.parametrize("step", FAILURES)
@pytest_twisted.ensureDeferred
async def test_a_failure_is_down_with_its_text_and_leaves_nothing(host: Any, params: dict[str, Any], step: str) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no")

    kind, what, text = FAILURES[step]
    params["devices"] = [disk(**IMAGE, custom={"a": "b"}), disk(**IMAGE)]
    if kind == "disk":
        host.disks.fail[what[0]] = what[1]
    elif kind == "hook":
        host.trace.act[what] = refuse
    else:
        host.domains.fail[what] = [BOOM]
    machine = await host.machines.create(params)
    await launched(machine)
    exit = machine.vitals.exit
    assert (exit.code, exit.reason, exit.message) == (1, 1, text)
    assert "after_vm_destroy" not in host.trace.points
    assert host.statuses == ["Down"]
    prepared = [target for call, target in host.disks.calls if call == "prepare"]
    torn = [target for call, target in host.disks.calls if call == "teardown"]
    assert torn == [target for target in reversed(prepared) if f"prepare {target}" not in host.disks.fail]
    assert list(host.run_dir.iterdir()) == []
    assert all(domain.state == "shutoff" for domain in host.domains.domains.values())


@pytest_twisted.ensureDeferred
async def test_scripts_that_cleaned_up_after_guests_are_run_for_a_failed_start_when_it_is_destroyed(
    host: Any, params: dict[str, Any]
) -> None:
    params["devices"] = [disk(**IMAGE)]
    host.domains.fail["start"] = [BOOM]
    await host.machines.create(params)
    torn = host.disks.calls.count(("teardown", "vda"))
    host.trace.points.clear()
    await host.machines.destroy(ID)
    assert host.trace.points == ["before_vm_destroy", "after_vm_destroy"]
    assert host.disks.calls.count(("teardown", "vda")) == torn == 1


@pytest_twisted.ensureDeferred
async def test_slow_scripts_after_the_start_do_not_hold_up_other_machines(host: Any, params: dict[str, Any]) -> None:
    gate: Deferred[None] = Deferred()

    async def slow(**_: Any) -> None:
        await gate

    host.trace.act["after_vm_start"] = slow
    for number in range(2, 8):
        await host.machines.create({**params, "vmId": f"{number}{ID[1:]}"})
    assert host.domains.names.count("start") == 6
    gate.callback(None)


@pytest_twisted.ensureDeferred
async def test_a_failed_start_is_remembered_by_the_domain_it_defined(host: Any, params: dict[str, Any]) -> None:
    host.domains.fail["start"] = [BOOM]
    await launched(await host.machines.create(params))
    again = host.again()
    await again.start()
    exit = again.find(ID).vitals.exit
    assert (exit.code, exit.reason, exit.message) == (1, 1, "libvirt failed: boom")
    await again.stop()


@pytest_twisted.ensureDeferred
async def test_broken_xml_of_a_script_is_named_as_such_and_never_defined(host: Any, params: dict[str, Any]) -> None:
    async def break_it(domain: Any, **_: Any) -> None:
        domain.text = "<domain>"

    host.trace.act["before_vm_start"] = break_it
    machine = await host.machines.create(params)
    await launched(machine)
    assert "not well-formed" in machine.vitals.exit.message
    assert host.domains.names == []


@pytest_twisted.ensureDeferred
async def test_flags_that_are_no_number_fail_the_start(host: Any, params: dict[str, Any]) -> None:
    async def spoil(**_: Any) -> None:
        (host.run_dir / ID / "launchflags").write_text("0x1")

    host.trace.act["before_vm_start"] = spoil
    machine = await host.machines.create(params)
    await launched(machine)
    assert machine.vitals.exit.code == 1
    assert host.domains.names == []


@pytest_twisted.ensureDeferred
async def test_a_guest_that_ends_while_its_hooks_run_is_down_as_it_ended(host: Any, params: dict[str, Any]) -> None:
    async def end(**_: Any) -> None:
        host.domains.stop(ID, "shutdown")

    host.trace.act["after_vm_start"] = end
    machine = await host.machines.create(params)
    await launched(machine)
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 7)


@pytest_twisted.ensureDeferred
async def test_destroying_a_starting_machine_ends_its_waiting_hook(host: Any, params: dict[str, Any]) -> None:
    cancelled = []
    stuck: Deferred[None] = Deferred(lambda _: cancelled.append(True))

    async def hang(**_: Any) -> None:
        await stuck

    params["devices"] = [disk(**IMAGE)]
    host.trace.act["before_vm_start"] = hang
    machine = await host.machines.create(params)
    await host.machines.destroy(ID)
    assert cancelled == [True]
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 10)
    assert ("teardown", "vda") in host.disks.calls
    assert "define" not in host.domains.names
    assert ID not in host.machines


@pytest_twisted.ensureDeferred
async def test_destroying_while_the_hypervisor_starts_waits_and_then_ends_the_guest(
    host: Any, params: dict[str, Any]
) -> None:
    host.domains.hold["start"] = Deferred()
    await host.machines.create(params)
    destroying = Deferred.fromCoroutine(host.machines.destroy(ID))
    assert not destroying.called
    host.domains.hold.pop("start").callback(None)
    await destroying
    assert host.domains.domains == {}
    assert ID not in host.machines


@pytest_twisted.ensureDeferred
async def test_four_machines_start_at_a_time_and_the_fifth_waits(host: Any, params: dict[str, Any]) -> None:
    gate = host.domains.hold["start"] = Deferred()
    machines = [await host.machines.create({**params, "vmId": f"{n}{ID[1:]}"}) for n in range(2, 7)]
    assert host.domains.names.count("start") == 4
    host.domains.hold.clear()
    gate.callback(None)
    for machine in machines:
        await launched(machine)
    assert host.domains.names.count("start") == 5
    assert {machine.vitals.status for machine in machines} == {Status.UP}


@pytest_twisted.ensureDeferred
async def test_the_first_event_of_a_machine_has_its_statistics(host: Any, params: dict[str, Any]) -> None:
    await launched(await host.machines.create(params))
    (event,) = host.told
    assert event["details"].keys() >= {"status", "vmName", "displayInfo", "hash"}


@pytest_twisted.ensureDeferred
async def test_a_script_that_changes_the_uuid_fails_the_start(host: Any, params: dict[str, Any]) -> None:
    async def change(domain: Any, **_: Any) -> None:
        domain.text = domain.text.replace(f"<uuid>{ID}", f"<uuid>2{ID[1:]}")

    host.trace.act["before_vm_start"] = change
    machine = await host.machines.create(params)
    assert "uuid" in machine.vitals.exit.message
    assert host.domains.names == []


@pytest_twisted.ensureDeferred
async def test_shares_are_set_and_a_host_that_has_none_is_no_failure(host: Any, params: dict[str, Any]) -> None:
    host.domains.fail["set_shares"] = [BOOM]
    machine = await host.machines.create({**params, "nice": "5"})
    assert ("set_shares", ID, 765) in host.domains.calls
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_stopping_waits_a_moment_for_machines_that_start(host: Any, params: dict[str, Any]) -> None:
    gate = host.domains.hold["start"] = Deferred()
    await host.machines.create(params)
    stopping = Deferred.fromCoroutine(host.machines.stop())
    assert not stopping.called
    host.clock.advance(11)
    await stopping
    host.domains.hold.clear()
    gate.callback(None)


@pytest_twisted.ensureDeferred
async def test_a_start_that_fails_twice_over_is_down_and_can_be_destroyed(host: Any, params: dict[str, Any]) -> None:
    host.domains.fail["start"] = [HypervisorFailed(1, "no")]
    host.domains.fail["set_metadata"] = [RuntimeError("a defect while the reason is kept")]
    machine = await host.run(params)
    assert machine.vitals.status is Status.DOWN
    assert machine.launch is None
    await host.machines.destroy(ID)
    assert ID not in host.machines


@pytest.mark.parametrize("nothing", ["", {}, {"ioTune": ""}])
@pytest_twisted.ensureDeferred
async def test_a_disk_whose_parameters_are_an_empty_text_starts(
    host: Any, params: dict[str, Any], nothing: Any
) -> None:
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "path": "/a", "specParams": nothing}
    machine = await host.run({**params, "devices": [disk]})
    assert machine.vitals.status is Status.UP, machine.vitals.exit
