"""The vectors of spec guest-agent that a host shows: messages, versions, framing, filter, liveness."""

import json
from typing import Any

import pytest
import pytest_twisted
from doubles.guests import Line, Talk, line
from twisted.internet.defer import Deferred

from virgate.node.guest import channel, luggage
from virgate.node.guest.errors import NotSupported
from virgate.node.guest.framing import Lines
from virgate.node.guest.messages import Message, encode, filtered, parse
from virgate.node.guest.negotiation import common


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_v1_v4_a_whole_start_is_heard(talk: Talk) -> None:
    said = [
        b'{"__name__": "session-startup"}',
        b'{"__name__": "host-name", "name": "vm7.example.test"}',
        b'{"__name__": "os-version", "version": "5.14.0-70.el9.x86_64"}',
        b'{"__name__": "network-interfaces", "interfaces": [{"inet6": ["fe80::aaff:febb:1"], "hw": '
        b'"02:00:00:aa:bb:01", "inet": ["192.0.2.10", "192.0.2.11"], "name": "eth0"}, {"inet6": [], "hw": '
        b'"02:00:00:aa:bb:03", "inet": [], "name": "eth2"}]}',
        b'{"__name__": "active-user", "name": "alice"}',
        b'{"applications": ["kernel-5.14.0-70.el9"], "__name__": "applications"}',
        b'{"__name__": "fqdn", "fqdn": "vm7.example.test"}',
        b'{"__name__": "heartbeat", "memory-stat": {"swap_out": 0, "majflt": 0, "swap_usage": 0, "mem_cached": 300000, '
        b'"mem_free": 1500000, "mem_buffers": 20000, "swap_in": 0, "swap_total": 0, "pageflt": 0, "mem_total": 2000000,'
        b' "mem_unused": 1180000}, "free-ram": "1464", "apiVersion": 0}',
        b'{"__name__": "disks-usage", "disks": [{"path": "/", "total": 10737418240, "used": 3221225472, "fs": "xfs"}], '
        b'"mapping": {"0a1b2c3d-0000-4444-8": {"name": "/dev/vda"}}}',
        b'{"__name__": "containers", "list": []}',
        b'{"__name__": "timezone", "zone": "Europe/Paris", "offset": 60}',
        b'{"kernel": "5.14.0-70.el9.x86_64", "type": "linux", "version": "9.1", "__name__": "os-info", "distribution": '
        b'"Example Linux", "arch": "x86_64", "codename": "Heron"}',
        b'{"count": 2, "__name__": "number-of-cpus"}',
    ]
    for one in said:
        talk.agent.receive(one)
    shown = talk.shown
    memory = shown.pop("memoryStats")
    assert (memory["mem_total"], memory["mem_cached"], memory["swap_usage"]) == ("2000000", "300000", "0")
    assert shown == {
        "username": "alice",
        "lastLogin": 1000.0,
        "session": "Unknown",
        "memUsage": "28",
        "guestCPUCount": 2,
        "appsList": ["kernel-5.14.0-70.el9"],
        "guestIPs": "192.0.2.10 192.0.2.11",
        "guestFQDN": "vm7.example.test",
        "guestName": "vm7.example.test",
        "guestOs": "5.14.0-70.el9.x86_64",
        "netIfaces": [
            {
                "name": "eth0",
                "hw": "02:00:00:aa:bb:01",
                "inet": ["192.0.2.10", "192.0.2.11"],
                "inet6": ["fe80::aaff:febb:1"],
            },
            {"name": "eth2", "hw": "02:00:00:aa:bb:03", "inet": [], "inet6": []},
        ],
        "disksUsage": [{"path": "/", "fs": "xfs", "total": "10737418240", "used": "3221225472"}],
        "guestContainers": [],
        "guestTimezone": {"zone": "Europe/Paris", "offset": 60},
        "guestOsInfo": {
            "kernel": "5.14.0-70.el9.x86_64",
            "type": "linux",
            "version": "9.1",
            "distribution": "Example Linux",
            "arch": "x86_64",
            "codename": "Heron",
        },
        "hash": talk.shown["hash"],
    }
    assert talk.agent.disks == {"0a1b2c3d-0000-4444-8": "/dev/vda"}


def test_v3_negotiation_from_end_to_end(talk: Talk) -> None:
    talk.agent.connected()
    assert talk.sent == [{"apiVersion": 3, "__name__": "refresh"}]
    talk.sent.clear()
    talk.beat(apiVersion=0)
    assert talk.sent == []
    assert talk.statuses == ["Up"]
    talk.beat(apiVersion=3)
    assert talk.sent == [{"apiVersion": 3, "__name__": "api-version"}]


def test_v6_the_arithmetic_of_versions(talk: Talk) -> None:
    said: list[tuple[Any, list[int], int]] = [
        (3, [3], 3),
        (3, [], 3),
        (2, [2], 2),
        (99, [3], 3),
        ("3", [], 3),
        ("x", [], 0),
        (2.9, [2], 2),
    ]
    for given, answered, effective in said:
        talk.beat(apiVersion=given)
        assert (talk.versions, talk.agent.version) == (answered, effective), given
    talk.beat()
    assert (talk.versions, talk.agent.version) == ([], 0)
    for given in (-5, None, [], {}, 1e400):
        assert common(given) == 0
    luggage.unpack(talk.agent, {"guestAgentAPIVersion": 7})
    assert talk.agent.version == 3


def test_v9_commands_from_the_host(talk: Talk) -> None:
    agent = talk.agent
    talk.beat(apiVersion=3)
    talk.sent.clear()
    agent.send("lock-screen")
    agent.send("login", username="al@corp", password="pw")
    agent.send("log-off")
    agent.send("shutdown", timeout=30, message="bye", reboot="False")
    agent.send("set-number-of-cpus", count=2)
    assert talk.sent == [
        {"__name__": "lock-screen"},
        {"username": "al@corp", "password": "pw", "__name__": "login"},
        {"__name__": "log-off"},
        {"timeout": 30, "message": "bye", "reboot": "False", "__name__": "shutdown"},
        {"count": 2, "__name__": "set-number-of-cpus"},
    ]
    assert encode("refresh", {"apiVersion": 3}) == b'{"apiVersion": 3, "__name__": "refresh"}\n'


@pytest_twisted.ensureDeferred
async def test_v9_v12_life_cycle_events(talk: Talk) -> None:
    agent = talk.agent
    assert await agent.event("before_migration", wait=1) is False
    assert talk.sent == [], "an agent of version 0 is told nothing"
    with pytest.raises(NotSupported):
        agent.send("set-number-of-cpus", count=2)
    agent.version = 3
    assert await agent.event("after_migration", wait=1) is False
    await agent.event("after_migration", failure=True)
    assert talk.sent == [
        {"type": "after_migration", "__name__": "lifecycle-event"},
        {"type": "after_migration", "failure": True, "__name__": "lifecycle-event"},
    ], "one that is not responsive is told, and not waited for"
    talk.beat(apiVersion=3)
    talk.sent.clear()
    waiting = Deferred.fromCoroutine(agent.event("before_migration", wait=10))
    (sent,) = talk.sent
    assert (sent["type"], sent["__name__"], len(sent["reply_id"])) == ("before_migration", "lifecycle-event", 36)
    talk.says("completion", reply_id="another", done=True)
    talk.clock.advance(1)
    assert not waiting.called
    talk.says("completion", reply_id=sent["reply_id"], done=True)
    assert await waiting is True
    waiting = Deferred.fromCoroutine(agent.event("before_migration", wait=1))
    talk.clock.advance(1.01)
    assert await waiting is False
    talk.says("completion", reply_id=talk.sent[-1]["reply_id"], done=True)  # late, and nobody cares


def test_v13_addresses_are_joined_as_old_hosts_do(talk: Talk) -> None:
    talk.says(
        "network-interfaces",
        interfaces=[
            {"name": "eth0", "hw": "02:00:00:00:00:01", "inet": ["192.0.2.1", "192.0.2.2"]},
            {"name": "eth1", "hw": "02:00:00:00:00:02", "inet6": ["fe80::1"]},
            {"name": "eth2", "hw": "02:00:00:00:00:03", "inet": ["192.0.2.9"]},
        ],
    )
    assert talk.shown["guestIPs"] == "192.0.2.1 192.0.2.2  192.0.2.9"
    assert [one["inet6"] for one in talk.shown["netIfaces"]] == [[], ["fe80::1"], []]


def test_v13_users_and_sessions(talk: Talk) -> None:
    seen = []
    for name in ("None", "Unknown", "Zoë"):
        talk.says("active-user", name=name)
        seen.append(talk.shown["username"])
    assert seen == ["None", "None", "Zoë"]
    assert talk.shown["lastLogin"] == 1000.0
    seen = []
    for word in ("logon", "lock", "unlock", "logoff", "startup", "shutdown"):
        talk.says(f"session-{word}")
        seen.append(talk.shown["session"])
    assert seen == ["UserLoggedOn", "Locked", "Active", "LoggedOff", "LoggedOff", "LoggedOff"]


def test_v13_other_messages(talk: Talk) -> None:
    talk.says("disks-usage", disks=[{"path": "/", "fs": "xfs", "total": 5, "used": 2}])
    assert talk.shown["disksUsage"] == [{"path": "/", "fs": "xfs", "total": "5", "used": "2"}]
    assert talk.agent.disks == {}
    talk.says("number-of-cpus", count="4")
    assert talk.shown["guestCPUCount"] == 4
    talk.says("os-info", type="linux", more="kept")
    assert talk.shown["guestOsInfo"] == {"type": "linux", "more": "kept"}
    talk.says("applications", applications=["a-1"])
    talk.says("uninstalled")
    assert talk.shown["appsList"] == []
    talk.agent.receive(b'{"__name__": "host-name", "name": "\xff\xfebad\\u0000"}')
    assert talk.shown["guestName"] == "\ufffd\ufffdbad\ufffd"


def test_v13_memory(talk: Talk) -> None:
    figures = {"mem_total": 1048576, "mem_free": 524288, "mem_unused": 262144, "mem_buffers": 1000, "mem_cached": 2000}
    figures |= {"swap_total": 2097148, "swap_usage": 12, "pageflt": 7, "majflt": 1, "swap_in": 0, "swap_out": 0}
    talk.beat(**{"memory-stat": figures})
    assert talk.shown["memoryStats"] == {name: str(value) for name, value in figures.items()}
    assert talk.shown["memUsage"] == "75"
    talk.clock.advance(60)
    talk.beat(**{"free-ram": "12.5"})
    assert talk.shown["memUsage"] == "75", "ignored"
    talk.clock.advance(70)
    assert talk.agent.responsive, "and yet a sign of life"


def test_v14_the_filter() -> None:
    given = [0x61, 0x00, 0x62, 8, 9, 0xA, 0xD, 0x1F, 0x7F, 0x84, 0x85, 0x86, 0x9F, 0xA0, 0xD7FF, 0xD800, 0xDFFF, 0xE000]
    given += [0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x10FFF, 0x11000, 0x1F600]
    bad = {0x00, 8, 0x1F, 0x7F, 0x84, 0x86, 0x9F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF}
    wanted = "".join(chr(0xFFFD if one in bad else one) for one in given)
    text = "".join(map(chr, given))
    assert filtered(text) == wanted
    for one, becomes in zip(text, wanted, strict=True):  # together two surrogates would be one character
        assert parse(json.dumps({"__name__": "x", "y": one}).encode()) == Message("x", {"y": becomes})
    assert filtered({"k\x01": ["v\x02"]}) == {"k\ufffd": ["v\ufffd"]}


def test_v15_a_line_that_is_too_long() -> None:
    lines = Lines(64)
    lines.feed(b'{"__name__": "x", "name": "' + b"a" * 105)
    assert lines.take() is None
    assert lines.too_big
    lines.feed(b'"}\n' + line("host-name", name="one") + b"\n")
    assert lines.take() == line("host-name", name="one")
    assert not lines.too_big
    whole = b"a" * 132
    lines.feed(whole + b"\n")
    assert lines.take() == whole, "complete within one read"


def test_v8_v16_a_bad_line_takes_no_other_with_it(talk: Talk) -> None:
    lines = Lines()
    for chunk in (
        line("host-name", name="one") + b'\n{"oops": 1}\nnot json\n[]\n' + line("fqdn", fqdn="two") + b'\n{"__na',
        b'me__": "os-version", "version": "split"}\n',
    ):
        lines.feed(chunk)
        while (found := lines.take()) is not None:
            talk.agent.receive(found)
    assert [talk.shown[name] for name in ("guestName", "guestFQDN", "guestOs")] == ["one", "two", "split"]


def test_v17_attempts_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(timeout=4, there=False)
    monkeypatch.setattr(channel, "open_socket", line.connect)
    line.pass_seconds(13)
    assert line.attempts == [1, 2, 3, 4, 5, 9, 13]


def test_v17_silence_after_a_connection_and_a_peer_that_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(timeout=4)
    monkeypatch.setattr(channel, "open_socket", line.connect)
    line.pass_seconds(1)
    assert line.written == [{"__name__": "refresh", "apiVersion": 3}]
    line.pass_seconds(9)
    assert line.silences == [5, 9]
    line.guest.leaves()
    line.clock.advance(0)
    assert line.attempts == [1, 10], "in the same second"
    assert line.written == [{"__name__": "refresh", "apiVersion": 3}]
    line.guest.says(b"\n")
    line.clock.advance(2)
    line.there, line.attempts = False, []
    line.guest.leaves()
    line.clock.advance(0)
    begun = line.clock.seconds()
    line.pass_seconds(12)
    assert [at - begun for at in line.attempts] == [0, 1, 2, 3, 4, 8, 12]


def test_v18_liveness(talk: Talk) -> None:
    assert not talk.agent.responsive
    talk.beat()
    talk.says("network-interfaces", interfaces=[])
    talk.says("host-name", name="here")
    talk.clock.advance(119.5)
    assert talk.agent.responsive
    assert "netIfaces" in talk.shown
    talk.clock.advance(0.6)
    assert not talk.agent.responsive
    seven = {"username", "session", "guestCPUCount", "appsList", "guestIPs", "guestFQDN"}  # and memUsage by the balloon
    assert set(talk.shown) == {*seven, "hash"}
    talk.agent.silent()
    assert str(talk.agent.status) == "Up"


def test_v19_both_agents_tell(talk: Talk) -> None:
    talk.beat()
    talk.says(
        "applications",
        applications=[
            "kernel-5.14.0-70",
            "ovirt-guest-agent-common-1.0.16-1",
            "qemu-guest-agent-6.2.0-1",
            "QEMU guest agent",
            "qemu-ga-1",
            "cloud-init-1",
            "kernel-default-5",
        ],
    )
    talk.says("disks-usage", disks=[], mapping={"s1": {"name": "/dev/sda"}, "s2": {"name": "/dev/sdb"}})
    qemu = talk.agent.qemu
    qemu.members["appsList"] = ["kernel-5.14.0-70.el9", "qemu-guest-agent-6.2.0"]
    qemu.mapping = {"s1": "/dev/vda"}
    talk.agent.changed()
    merged = [*qemu.members["appsList"], "ovirt-guest-agent-common-1.0.16-1", "cloud-init-1"]
    assert talk.shown["appsList"] == merged
    assert talk.agent.disks == {"s1": "/dev/vda", "s2": "/dev/sdb"}
    talk.clock.advance(121)
    assert talk.shown["appsList"] == merged
    assert talk.agent.disks == {"s1": "/dev/vda"}


def test_v21_the_notice_of_removal_ends_with_an_empty_line(talk: Talk) -> None:
    talk.says("applications", applications=["a-1"])
    lines = Lines()
    lines.feed(b'{"__name__": "uninstalled"}\n\n')
    while (found := lines.take()) is not None:
        talk.agent.receive(found)
    assert talk.shown["appsList"] == []
