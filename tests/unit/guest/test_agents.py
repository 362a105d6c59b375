"""Agents come and go with their machines, and machines show what agents say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from doubles.guests import Guest, Readers, line
from doubles.machines import ID, Host, host, params
from lxml import etree

from virgate.domxml import metadata, tree
from virgate.node.guest import agents as watched_agents
from virgate.node.guest import channel
from virgate.node.guest.agents import Agents
from virgate.node.guest.qemu.state import Link
from virgate.node.guest.settings import GuestSettings
from virgate.node.vm import describe
from virgate.node.vm.figures import statistics
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine

__all__ = ["host", "params"]
NEW = "11111111-1111-4111-8111-111111111111.ovirt-guest-agent.0"


@define
class Watched:
    """A host whose machines' agents are watched; `open` has the paths that were connected, `guests` their ends."""

    host: Host
    agents: Agents = field(init=False)
    open: list[str] = field(factory=list)
    guests: list[Guest] = field(factory=list)
    readers: Readers = field(factory=Readers)
    told: list[str] = field(factory=list)

    def connect(self, path: str) -> Any:
        self.open.append(path)
        self.guests.append(Guest(self.readers))
        return self.guests[-1]

    async def running(self, params: dict[str, Any]) -> Machine:
        machine = await self.host.running(params)
        self.host.clock.advance(1)
        return machine

    def says(self, name: str, /, **members: Any) -> None:
        self.guests[-1].says(line(name, **members) + b"\n")


@pytest_twisted.async_yield_fixture
async def watched(host: Host, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    made = Watched(host)
    monkeypatch.setattr(channel, "open_socket", made.connect)
    monkeypatch.setattr(watched_agents, "Wires", lambda reactor: made.readers)
    host.events.listen("guest.info", lambda vm: made.told.append(vm))
    made.agents = Agents(host.machines, GuestSettings())
    made.agents.start()
    yield made
    made.agents.stop()


@pytest_twisted.ensureDeferred
async def test_a_running_machine_has_an_agent_and_one_that_is_down_has_none(
    watched: Watched, params: dict[str, Any]
) -> None:
    machine = await watched.running(params)
    assert watched.agents.get(ID) is machine.agent is not None
    assert watched.open == [f"/var/lib/libvirt/qemu/channels/{ID}.com.redhat.rhevm.vdsm"]
    watched.host.domains.stop(ID, "shutdown")
    await machine.release.run(machine.document)
    assert machine.agent is None
    assert len(watched.agents) == 0
    assert machine.shown == []
    assert watched.guests[0].ended


@pytest_twisted.ensureDeferred
async def test_the_guest_is_up_by_its_own_word_and_stays_so(watched: Watched, params: dict[str, Any]) -> None:
    machine = await watched.running(params)
    assert machine.status is Status.POWERING_UP
    watched.says("fqdn", fqdn="here")
    watched.says("heartbeat", **{"free-ram": "16"})
    assert machine.status is Status.UP
    event = watched.host.told[-1]["details"]
    assert (event["status"], event["guestFQDN"], event["memUsage"]) == ("Up", "here", "75")
    watched.host.clock.advance(125)
    assert machine.status is Status.UP, "not powering up again when its agent is lost"
    assert statistics(machine)["guestFQDN"] == "here"


@pytest_twisted.ensureDeferred
async def test_a_reboot_is_over_with_the_next_heartbeat(watched: Watched, params: dict[str, Any]) -> None:
    machine = await watched.running(params)
    watched.says("active-user", name="zoe")
    watched.says("heartbeat", **{"free-ram": "16"})
    watched.host.events.tell("libvirt.reboot", uuid=ID)
    assert machine.status is Status.REBOOTING
    shown = statistics(machine)
    assert (shown["status"], shown["lastUser"], shown["username"]) == ("RebootInProgress", "zoe", "Unknown")
    watched.says("heartbeat", **{"free-ram": "16"})
    assert machine.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_powering_down_is_told_for_five_minutes_whatever_the_agent_says(
    watched: Watched, params: dict[str, Any]
) -> None:
    machine = await watched.running(params)
    machine.guest_does(Status.POWERING_DOWN)
    for _ in range(29):
        watched.host.clock.advance(10)
        watched.says("heartbeat", **{"free-ram": "16"})
        assert machine.status is Status.POWERING_DOWN
    watched.host.clock.advance(10)
    assert machine.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_news_are_told_once_a_second_and_heartbeats_are_none(watched: Watched, params: dict[str, Any]) -> None:
    await watched.running(params)
    for number in range(50):
        watched.says("fqdn", fqdn=f"host{number}")
    watched.host.clock.advance(1)
    assert watched.told == [ID]
    for number in range(5):
        watched.says("heartbeat", **{"free-ram": number})
        watched.host.clock.advance(1)
    assert watched.told == [ID]


@pytest_twisted.ensureDeferred
async def test_guest_names_of_disks_reach_the_configuration_and_the_hash(
    watched: Watched, params: dict[str, Any]
) -> None:
    image = "0a1b2c3d-0000-4444-8888-999999999999"
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "name": "vda", "path": "/x", "imageID": image}
    machine = await watched.running({**params, "devices": [disk]})
    before = statistics(machine)["hash"]
    mapping = {image[:20]: {"name": "/dev/vdq"}, "unknown": {"name": "/dev/sda"}}
    watched.says("disks-usage", disks=[], mapping=mapping)
    watched.host.clock.advance(1)
    watched.says("heartbeat", **{"free-ram": "16"})
    full = describe.full(machine)
    assert full["guestDiskMapping"] == mapping
    assert [one["guestName"] for one in full["devices"] if one["type"] == "disk"] == ["/dev/vdq"]
    written = metadata.read(tree.parse(watched.host.domains.domains[ID].xml)).device(name="vda")
    assert written is not None and (written.values["guestName"], written.values["imageID"]) == ("/dev/vdq", image)
    assert statistics(machine)["hash"] != before
    assert statistics(machine)["hash"] == statistics(machine)["hash"]


@pytest_twisted.ensureDeferred
async def test_what_clients_do_to_statistics_does_not_change_the_guest(
    watched: Watched, params: dict[str, Any]
) -> None:
    machine = await watched.running(params)
    watched.says("network-interfaces", interfaces=[{"name": "eth0", "hw": "x", "inet": ["192.0.2.1"]}])
    shown = statistics(machine)
    shown["netIfaces"][0]["inet"].append("spoiled")
    shown["appsList"].append("spoiled")
    assert statistics(machine)["netIfaces"][0]["inet"] == ["192.0.2.1"]
    assert statistics(machine)["appsList"] == []


@pytest_twisted.ensureDeferred
async def test_the_balloon_tells_memory_better(watched: Watched, params: dict[str, Any]) -> None:
    machine = await watched.running(params)
    watched.says("heartbeat", **{"free-ram": 0, "memory-stat": {"mem_total": 1, "swap_total": 5}})
    figures = {"balloon.rss": 1, "balloon.available": 65536, "balloon.unused": 1000, "balloon.disk_caches": 24}
    figures |= {f"balloon.{name}": 0 for name in ("swap_in", "swap_out", "major_fault", "minor_fault")}
    watched.host.domains.samples = {ID: {**figures}}
    await watched.host.machines.sampler.sample()
    watched.host.clock.advance(2)
    watched.host.domains.samples = {ID: {**figures, "balloon.swap_in": 20, "balloon.major_fault": 3}}
    await watched.host.machines.sampler.sample()
    memory = statistics(machine)["memoryStats"]
    assert memory == {
        "mem_total": "65536",
        "mem_unused": "1000",
        "mem_free": "1024",
        "swap_total": "5",
        "swap_in": "10",
        "swap_out": "0",
        "majflt": "2",
        "minflt": "0",
        "pageflt": "2",
    }


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_starts_again_meets_the_machines_that_run(
    watched: Watched, params: dict[str, Any], host: Host
) -> None:
    await watched.running(params)
    later = host.again()
    agents = Agents(later, GuestSettings())
    agents.start()
    await later.start()
    try:
        host.clock.advance(1)
        assert agents.get(ID) is not None
        assert len(watched.open) == 2
    finally:
        agents.stop()
        await later.stop()


@pytest_twisted.ensureDeferred
async def test_the_version_agreed_on_is_found_in_the_machines_document(
    watched: Watched, params: dict[str, Any], host: Host
) -> None:
    await watched.running(params)
    root = etree.fromstring(host.domains.domains[ID].xml.encode())
    (vm,) = root.iter("{http://ovirt.org/vm/1.0}vm")
    etree.SubElement(vm, "{http://ovirt.org/vm/1.0}guestAgentAPIVersion", type="int").text = "2"
    host.domains.domains[ID].xml = etree.tostring(root, encoding="unicode")
    later = host.again()
    agents = Agents(later, GuestSettings())
    agents.start()
    await later.start()
    try:
        assert agents.get(ID).version == 2  # type: ignore[union-attr]
    finally:
        agents.stop()
        await later.stop()


@pytest_twisted.ensureDeferred
async def test_channels_of_somebody_elses_machine_are_left_alone(
    watched: Watched, params: dict[str, Any], host: Host
) -> None:
    machine = await host.run(params)
    machine.record.external = True
    watched.agents.stop()
    watched.open.clear()
    watched.agents.start()
    host.clock.advance(5)
    assert watched.open == []
    assert machine.agent is None


@pytest.mark.parametrize(
    "path", ["/run/docker.sock", "/var/lib/libvirt/qemu/channels/../../../../run/docker.sock", "/etc"]
)
@pytest_twisted.ensureDeferred
async def test_no_document_makes_us_talk_to_other_sockets(
    watched: Watched, params: dict[str, Any], host: Host, path: str
) -> None:
    async def redirect(vm: Any, domain: Any) -> None:
        usual = f"/var/lib/libvirt/qemu/channels/{ID}.com.redhat.rhevm.vdsm"
        assert usual in domain.text
        domain.text = domain.text.replace(usual, path)

    host.trace.act["before_vm_start"] = redirect
    machine = await watched.running(params)
    assert path in machine.record.xml
    host.clock.advance(5)
    assert watched.open == []


@pytest_twisted.ensureDeferred
async def test_the_hypervisor_tells_who_has_qemus_channel_open(
    watched: Watched, params: dict[str, Any], host: Host
) -> None:
    machine = await watched.running(params)
    assert machine.agent is not None
    assert machine.agent.qemu.present
    host.events.tell("libvirt.agent", uuid=ID, state="connected")
    assert machine.agent.qemu.link is Link.CONNECTED
    host.events.tell("libvirt.agent", uuid=ID, state="unknown")
    assert machine.agent.qemu.link is Link.CONNECTED
    host.events.tell("libvirt.connected", uri="x")
    assert machine.agent.qemu.link is Link.UNKNOWN, "events may have been missed"


@pytest_twisted.ensureDeferred
async def test_qemus_agent_is_left_alone_while_volumes_change(
    watched: Watched, params: dict[str, Any], host: Host
) -> None:
    machine = await host.running(params)
    await machine.changing.acquire()
    host.clock.advance(10)
    assert "xml" not in host.domains.names
    machine.changing.release()
    host.clock.advance(10)
    assert host.domains.names.count("xml") == 1, "a look at its channel, which the guest has not open"


@pytest_twisted.ensureDeferred
async def test_a_guest_that_is_elsewhere_already_is_not_talked_to(
    watched: Watched, params: dict[str, Any], host: Host
) -> None:
    machine = await watched.running(params)
    host.domains.lifecycle(ID, "suspended", "postcopy")
    assert not watched.guests[0].ended, "it arrives here"
    machine.life.leave()
    host.domains.lifecycle(ID, "suspended", "postcopy")
    assert watched.guests[0].ended
    host.clock.advance(60)
    assert len(watched.open) == 1
    host.domains.lifecycle(ID, "resumed", "migrated")
    host.clock.advance(1)
    assert len(watched.open) == 2


@pytest_twisted.ensureDeferred
async def test_nothing_ticks_while_there_is_no_machine(watched: Watched, params: dict[str, Any], host: Host) -> None:
    sampler = 1
    assert len(host.clock.getDelayedCalls()) == sampler
    await watched.running(params)
    assert len(host.clock.getDelayedCalls()) == sampler + 1
    await host.machines.destroy(ID)
    assert len(host.clock.getDelayedCalls()) == sampler
