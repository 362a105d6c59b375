"""Vectors of spec xmlrpc-host-vm 7 about devices and limits of running machines; the names give their numbers."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import ID, launched
from doubles.plugging import PlayedDomain

NIC = {"type": "interface", "device": "bridge", "macAddr": "00:1a:4a:00:00:01", "network": "red", "nicModel": "pv"}
DISK = {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/one", "format": "raw"}


@pytest_twisted.async_yield_fixture
async def domain(host: Any, call: Any, params: dict[str, Any]) -> Any:
    """What a running machine with a disk and a display is changed through."""
    await call("create", params | {"devices": [DISK, {"type": "graphics", "device": "spice"}], "maxVCpus": "4"})
    machine = host.machines.find(ID)
    await launched(machine)
    made = PlayedDomain.of(host)
    await machine.devices_changed()
    yield made


PLUGS = ("hotplugNic", "hotunplugNic", "hotplugDisk", "hotunplugDisk", "hotplugMemory", "hotunplugMemory")


@pytest.mark.parametrize("verb", [*PLUGS, "updateVmPolicy"])
@pytest_twisted.ensureDeferred
async def test_18_a_change_of_nothing_misses_its_parameters(call: Any, verb: str) -> None:
    assert (await call(verb, {}))["status"]["code"] == 11
    if verb in PLUGS:
        assert (await call(verb, {"vmId": "v1"}))["status"]["code"] == 11


@pytest_twisted.ensureDeferred
async def test_18_an_update_of_nothing_misses_its_parameters(call: Any) -> None:
    assert (await call("vmUpdateDevice", "v1", {}))["status"]["code"] == 11


CALLS: list[tuple[str, list[Any]]] = [
    ("hotplugDisk", [{"vmId": "v1", "drive": DISK}]),
    ("hotunplugDisk", [{"vmId": "v1", "drive": DISK}]),
    ("hotplugNic", [{"vmId": "v1", "nic": NIC}]),
    ("hotunplugNic", [{"vmId": "v1", "nic": NIC}]),
    ("hotplugMemory", [{"vmId": "v1", "memory": {"size": 128}}]),
    ("hotunplugMemory", [{"vmId": "v1", "memory": {"size": 128}}]),
    ("hotplugLease", ["v1", {"sd_id": "d", "lease_id": "l"}]),
    ("hotunplugLease", ["v1", {"sd_id": "d", "lease_id": "l"}]),
    ("hostdevHotplug", ["v1", []]),
    ("hostdevHotunplug", ["v1", []]),
    ("hotplugHostdev", ["v1", []]),
    ("hotunplugHostdev", ["v1", []]),
    ("changeCD", ["v1", ""]),
    ("changeFloppy", ["v1", ""]),
    ("setNumberOfCpus", ["v1", 1]),
    ("setVmTicket", ["v1", "secret", 60]),
    ("vmUpdateDevice", ["v1", {"deviceType": "interface", "alias": "net0"}]),
    ("setBalloonTarget", ["v1", 1]),
    ("updateVmPolicy", [{"vmId": "v1", "vcpuLimit": 1}]),
    ("getIoTunePolicy", ["v1"]),
    ("getIoTune", ["v1"]),
    ("setIoTune", ["v1", []]),
    ("vmSetCpuTuneQuota", ["v1", 1]),
    ("vmSetCpuTunePeriod", ["v1", 1]),
]


@pytest.mark.parametrize(("verb", "arguments"), CALLS)
@pytest_twisted.ensureDeferred
async def test_a_machine_that_is_not_there_is_code_1(call: Any, verb: str, arguments: list[Any]) -> None:
    assert (await call(verb, *arguments))["status"] == {"code": 1, "message": "Virtual machine does not exist"}


@pytest_twisted.ensureDeferred
async def test_each_change_answers_the_whole_machine(call: Any, domain: Any) -> None:
    for verb, arguments in (
        ("hotplugNic", [{"vmId": ID, "nic": NIC}]),
        ("hotplugDisk", [{"vmId": ID, "drive": {**DISK, "path": "/images/two"}}]),
        ("setNumberOfCpus", [ID, "2"]),
        ("vmUpdateDevice", [ID, {"deviceType": "graphics", "graphicsType": "spice", "password": "x", "ttl": "60"}]),
        ("hotunplugNic", [{"vmId": ID, "nic": {"macAddr": NIC["macAddr"].upper()}}]),
    ):
        answer = await call(verb, *arguments)
        assert answer["status"] == {"code": 0, "message": "Done"}, (verb, answer)
        assert answer["vmList"]["vmId"] == ID and answer["vmList"]["devices"]
    assert await call("setVmTicket", ID, "x", "60") == {"status": {"code": 0, "message": "Done"}}


@pytest_twisted.ensureDeferred
async def test_23_a_total_excludes_its_parts(call: Any, domain: Any) -> None:
    wrong = {"name": "vda", "ioTune": {"total_bytes_sec": 1, "read_bytes_sec": 1}}
    assert (await call("setIoTune", ID, [wrong]))["status"]["code"] == 64
    disk = {**DISK, "path": "/images/two", "specParams": {"ioTune": wrong["ioTune"]}}
    assert (await call("hotplugDisk", {"vmId": ID, "drive": disk}))["status"]["code"] == 45


@pytest_twisted.ensureDeferred
async def test_44_policies_are_merged(call: Any, domain: Any) -> None:
    first = {"name": "vda", "maximum": {"total_bytes_sec": 5}, "guaranteed": {}}
    more = {"name": "vda", "maximum": {"read_iops_sec": 9}, "guaranteed": {"total_bytes_sec": 1, "write_iops_sec": -1}}
    for policy in (first, more):
        assert (await call("updateVmPolicy", {"vmId": ID, "ioTune": [policy]}))["status"]["code"] == 0
    (kept,) = (await call("getIoTunePolicy", ID))["ioTunePolicy"]
    assert kept["maximum"] == {"total_bytes_sec": 5, "read_iops_sec": 9}
    assert kept["guaranteed"] == {"total_bytes_sec": 1}
    everything = (await call("getAllVmIoTunePolicies"))["io_tune_policies_dict"]
    assert everything[ID]["policy"] == [kept]
