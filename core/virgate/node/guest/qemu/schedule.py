"""When a QEMU guest agent is asked what (spec guest-agent 10.2, 10.3). Pure."""

from collections.abc import Iterator

from attrs import frozen

from virgate.node.guest.qemu.state import Link, QemuAgent
from virgate.node.guest.settings import GuestSettings

SLACK = 0.5
"""Seconds that a look may come early and still count as in time."""
SETTLED = 10.0
"""Seconds after a disk was plugged until the guest has found it."""

ABILITIES, ADDRESSES, PROCESSORS, DRIVERS = "guest-info", "interfaces", "cpus", "drivers"


@frozen
class Question:
    """One thing to ask. `bit` is its place in the hypervisor's bulk question, 0 for one with a call of its own."""

    name: str
    command: str
    period: str
    bit: int = 0


QUESTIONS = (
    Question(PROCESSORS, "guest-get-vcpus", "cpus_period"),
    Question(DRIVERS, "guest-get-devices", "system_period"),
    Question(ADDRESSES, "guest-network-get-interfaces", "system_period"),
    Question("users", "guest-get-users", "users_period", 1),
    Question("system", "guest-get-osinfo", "system_period", 2),
    Question("timezone", "guest-get-timezone", "system_period", 4),
    Question("hostname", "guest-get-host-name", "system_period", 8),
    Question("filesystems", "guest-get-fsinfo", "disks_period", 16),
    Question("disks", "guest-get-disks", "disks_period", 32),
)
DISKS = ("filesystems", "disks")


def quiet(agent: QemuAgent, now: float, settings: GuestSettings) -> bool:
    """Whether it is not worth asking now: nobody is there, or it failed a short while ago."""
    if not agent.present or agent.link is not Link.CONNECTED:
        return True
    if agent.failed is None:
        return False
    pause = min(settings.pause * 2 ** min(agent.failures - 1, 16), settings.longest_pause)
    return bool(now - agent.failed < pause - SLACK)


def wants_abilities(agent: QemuAgent, now: float, settings: GuestSettings) -> bool:
    return not agent.version or _passed(agent, ABILITIES, now, settings.info_period)


def anything(agent: QemuAgent, now: float, settings: GuestSettings) -> bool:
    """Whether `questions` would find something."""
    return next(_due(agent, now, settings), None) is not None


def questions(agent: QemuAgent, now: float, settings: GuestSettings) -> list[Question]:
    """What to ask of an agent whose abilities are known; it is noted as asked."""
    found = list(_due(agent, now, settings))
    agent.asked |= dict.fromkeys((one.name for one in found), now)
    if agent.plugged is not None and now >= agent.plugged + SETTLED:
        agent.plugged = None
    return found


def _due(agent: QemuAgent, now: float, settings: GuestSettings) -> Iterator[Question]:
    booting = now - agent.started < settings.boot_period and not agent.has_address
    settled = agent.plugged is not None and now >= agent.plugged + SETTLED
    for one in QUESTIONS:
        if one.command not in agent.commands:
            continue
        early = (one.name == ADDRESSES and booting) or (one.name in DISKS and settled)
        if early or _passed(agent, one.name, now, getattr(settings, one.period)):
            yield one


def _passed(agent: QemuAgent, name: str, now: float, period: float) -> bool:
    return name not in agent.asked or now - agent.asked[name] >= period - SLACK
