"""QEMU guest agents are asked gently, and what they answer is believed in its type only."""

import xmlrpc.client
from typing import Any

import pytest
import pytest_twisted
from doubles.qemu_agents import Asked, asked
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from virgate.libvirt import agent as hypervisor
from virgate.libvirt.errors import AgentUnresponsive, DomainNotFound
from virgate.node.guest.errors import BadMessage
from virgate.node.guest.qemu import replies, schedule
from virgate.node.guest.qemu.state import Link, QemuAgent
from virgate.node.guest.settings import GuestSettings

__all__ = ["asked"]


def look(asked: Asked) -> Deferred[None]:
    return Deferred.fromCoroutine(asked.poller.look([asked.agent]))


@pytest_twisted.ensureDeferred
async def test_one_that_never_answers_is_asked_ever_more_rarely(asked: Asked) -> None:
    while asked.clock.seconds() < 3600:
        asked.clock.advance(5)
        asked.fail = AgentUnresponsive(86, "no answer")
        await look(asked)
    times = [when for when, _ in asked.asked]
    assert times == [5, 65, 185, 425, 905, 1505, 2105, 2705, 3305]
    assert not asked.agent.qemu.active


@pytest_twisted.ensureDeferred
async def test_one_without_a_channel_costs_nothing_and_one_that_is_away_one_look(asked: Asked) -> None:
    asked.state = "disconnected"
    for _ in range(10):
        asked.clock.advance(5)
        await look(asked)
    assert asked.asked == []
    assert asked.agent.qemu.link is Link.DISCONNECTED
    assert not asked.agent.qemu.perhaps
    asked.agent.qemu = QemuAgent(0.0)
    asked.state = "connected"
    await look(asked)
    assert asked.asked == []


@pytest_twisted.ensureDeferred
async def test_a_machine_that_ended_meanwhile_is_no_failure_of_its_agent(asked: Asked) -> None:
    asked.fail = DomainNotFound("x")
    await look(asked)
    assert asked.agent.qemu.failed is None


@pytest_twisted.ensureDeferred
async def test_an_agent_that_hangs_does_not_hold_up_the_others(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging: Deferred[None] = Deferred()
    other = Asked()
    usual, first = hypervisor.command, iter([True])

    async def command(*arguments: Any) -> str:
        if next(first, False):
            await hanging
        return await usual(*arguments)

    monkeypatch.setattr(hypervisor, "command", command)
    looking = Deferred.fromCoroutine(asked.poller.look([asked.agent, other.agent]))
    assert other.agent.qemu.version == "7.2.0"
    assert not looking.called
    hanging.callback(None)
    await looking
    assert asked.agent.qemu.version == "7.2.0"


@pytest_twisted.ensureDeferred
async def test_only_what_the_agent_lets_through_is_asked(asked: Asked) -> None:
    asked.commands = ["guest-info", "guest-get-users", "guest-get-host-name"]
    asked.information = {"user.count": 1, "user.0.name": "zoe", "user.0.domain": "corp", "hostname": "h"}
    asked.clock.advance(5)
    await look(asked)
    assert [question for _, question in asked.asked] == ["guest-info", "guestInfo(9)"]
    assert asked.agent.shown(64, {}, "0")["username"] == "zoe@corp"
    assert asked.agent.shown(64, {}, "0")["guestName"] == "h"
    assert str(asked.agent.status) == "Up"
    assert asked.agent.news


@pytest_twisted.ensureDeferred
async def test_the_list_of_users_becomes_empty_when_the_last_one_leaves(asked: Asked) -> None:
    asked.information = {"user.count": 1, "user.0.name": "zoe"}
    await look(asked)
    asked.information = {"user.count": 0}
    asked.clock.advance(10)
    await look(asked)
    assert asked.agent.shown(64, {}, "0")["username"] == ""


@pytest_twisted.ensureDeferred
async def test_after_a_reboot_the_agents_abilities_are_asked_anew(asked: Asked) -> None:
    await look(asked)
    asked.agent.rebooted()
    assert str(asked.agent.status) == "RebootInProgress"
    asked.clock.advance(5)
    await look(asked)
    assert asked.at("guest-info") == [0, 5]
    assert str(asked.agent.status) == "Up"


def test_looks_that_come_a_little_early_count() -> None:
    agent = QemuAgent(0.0, present=True, link=Link.CONNECTED, commands=frozenset({"guest-get-users"}))
    agent.asked["users"] = 100.0
    settings = GuestSettings()
    assert [one.name for one in schedule.questions(agent, 109.8, settings)] == ["users"]
    assert schedule.questions(agent, 118.0, settings) == []


NAMES = "hostname os.id os.name os.machine timezone.name timezone.offset user.count user.0.name fs.count " + (
    "fs.0.mountpoint fs.0.total-bytes fs.0.used-bytes fs.0.disk.count fs.0.disk.0.serial disk.count disk.0.serial"
)
KEYS = st.sampled_from(NAMES.split())


@given(st.dictionaries(KEYS, st.text(max_size=5) | st.integers(0, 3) | st.integers(-(1 << 31), (1 << 31) - 1)))
def test_whatever_the_bulk_answer_holds_can_be_told(info: dict[str, Any]) -> None:
    info = {
        name: min(value, 5) if name.endswith("count") and isinstance(value, int) else value
        for name, value in info.items()
    }
    xmlrpc.client.dumps((replies.members(info, "1"),))
    for by_disks in (True, False):
        xmlrpc.client.dumps((replies.mapping(info, by_disks=by_disks) or {},))


@pytest.mark.parametrize("text", ["", "[]", "7", '{"error": {"class": "x"}}', "[" * 100_000, '{"return": ' + '"a"' * 9])
def test_what_is_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(BadMessage):
        replies.answer(text)


@pytest.mark.parametrize("found", [None, [], {}, {"version": 7}, {"supported_commands": []}])
def test_abilities_need_a_version(found: Any) -> None:
    with pytest.raises(BadMessage):
        replies.abilities(found)


def test_disabled_commands_are_no_abilities() -> None:
    listed = [{"name": "a", "enabled": True}, {"name": "b", "enabled": False}, {"name": 7, "enabled": True}, "c"]
    assert replies.abilities({"version": "1", "supported_commands": listed}) == ("1", frozenset({"a"}))


def test_drivers_of_both_forms_each_once() -> None:
    new = {"driver-date": 1_600_000_000_000_000_000, "driver-name": "netkvm", "driver-version": "100.85"}
    new["id"] = {"type": "pci", "device-id": 4096, "vendor-id": 6900}
    old = {"driver-date": "2019-08-12", "driver-name": "viostor", "driver-version": "62.80"}
    old["address"] = {"type": "pci", "data": {"device-id": 4097, "vendor-id": 6900}}
    usb = {"driver-name": "x", "id": {"type": "usb"}}
    assert replies.drivers([new, new, old, usb, 7]) == [
        {
            "device_id": 4096,
            "vendor_id": 6900,
            "driver_date": "2020-09-13",
            "driver_name": "netkvm",
            "driver_version": "100.85",
        },
        {
            "device_id": 4097,
            "vendor_id": 6900,
            "driver_date": "2019-08-12",
            "driver_name": "viostor",
            "driver_version": "62.80",
        },
    ]


def test_interfaces_with_and_without_addresses() -> None:
    given = {
        "lo": {"hwaddr": None, "addrs": [{"addr": "127.0.0.1", "type": 0}, {"addr": "::1", "type": 1}]},
        "eth1": {"hwaddr": "52:54:00:00:00:02", "addrs": None},
    }
    assert replies.interfaces(given) == [
        {"name": "lo", "hw": "", "inet": ["127.0.0.1"], "inet6": ["::1"]},
        {"name": "eth1", "hw": "52:54:00:00:00:02", "inet": [], "inet6": []},
    ]


@pytest.mark.parametrize(
    ("address", "counts"),
    [("192.0.2.1", True), ("169.254.1.1", False), ("127.0.0.1", False), ("fe80::1", False), ("::1", False)],
)
def test_an_address_that_others_can_reach(address: str, counts: bool) -> None:
    agent = QemuAgent(0.0)
    agent.members["netIfaces"] = [{"name": "eth0", "inet": [address], "inet6": []}]
    assert agent.has_address is counts
    agent.members["netIfaces"][0]["name"] = "docker0"
    assert not agent.has_address
