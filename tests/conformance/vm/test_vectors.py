"""Vectors of spec xmlrpc-host-vm 7 about the life and the statistics of machines; the names give their numbers."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import launched

from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.stats import Nic, Sample, Shape, sampled

ID = "11111111-1111-4111-8111-111111111111"


async def running(host: Any, call: Any, params: dict[str, Any]) -> Any:
    answer = await call("create", params)
    assert answer["status"] == {"code": 0, "message": "Done"}
    machine = host.machines.find(params["vmId"])
    await launched(machine)
    host.told.clear()
    return machine


async def reported(call: Any) -> str:
    (members,) = (await call("getVmStats", ID))["statsList"]
    return str(members["status"])


@pytest_twisted.ensureDeferred
async def test_4_and_5_destroy_without_or_with_unknown_id(call: Any) -> None:
    assert (await call("destroy"))["status"]["code"] == 16
    assert (await call("destroy", "v1"))["status"] == {"code": 1, "message": "Virtual machine does not exist"}


@pytest_twisted.ensureDeferred
async def test_6_nil_is_accepted(call: Any) -> None:
    assert (await call("shutdown", "v1", None, None))["status"]["code"] == 1


@pytest_twisted.ensureDeferred
async def test_7_no_machines_is_an_empty_array(call: Any) -> None:
    answer = await call("list")
    assert (answer["status"]["code"], answer["vmList"]) == (0, [])


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("create", [{}]),
        ("destroy", ["v1"]),
        ("list", []),
        ("pause", ["v1"]),
        ("cont", ["v1"]),
        ("reset", ["v1"]),
        ("shutdown", ["v1"]),
        ("getVmStats", ["v1"]),
        ("getAllVmStats", []),
    ],
)
@pytest_twisted.ensureDeferred
async def test_8_while_recovering_every_verb_says_so(node: Any, call: Any, verb: str, arguments: list[Any]) -> None:
    node.ready = False
    status = (await call(verb, *arguments))["status"]
    assert status == {"code": 99, "message": "Recovering from crash or Initializing"}


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({}, 11, "Missing required parameter"),
        ({"vmId": "x", "memSize": 1}, 11, "vmId must be a valid UUID"),
        ({"vmId": ID.upper().replace("1", "A"), "memSize": 1}, 11, "vmId must be a valid UUID"),
        ({"vmId": ID, "memSize": 0}, 11, "Must specify nonzero memSize"),
        ({"vmId": ID, "memSize": 1, "boot": "c", "devices": [{"type": "disk"}]}, 11, "missing boot disk"),
        ({"vmId": ID, "memSize": 1, "display": "sdl"}, 9, "Unknown display type sdl"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_15_to_17_refused_parameters(call: Any, given: dict[str, Any], code: int, message: str) -> None:
    status = (await call("create", given))["status"]
    assert status["code"] == code
    assert message in status["message"]
    assert (await call("list"))["vmList"] == []


@pytest_twisted.ensureDeferred
async def test_17_defaults_are_echoed(host: Any, call: Any, params: dict[str, Any]) -> None:
    answer = await call("create", params)
    conf = answer["vmList"]
    assert conf["status"] in ("WaitForLaunch", "Up")
    assert (conf["vmType"], conf["nicModel"]) == ("kvm", "rtl8139,pv")


@pytest_twisted.ensureDeferred
async def test_a_machine_that_is_listed_cannot_be_created_again(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    assert (await call("create", params))["status"] == {"code": 4, "message": "Virtual machine already exists"}


@pytest_twisted.ensureDeferred
async def test_18_reset_is_built_here(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    assert (await call("reset", ID))["status"]["code"] == 0
    assert "reset" in host.domains.names
    assert await reported(call) == "RebootInProgress"


def test_25_processor_time() -> None:
    before = Sample(0.0, {"cpu.time": 10 * 10**9, "cpu.user": 10**9, "cpu.system": 2 * 10**9})
    now = Sample(15.0, {"cpu.time": 25 * 10**9, "cpu.user": 2 * 10**9, "cpu.system": 3 * 10**9})
    members = sampled(Shape(), before, now)
    assert (members["cpuUser"], members["cpuSys"], members["cpuUsage"]) == ("86.67", "13.33", "5000000000")


def test_26_network_rates() -> None:
    shape = Shape(nics=(Nic("vnet0", "52:54:00:00:00:01", "virtio"),))
    place = {"net.count": 1, "net.0.name": "vnet0"}
    before = Sample(0.0, place | {"net.0.rx.bytes": 0, "net.0.tx.bytes": 0})
    now = Sample(15.0, place | {"net.0.rx.bytes": 18750000, "net.0.tx.bytes": 187500000})
    found = sampled(shape, before, now)["network"]["vnet0"]
    assert (found["rxRate"], found["txRate"], found["speed"]) == ("1.0", "10.0", "1000")


def test_27_disk_rates() -> None:
    place = {"block.count": 1, "block.0.name": "vda"}
    counted = {"block.0.rd.bytes": 15000, "block.0.rd.reqs": 15, "block.0.rd.times": 30_000_000}
    found = sampled(Shape(), Sample(0.0, place), Sample(15.0, place | counted))["disks"]["vda"]
    assert (found["readRate"], found["readOps"], found["readLatency"]) == ("1000.0", "15", "2000000")


def test_28_without_samples() -> None:
    assert sampled(Shape(), None, None) == {"cpuUser": "0.00", "cpuSys": "0.00"}


@pytest_twisted.ensureDeferred
async def test_29_a_guest_without_agent_powers_up_for_a_minute(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    assert await reported(call) == "Powering up"
    host.clock.advance(61)
    assert await reported(call) == "Up"


@pytest_twisted.ensureDeferred
async def test_30_powering_down_is_believed_for_five_minutes(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    answer = await call("shutdown", ID, None, None)
    assert answer["status"] == {"code": 0, "message": "Machine shutting down"}
    host.clock.advance(10)
    assert await reported(call) == "Powering down"
    host.clock.advance(291)
    assert await reported(call) == "Up"


@pytest_twisted.ensureDeferred
async def test_31_pause_then_cont(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    answer = await call("pause", ID)
    assert (answer["status"]["code"], answer["output"]) == (0, [""])
    (event,) = host.told
    assert (event["vm"], event["details"]) == (ID, {"status": "Paused"})
    (conf,) = (await call("list", "true", [ID]))["vmList"]
    assert (conf["status"], conf["pauseCode"]) == ("Paused", "NOERR")
    answer = await call("cont", ID)
    assert (answer["status"]["code"], answer["output"]) == (0, [""])
    (conf,) = (await call("list", "true", [ID]))["vmList"]
    assert "pauseCode" not in conf


@pytest_twisted.ensureDeferred
async def test_32_cont_while_it_leaves(host: Any, call: Any, params: dict[str, Any]) -> None:
    machine = await running(host, call, params)
    machine.life.leave()
    assert (await call("cont", ID))["status"]["code"] == 16


@pytest_twisted.ensureDeferred
async def test_33_an_io_error_without_reason(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    host.events.tell("libvirt.io_error", uuid=ID, alias="virtio-disk0", path="", action="pause", reason="")
    (members,) = (await call("getVmStats", ID))["statsList"]
    assert (members["status"], members["pauseCode"]) == ("Paused", "EOTHER")
    assert host.told[0]["details"]["ioerror"]["alias"] == "virtio-disk0"


@pytest_twisted.ensureDeferred
async def test_34_no_way_down(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params | {"acpiEnable": "false"})
    assert (await call("shutdown", ID))["status"] == {
        "code": 4,
        "message": "VM without ACPI or active oVirt guest agent. Try Forced Shutdown.",
    }


@pytest_twisted.ensureDeferred
async def test_35_down_after_migration(host: Any, call: Any, params: dict[str, Any]) -> None:
    machine = await running(host, call, params)
    machine.life.down(Exit.of(Reason.MIGRATED))
    (members,) = (await call("getVmStats", ID))["statsList"]
    members.pop("statusTime")
    assert members == {
        "vmId": ID,
        "status": "Down",
        "exitCode": 0,
        "exitReason": 4,
        "exitMessage": "Migration succeeded",
        "timeOffset": "0",
    }
    told = len(host.told)
    machine.life.down(Exit.of(Reason.USER))
    machine.life.running()
    assert (await reported(call), len(host.told)) == ("Down", told)


def test_36_a_failing_restore() -> None:
    exit = Exit.of(Reason.GENERIC_ERROR, "boom", restoring=True)
    assert exit.message == "Wake up from hibernation failed:boom"


@pytest_twisted.ensureDeferred
async def test_37_the_guests_clock(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params | {"timeOffset": "-3600"})
    host.events.tell("libvirt.rtc", uuid=ID, offset=100)
    (members,) = (await call("getVmStats", ID))["statsList"]
    assert members["timeOffset"] == "-3500"


@pytest_twisted.ensureDeferred
async def test_list_in_all_forms(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    (short,) = (await call("list"))["vmList"]
    assert short.keys() == {"vmId", "status", "statusTime"}
    assert short["status"] == "Up"  # the internal status, never Powering up
    (full,) = (await call("list", "false", [ID, "unknown"]))["vmList"]  # any text is true
    assert full["vmName"] == "one" and isinstance(full["memSize"], int)
    assert not [name for name in full if name.startswith("_")]
    assert (await call("list", True, ["unknown"]))["vmList"] == []


@pytest_twisted.ensureDeferred
async def test_destroy_says_so_and_the_machine_is_gone(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    assert (await call("destroy", ID))["status"] == {"code": 0, "message": "Machine destroyed"}
    assert (await call("list"))["vmList"] == []


@pytest_twisted.ensureDeferred
async def test_reboot_says_so(host: Any, call: Any, params: dict[str, Any]) -> None:
    await running(host, call, params)
    answer = await call("shutdown", ID, None, None, True)
    assert answer["status"]["message"] == "Machine rebooting"
