"""What is known of one machine beside its life: a plain value that its owners fill in."""

from typing import Any

from attrs import define, field

from virgate.domxml.facts import DiskRequest
from virgate.hookspecs.documents import Subject
from virgate.node.vm.life import Status


@define
class GuestEvent:
    """The last thing the guest is known to do by itself: powering up, powering down, rebooting."""

    status: Status
    at: float
    """Monotonic seconds."""


@define
class Record:
    """Facts of a machine. `conf` is what the client gave, echoed by `list` (keys with a leading `_` never are)."""

    id: str
    name: str
    conf: dict[str, Any] = field(factory=dict)
    custom: dict[str, str] = field(factory=dict)
    disks: tuple[DiskRequest, ...] = ()
    replicas: tuple[DiskRequest, ...] = ()
    """What disks are written to as well; the hypervisor forgets them as soon as the guest is gone."""
    external: bool = False
    """A domain that somebody else made; it is listed and never ended without being asked."""
    started: float = 0.0
    """Wall-clock seconds since the epoch of the guest's start or last reboot; 0 before."""
    time_offset: int = 0
    """Seconds of the guest's clock against UTC as the client gave them."""
    clock_drift: int = 0
    """What the guest itself changed since."""
    released_before: bool = False
    """An earlier daemon saw the guest end and released what it used."""
    client: str = ""
    pid: int = 0
    xml: str = ""
    """The domain as last read from the hypervisor; empty until it is defined."""
    watchdog: dict[str, Any] | None = None
    io_error: dict[str, str] | None = None
    """The disk error that paused the guest: alias, name, path."""
    guest: GuestEvent | None = None
    asked_down: bool = False
    """A client of ours wants the guest to end."""

    @property
    def subject(self) -> Subject:
        return Subject(self.id, self.custom)
