"""What is known of one machine's QEMU guest agent (spec guest-agent 10.1, 10.4). Pure."""

from enum import Enum
from typing import Any

from attrs import define, field


class Link(Enum):
    """Whether the guest has its end of the channel open."""

    UNKNOWN = "unknown"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@define
class QemuAgent:
    """Times are monotonic seconds."""

    started: float
    """Start of the guest, as far as this daemon saw it."""
    present: bool = False
    """Whether the machine has a channel for it."""
    link: Link = Link.UNKNOWN
    version: str = ""
    commands: frozenset[str] = frozenset()
    """Commands that the agent knows and lets through."""
    asked: dict[str, float] = field(factory=dict)
    """When each question was last asked, answered or not."""
    failed: float | None = None
    failures: int = 0
    """In a row."""
    plugged: float | None = None
    """A disk came or went and nobody has asked since."""
    members: dict[str, Any] = field(factory=dict)
    """Members of the statistics."""
    mapping: dict[str, str] = field(factory=dict)

    @property
    def active(self) -> bool:
        """It answered when it was last asked."""
        latest = max(self.asked.values(), default=None)
        return latest is not None and (self.failed is None or latest > self.failed)

    @property
    def perhaps(self) -> bool:
        """Worth a try."""
        return self.present and self.link is not Link.DISCONNECTED

    def linked(self, link: Link) -> None:
        """The hypervisor says so; an agent that comes back starts with a clean sheet."""
        if link is Link.CONNECTED and self.link is not Link.CONNECTED:
            self.failed, self.failures = None, 0
        self.link = link

    def fail(self, now: float) -> None:
        self.failed = now
        self.failures += 1

    def rebooted(self) -> None:
        """Another system may run there now."""
        self.version, self.commands = "", frozenset()

    @property
    def has_address(self) -> bool:
        """Whether an interface has an address that others can reach."""
        return any(
            interface["name"] not in ("lo", "docker0") and any(map(_reachable, interface["inet"] + interface["inet6"]))
            for interface in self.members.get("netIfaces", ())
        )


def _reachable(address: str) -> bool:
    return not address.startswith(("127.", "169.254.", "fe8", "fe9", "fea", "feb")) and address != "::1"
