"""What a guest is asked, and what of it is kept."""

import pytest
import pytest_twisted
from doubles.guests import Talk
from twisted.internet.defer import Deferred

from virgate.node.guest import luggage, mapping


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest_twisted.ensureDeferred
async def test_a_lock_is_waited_for(talk: Talk) -> None:
    talk.beat()
    talk.says("session-logon")
    waiting = Deferred.fromCoroutine(talk.agent.locked(30))
    assert talk.sent == [{"__name__": "lock-screen"}]
    talk.clock.advance(29)
    assert not waiting.called
    talk.says("session-lock")
    assert await waiting is True
    assert await talk.agent.locked(30) is True


@pytest_twisted.ensureDeferred
async def test_an_agent_that_says_nothing_of_sessions_holds_nobody_up_for_long(talk: Talk) -> None:
    talk.beat()
    waiting = Deferred.fromCoroutine(talk.agent.locked(30))
    talk.clock.advance(3)
    assert await waiting is False


@pytest_twisted.ensureDeferred
async def test_a_guest_without_agent_is_not_waited_for(talk: Talk) -> None:
    assert await talk.agent.locked(30) is False
    talk.agent.deliver = None
    assert not talk.agent.send("lock-screen")


def test_what_is_carried_to_another_host_is_known_there(talk: Talk) -> None:
    talk.beat(apiVersion=2)
    talk.says("active-user", name="zoe")
    talk.says("fqdn", fqdn="here")
    talk.says("network-interfaces", interfaces=[{"name": "eth0", "hw": "x", "inet": ["192.0.2.1"]}])
    other = Talk()
    luggage.unpack(other.agent, {**talk.agent.carried, "memSize": 64})
    assert other.agent.carried == talk.agent.carried
    assert other.agent.version == 2
    assert other.shown["guestFQDN"] == "here"
    assert not other.agent.responsive


def test_a_seed_of_another_kind_is_not_taken(talk: Talk) -> None:
    luggage.unpack(talk.agent, {"username": 7, "guestIPs": None, "netIfaces": "x", "guestAgentAPIVersion": "x"})
    assert talk.agent.report.told == {}


def test_a_password_is_in_no_text_of_the_agent(talk: Talk) -> None:
    talk.agent.deliver = None
    talk.agent.send("login", username="al", password="secret")
    assert "secret" not in repr(talk.agent)
    assert "secret" not in str(talk.shown)


def test_free_memory_is_forgotten_when_the_agent_falls_silent(talk: Talk) -> None:
    talk.beat()
    assert talk.shown["memUsage"] == "75"
    talk.agent.silent()
    assert "memUsage" not in talk.shown, "the balloon may know"


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ({"imageID": "0a1b2c3d-0000-4444-8888-999999999999"}, "/dev/vda"),
        ({"GUID": "36001405aaaaaaaaaaaaaaaaaaaaaaaaa"}, "/dev/sda"),
        ({"serial": "short"}, "/dev/sdb"),
        ({}, None),
        ({"imageID": "ffffffff-0000-4444-8888-999999999999"}, None),
    ],
)
def test_a_disk_is_found_by_the_start_of_its_id(device: dict[str, str], name: str | None) -> None:
    said = {
        "0a1b2c3d-0000-4444-8": "/dev/vda",
        "0QEMU_QEMU_HARDDISK_36001405aaaaaaaaaaaa": "/dev/sda",
        "1ATA_short": "/dev/sdb",
    }
    devices = [{"type": "disk", "name": "vdx", **device}, {"type": "interface", "name": "vnet0"}]
    assert mapping.names(devices, said) == ({"vdx": name} if name else {})
    assert mapping.note_names(devices, said) is (name is not None)
    assert not mapping.note_names(devices, said)
