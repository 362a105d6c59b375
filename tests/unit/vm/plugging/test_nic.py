"""Nics plugged, unplugged and changed; traffic mirrored for them."""

from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from unit.vm.plugging.conftest import MAC

from virgate.domxml import tree
from virgate.domxml.errors import MissingParameter
from virgate.domxml.facts import HostFacts
from virgate.errors import Unexpected
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.plugging import nic, update
from virgate.node.vm.plugging.errors import DeviceNotUpdated, NicNotPlugged, NicNotUnplugged, UnknownDeviceKind

NEW = "00:1A:4a:00:00:02"
NIC = {"macAddr": NEW, "network": "blue", "nicModel": "pv", "custom": {"colour": "blue"}}


def nics(machine: Any) -> dict[str, dict[str, Any]]:
    return {one["macAddr"]: one for one in machine.record.conf["devices"] if one["type"] == "interface"}


@define
class Mirrors:
    calls: list[tuple[str, str, str]] = field(factory=list)
    refuses: str = ""

    async def begin(self, network: str, tap: str) -> None:
        self.calls.append(("begin", network, tap))
        if network == self.refuses:
            raise Unexpected("no such network")

    async def end(self, network: str, tap: str) -> None:
        self.calls.append(("end", network, tap))


@pytest.fixture
def mirrors(machine: Any) -> Mirrors:
    made = Mirrors()
    machine.means = evolve(machine.means, mirrors=made)
    return made


@pytest_twisted.ensureDeferred
async def test_a_plugged_nic_is_listed_with_what_libvirt_made_of_it(host: Any, machine: Any, domain: Any) -> None:
    await nic.plug(machine, {"nic": NIC})
    found = nics(machine)[NEW]
    assert (found["device"], found["name"], found["network"]) == ("bridge", "vnet0", "blue")
    assert found["alias"] and found["address"]
    assert host.trace.points == ["before_nic_hotplug", "after_nic_hotplug"]
    assert host.trace.given["after_nic_hotplug"]["device"].custom == {"colour": "blue"}
    with pytest.raises(NicNotPlugged, match="already"):
        await nic.plug(machine, {"nic": {**NIC, "macAddr": NEW.lower()}})
    await nic.unplug(machine, {"nic": {"macAddr": NEW.upper()}})
    assert list(nics(machine)) == [MAC] and NEW not in machine.record.xml


@pytest_twisted.ensureDeferred
async def test_a_refused_nic_is_told_to_the_hook_that_undoes(host: Any, machine: Any, domain: Any) -> None:
    domain.fail["attach"] = HypervisorFailed(1, "no such bridge")
    with pytest.raises(NicNotPlugged, match="no such bridge") as problem:
        await nic.plug(machine, {"nic": NIC})
    assert problem.value.code == 49
    assert host.trace.points == ["before_nic_hotplug", "after_nic_hotplug_fail"]
    assert list(nics(machine)) == [MAC] and NEW not in host.domains.domains[machine.id].xml


@pytest_twisted.ensureDeferred
async def test_a_refusing_hook_is_no_failure_of_the_hypervisor(host: Any, machine: Any, domain: Any) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no")

    host.trace.act["before_nic_hotplug"] = refuse
    with pytest.raises(HookError):
        await nic.plug(machine, {"nic": NIC})
    assert host.trace.points == ["before_nic_hotplug"] and domain.names == []
    host.trace.act["before_nic_hotunplug"] = refuse
    with pytest.raises(HookError):
        await nic.unplug(machine, {"nic": {"macAddr": MAC}})
    assert list(nics(machine)) == [MAC]


@pytest.mark.parametrize("wanted", [{"macAddr": "00:00:00:00:00:00"}, {"alias": "net9"}, {"network": "red"}])
@pytest_twisted.ensureDeferred
async def test_a_nic_that_is_not_there_is_not_found(machine: Any, domain: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(NicNotUnplugged, match="NIC not found") as problem:
        await nic.unplug(machine, {"nic": wanted})
    assert problem.value.code == 50


@pytest_twisted.ensureDeferred
async def test_a_nic_that_libvirt_no_longer_has_is_not_found(host: Any, machine: Any, domain: Any) -> None:
    found = host.domains.domains[machine.id]
    document = tree.parse(found.xml)
    devices = document.find("devices")
    devices.remove(devices.find("interface"))
    found.xml = tree.one_line(document)
    with pytest.raises(NicNotUnplugged, match="NIC not found"):
        await nic.unplug(machine, {"nic": {"macAddr": MAC}})
    assert domain.names == []


@pytest_twisted.ensureDeferred
async def test_traffic_is_mirrored_after_the_hook_and_no_more_before_the_next(
    host: Any, machine: Any, domain: Any, mirrors: Mirrors
) -> None:
    await nic.plug(machine, {"nic": {**NIC, "portMirroring": ["red", "green"]}})
    assert mirrors.calls == [("begin", "red", "vnet0"), ("begin", "green", "vnet0")]
    mirrors.calls.clear()

    async def look(**_: Any) -> None:
        assert mirrors.calls == [("end", "red", "vnet0"), ("end", "green", "vnet0")]

    host.trace.act["before_nic_hotunplug"] = look
    await nic.unplug(machine, {"nic": {"macAddr": NEW}})


@pytest_twisted.ensureDeferred
async def test_a_nic_whose_traffic_cannot_be_mirrored_goes_again(machine: Any, domain: Any, mirrors: Mirrors) -> None:
    mirrors.refuses = "green"
    with pytest.raises(NicNotPlugged, match="no such network"):
        await nic.plug(machine, {"nic": {**NIC, "portMirroring": ["red", "green"]}})
    assert mirrors.calls == [("begin", "red", "vnet0"), ("begin", "green", "vnet0"), ("end", "red", "vnet0")]
    assert list(nics(machine)) == [MAC]


@pytest_twisted.ensureDeferred
async def test_without_anybody_who_mirrors_the_nic_is_refused(machine: Any, domain: Any) -> None:
    with pytest.raises(NicNotPlugged, match="cannot be mirrored"):
        await nic.plug(machine, {"nic": {**NIC, "portMirroring": ["red"]}})
    assert list(nics(machine)) == [MAC]


# -- updates


async def updated(machine: Any, **members: Any) -> tree.Element:
    alias = nics(machine)[MAC]["alias"]
    await update.update(machine, {"deviceType": "interface", "alias": alias, **members})
    found = tree.parse(machine.record.xml).find("devices/interface")
    assert found is not None
    return found


@pytest_twisted.ensureDeferred
async def test_only_what_is_said_changes(host: Any, machine: Any, domain: Any) -> None:
    found = await updated(machine, linkActive="false", custom={"why": "because"})
    assert tree.attribute(found, "link", "state") == "down"
    assert tree.attribute(found, "source", "bridge") == "red"
    assert host.trace.given["before_update_device"]["device"].custom == {"why": "because"}
    assert host.trace.points == ["before_update_device", "after_update_device"]
    assert "custom" not in nics(machine)[MAC], "the properties of a request are its own"
    found = await updated(machine, network="blue")
    assert tree.attribute(found, "link", "state") == "down" and nics(machine)[MAC]["network"] == "blue"


@pytest_twisted.ensureDeferred
async def test_without_a_network_a_nic_hangs_on_nothing(machine: Any, domain: Any) -> None:
    found = await updated(machine, network="", linkActive="true")
    assert tree.attribute(found, "source", "bridge") == ";vdsmdummy;"
    assert tree.attribute(found, "link", "state") == "down"
    assert nics(machine)[MAC]["network"] == ""


@pytest_twisted.ensureDeferred
async def test_limits_are_set_kept_and_taken_away(machine: Any, domain: Any) -> None:
    limits = {"inbound": {"average": "1000", "peak": "2000", "burst": "3000"}, "outbound": {"average": "10"}}
    found = await updated(machine, specParams=limits, filter="vdsm-no-mac-spoofing", mtu="9000")
    assert {one.tag: dict(one.attrib) for one in found.find("bandwidth")} == limits
    assert tree.attribute(found, "mtu", "size") == "9000"
    assert nics(machine)[MAC]["specParams"] == limits
    found = await updated(machine, linkActive=True)
    assert found.find("bandwidth") is not None and found.find("filterref") is not None
    found = await updated(machine, specParams={}, filter="")
    assert found.find("bandwidth") is None and found.find("filterref") is None
    assert nics(machine)[MAC]["specParams"] == {}


@pytest.mark.parametrize("what", ["hook", "hypervisor"])
@pytest_twisted.ensureDeferred
async def test_a_failed_update_is_undone_and_told(host: Any, machine: Any, domain: Any, what: str) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no")

    before = nics(machine)
    if what == "hook":
        host.trace.act["before_update_device"] = refuse
    else:
        domain.fail["update"] = HypervisorFailed(1, "no such bridge")
    with pytest.raises(DeviceNotUpdated) as problem:
        await updated(machine, network="blue")
    assert problem.value.code == 56
    assert host.trace.points == ["before_update_device", "after_update_device_fail"]
    assert domain.names[-1] == "update" and 'bridge="red"' in domain.calls[-1][1]
    assert nics(machine) == before


@pytest_twisted.ensureDeferred
async def test_mirroring_is_changed_by_what_differs(machine: Any, domain: Any, mirrors: Mirrors) -> None:
    await nic.plug(machine, {"nic": {**NIC, "portMirroring": ["red", "green"]}})
    mirrors.calls.clear()
    alias = nics(machine)[NEW]["alias"]
    await update.update(machine, {"deviceType": "interface", "alias": alias, "portMirroring": ["green", "blue"]})
    assert mirrors.calls == [("end", "red", "vnet0"), ("begin", "blue", "vnet0")]
    assert nics(machine)[NEW]["portMirroring"] == ["green", "blue"]


@pytest_twisted.ensureDeferred
async def test_a_document_says_how_the_nic_shall_be(machine: Any, domain: Any) -> None:
    alias = nics(machine)[MAC]["alias"]
    text = f"""<interface type="bridge"><mac address="{MAC}"/><source bridge="green"/><link state="down"/>
        <bandwidth><inbound average="7"/></bandwidth><alias name="{alias}"/></interface>"""
    await update.update(machine, {"xml": text})
    found = tree.parse(machine.record.xml).find("devices/interface")
    assert found is not None and tree.attribute(found, "source", "bridge") == "green"
    assert tree.attribute(found, "bandwidth/inbound", "average") == "7"


def test_a_nic_on_a_network_of_libvirt_changes_its_network() -> None:
    live = tree.parse('<interface type="network"><source network="a" portid="7" bridge="x"/></interface>')
    fresh = update.changed(live, update.Wish("net0", network="b"), HostFacts())
    assert tree.one_line(fresh) == '<interface type="network"><source network="b"/></interface>'


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, MissingParameter),
        ({"deviceType": "interface"}, MissingParameter),
        ({"deviceType": "interface", "alias": "net9"}, DeviceNotUpdated),
        ({"deviceType": "sound", "alias": "sound0"}, UnknownDeviceKind),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_updated_is_told(machine: Any, domain: Any, asked: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await update.update(machine, asked)
    assert domain.names == []
