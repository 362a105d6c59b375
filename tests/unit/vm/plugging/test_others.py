"""Memory, processors, leases and devices of the host."""

from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from hypothesis import given, strategies

from virgate.domxml.errors import BadDevice, MissingParameter
from virgate.domxml.facts import HostFacts, NodeDevice
from virgate.errors import Unexpected
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.plugging import cpus, hostdev, lease, memory
from virgate.node.vm.plugging.errors import (
    CpusNotSet,
    HostDeviceNotUnplugged,
    LeaseNotPlugged,
    LeaseNotUnplugged,
    MemoryNotPlugged,
    MemoryNotUnplugged,
)

MODULE = {"type": "memory", "device": "memory", "size": "128", "node": "0"}


def listed(machine: Any, kind: str) -> list[dict[str, Any]]:
    return [one for one in machine.record.conf["devices"] if one["type"] == kind]


@pytest_twisted.ensureDeferred
async def test_memory_comes_with_its_hooks_and_goes_by_size_and_node(host: Any, machine: Any, domain: Any) -> None:
    await memory.plug(machine, {"memory": MODULE})
    assert host.trace.points == ["before_memory_hotplug", "after_memory_hotplug"]
    assert host.trace.given["before_memory_hotplug"]["device"].custom == {}
    (module,) = listed(machine, "memory")
    assert module["alias"] and int(module["size"]) == 128
    with pytest.raises(MemoryNotUnplugged, match="not found"):
        await memory.unplug(machine, {"memory": {"size": 256, "node": 0}})
    await memory.unplug(machine, {"memory": {"size": 128, "node": 0}})
    assert listed(machine, "memory") == []


@pytest_twisted.ensureDeferred
async def test_memory_that_has_no_room_is_refused(machine: Any, domain: Any) -> None:
    domain.fail["attach"] = HypervisorFailed(1, "no slots")
    with pytest.raises(MemoryNotPlugged, match="no slots") as problem:
        await memory.plug(machine, {"memory": MODULE})
    assert problem.value.code == 70 and listed(machine, "memory") == []


@pytest_twisted.ensureDeferred
async def test_the_number_of_processors_is_set_and_told(host: Any, machine: Any, domain: Any) -> None:
    await cpus.set_number(machine, "3", ["0", "1-2", "0,2"])
    assert machine.record.conf["smp"] == "3"
    assert domain.calls[:2] == [("vcpus", 3), ("pin", 0, (True,))]
    assert ("pin", 1, (False, True, True)) in domain.calls and ("pin", 2, (True, False, True)) in domain.calls
    assert host.trace.points == ["before_set_num_of_cpus", "after_set_num_of_cpus"]


@pytest_twisted.ensureDeferred
async def test_a_guest_that_keeps_processors_has_those_it_kept(host: Any, machine: Any, domain: Any) -> None:
    await cpus.set_number(machine, 3)
    domain.fail["vcpus"] = HypervisorFailed(1, "vcpu unplug request timed out")
    root = domain.root
    root.find("vcpu").set("current", "2")
    domain.root = root
    with pytest.raises(CpusNotSet, match="timed out") as problem:
        await cpus.set_number(machine, 1)
    assert problem.value.code == 60 and machine.record.conf["smp"] == "2"


@pytest_twisted.ensureDeferred
async def test_a_hook_can_forbid_other_processors(host: Any, machine: Any, domain: Any) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no")

    host.trace.act["before_set_num_of_cpus"] = refuse
    with pytest.raises(HookError):
        await cpus.set_number(machine, 2)
    assert domain.names == []


@pytest.mark.parametrize("wanted", ["", None])
def test_no_number_is_missing(wanted: Any) -> None:
    with pytest.raises(MissingParameter):
        cpus.count(wanted)


@pytest.mark.parametrize("wanted", [0, -1, "many", 1 << 40, True, 1.5])
def test_what_is_no_number_of_processors_is_refused(wanted: Any) -> None:
    with pytest.raises(CpusNotSet):
        cpus.count(wanted)


@given(strategies.frozensets(strategies.integers(0, cpus.MOST - 1), min_size=1, max_size=8))
def test_a_set_of_processors_is_read_as_it_is_written(wanted: frozenset[int]) -> None:
    assert cpus.cpu_set(",".join(str(one) for one in wanted)) == wanted


@given(strategies.integers(0, 4000), strategies.integers(0, 90))
def test_a_range_of_processors_has_both_ends(first: int, more: int) -> None:
    assert cpus.cpu_set(f"{first}-{first + more}") == frozenset(range(first, first + more + 1))


@pytest.mark.parametrize("wanted", ["", "a", "3-1", "1-", "-1", f"0-{1 << 40}", "1,,2"])
def test_what_is_no_set_of_processors_is_refused(wanted: str) -> None:
    with pytest.raises(CpusNotSet):
        cpus.cpu_set(wanted)


LEASE = {"sd_id": "domain", "lease_id": "lease"}


@pytest_twisted.ensureDeferred
async def test_a_lease_is_found_held_and_given_back(host: Any, machine: Any, domain: Any) -> None:
    await lease.plug(machine, LEASE)
    assert ("lease", "lease") in host.disks.calls
    (held,) = listed(machine, "lease")
    assert (held["path"], held["offset"]) == ("/rhev/xleases", str(3 << 20))
    with pytest.raises(LeaseNotPlugged, match="already"):
        await lease.plug(machine, LEASE)
    await lease.unplug(machine, LEASE)
    assert listed(machine, "lease") == [] and domain.root.find("devices/lease") is None
    with pytest.raises(LeaseNotUnplugged):
        await lease.unplug(machine, LEASE)


@pytest_twisted.ensureDeferred
async def test_a_lease_that_is_missing_or_taken_is_not_held(host: Any, machine: Any, domain: Any) -> None:
    with pytest.raises(MissingParameter):
        await lease.plug(machine, {"sd_id": "domain"})
    host.disks.fail["lease lease"] = BadDevice("lease", "no such lease")
    with pytest.raises(LeaseNotPlugged, match="no such lease") as problem:
        await lease.plug(machine, LEASE)
    assert problem.value.code == 86
    host.disks.fail.clear()
    domain.fail["attach"] = HypervisorFailed(1, "host 3 holds it")
    with pytest.raises(LeaseNotPlugged, match="host 3"):
        await lease.plug(machine, LEASE)
    assert listed(machine, "lease") == []


@define
class Lender:
    calls: list[tuple[str, str]] = field(factory=list)

    async def detach(self, name: str) -> None:
        self.calls.append(("detach", name))
        if "missing" in name:
            raise Unexpected(f"this host has no device {name}")

    async def reattach(self, name: str) -> None:
        self.calls.append(("reattach", name))


CARD, STICK = "pci_0000_00_1f_2", "usb_1_2"


@pytest.fixture
def lender(machine: Any) -> Lender:
    made = Lender()
    known = {STICK: NodeDevice("usb", {"bus": "1", "device": "2"})}
    machine.means = evolve(machine.means, host_devices=lambda: made, facts=lambda: HostFacts(node_devices=known))
    return made


@pytest_twisted.ensureDeferred
async def test_devices_of_the_host_are_lent_and_come_back(machine: Any, domain: Any, lender: Lender) -> None:
    assert await hostdev.plug(machine, [CARD, "pci_missing", STICK]) == [CARD, STICK]
    assert [one["device"] for one in listed(machine, "hostdev")] == [CARD, STICK]
    assert lender.calls == [("detach", CARD), ("detach", "pci_missing"), ("detach", STICK)]
    assert await hostdev.unplug(machine, [CARD]) == [CARD]
    assert lender.calls[-1] == ("reattach", CARD)
    assert [one["device"] for one in listed(machine, "hostdev")] == [STICK]


@pytest_twisted.ensureDeferred
async def test_a_device_that_is_refused_goes_back_to_the_host(machine: Any, domain: Any, lender: Lender) -> None:
    domain.fail["attach"] = HypervisorFailed(1, "no IOMMU")
    assert await hostdev.plug(machine, [CARD]) == []
    assert lender.calls == [("detach", CARD), ("reattach", CARD)] and listed(machine, "hostdev") == []


@pytest_twisted.ensureDeferred
async def test_a_document_names_the_device(machine: Any, domain: Any, lender: Lender) -> None:
    address = '<address domain="0x0000" bus="0x00" slot="0x1f" function="0x2"/>'
    text = f'<hostdev mode="subsystem" type="pci"><source>{address}</source></hostdev>'
    assert await hostdev.plug(machine, [text]) == [CARD]
    assert await hostdev.unplug(machine, [text]) == [CARD]
    with pytest.raises(HostDeviceNotUnplugged) as problem:
        await hostdev.unplug(machine, [CARD])
    assert problem.value.code == 83
