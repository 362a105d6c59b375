"""The vectors of spec guest-agent about the QEMU guest agent, and the way down that begins with it."""

from typing import Any

import pytest_twisted
from doubles.qemu_agents import ADDRESS, Asked, asked
from twisted.internet.defer import Deferred

from virgate.libvirt.errors import AgentUnresponsive
from virgate.node.guest.qemu import replies
from virgate.node.guest.qemu.state import Link

__all__ = ["asked"]


async def poll(asked: Asked, until: float) -> None:
    """Looks every five seconds."""
    while asked.clock.seconds() < until:
        asked.clock.advance(5)
        if asked.clock.seconds() == 30:
            asked.addresses = ADDRESS
        await Deferred.fromCoroutine(asked.poller.look([asked.agent]))


@pytest_twisted.ensureDeferred
async def test_v24_the_schedule_of_questions(asked: Asked) -> None:
    await poll(asked, 140)
    first = sorted(question for when, question in asked.asked if when == 5)
    assert first == ["guest-get-devices", "guest-info", "guestInfo(63)", "interfaces", "vcpus"]
    assert asked.at("interfaces") == [5, 10, 15, 20, 25, 30]
    assert asked.at("guestInfo(1)") == [*range(15, 125, 10), 135]
    assert asked.at("guestInfo(15)") == [125]
    assert asked.at("vcpus") == [5, 65, 125]
    assert asked.at("guest-get-devices") == [5, 125]
    asked.agent.qemu.plugged = 145.0
    await poll(asked, 170)
    assert asked.at("guestInfo(49)") == [155]
    assert asked.at("interfaces")[-1] == 150
    asked.fail = AgentUnresponsive(86, "no answer")
    await poll(asked, 230)
    assert asked.since(175) == [(175, "guestInfo(1)")]
    await poll(asked, 235)
    assert (235, "guestInfo(1)") in asked.asked


@pytest_twisted.ensureDeferred
async def test_v24_nobody_is_asked_who_is_not_connected(asked: Asked) -> None:
    await poll(asked, 10)
    asked.fail = AgentUnresponsive(86, "no answer")
    await poll(asked, 15)
    asked.agent.qemu.linked(Link.DISCONNECTED)
    await poll(asked, 100)
    assert asked.since(16) == []
    asked.agent.qemu.linked(Link.CONNECTED)
    await poll(asked, 105)
    assert asked.since(101), "the failure is forgotten"


def test_v25_what_a_linux_guest_tells() -> None:
    info: dict[str, Any] = {
        "hostname": "q.example.test",
        "os.id": "rhel",
        "os.name": "Example",
        "os.version-id": "9.1",
        "os.variant": "Server",
        "os.machine": "i686",
        "os.kernel-release": "5.14",
        "timezone.offset": -3600,
        "user.count": 0,
        "fs.count": 2,
        "fs.0.mountpoint": "/",
        "fs.0.fstype": "xfs",
        "fs.0.total-bytes": 200,
        "fs.0.used-bytes": 100,
        "fs.0.disk.count": 1,
        "fs.0.disk.0.device": "/dev/vda1",
        "fs.0.disk.0.serial": "s1",
        "fs.1.mountpoint": "/proc",
    }
    found = replies.members(info, "6.2.0")
    assert found == {
        "guestName": "q.example.test",
        "guestFQDN": "q.example.test",
        "guestOs": "5.14",
        "guestOsInfo": {
            "type": "linux",
            "arch": "x86",
            "kernel": "5.14",
            "distribution": "Example",
            "version": "9.1",
            "codename": "Server",
        },
        "guestTimezone": {"offset": -60, "zone": "unknown"},
        "username": "",
        "disksUsage": [{"path": "/", "total": "200", "used": "100", "fs": "xfs"}],
        "appsList": ["kernel-5.14", "qemu-guest-agent-6.2.0"],
    }
    assert replies.mapping(info, by_disks=False) == {"s1": "/dev/vda"}
    assert replies.mapping(info, by_disks=True) is None, "disks were not asked for this time"


def test_v25_windows_and_other_machines() -> None:
    windows = {"os.id": "mswindows", "os.pretty-name": "Windows X", "os.kernel-version": "10.0", "os.machine": "x86_64"}
    found = replies.members(windows, "6.2.0")
    assert found["guestOs"] == "Windows X"
    wanted = {"type": "windows", "arch": "x86_64", "kernel": "", "distribution": "", "version": "10.0"}
    assert found["guestOsInfo"] == {**wanted, "codename": "Windows X"}
    assert found["appsList"] == ["qemu-guest-agent-6.2.0"]
    assert replies.members({"os.machine": "aarch64"}, "1")["guestOsInfo"]["arch"] == "unknown"
    assert replies.processors({"online": "0-1,3"}) == 3
    assert replies.processors({}) == -1
