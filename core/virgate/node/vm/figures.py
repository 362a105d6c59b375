"""The statistics of one machine as clients are given them: cached where they stand still, fresh where they move."""

from typing import TYPE_CHECKING, Any

from attrs import evolve

from virgate.node.vm.life import Status
from virgate.node.vm.stats import Sample, Shape, sampled

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

UNKNOWN_GUEST: dict[str, Any] = {
    "username": "Unknown",
    "session": "Unknown",
    "guestIPs": "",
    "guestFQDN": "",
    "appsList": [],
    "guestCPUCount": -1,
}
"""What is said about a guest whose agent was never heard."""


class Figures:
    """Owns the two last samples of a machine and the struct made of them."""

    def __init__(self) -> None:
        self._shape = Shape()
        self._before: Sample | None = None
        self._now: Sample | None = None
        self._cached: dict[str, Any] | None = None

    def reshape(self, shape: Shape) -> None:
        """The machine's devices changed."""
        self._shape, self._cached = shape, None

    def retarget(self, kibibytes: int) -> None:
        """The balloon shall leave so much to the guest."""
        self.reshape(evolve(self._shape, balloon_target_kib=kibibytes))

    def take(self, sample: Sample) -> None:
        """A sample of a guest that did not answer is as good as none; its age will show."""
        if self._now is not None and sample.silent_after(self._now):
            return
        self._before, self._now, self._cached = self._now, sample, None

    def drop(self) -> None:
        """The guest is gone; what comes next starts from nothing."""
        self._before = self._now = self._cached = None

    @property
    def guest_memory(self) -> dict[str, str]:
        """What the balloon says of the guest's memory, as of the last answer to a client."""
        found: dict[str, str] = (self._cached or {}).get("memoryStats", {})
        return found

    @property
    def hash(self) -> str:
        """Of the machine's devices."""
        return str(self._shape.members.get("hash", "0"))

    def age(self, now: float) -> float:
        """Seconds since the last sample; 0 before the first."""
        return now - self._now.at if self._now is not None else 0.0

    def members(self) -> dict[str, Any]:
        """A new struct of everything that waits for the next sample to change."""
        if self._cached is None:
            self._cached = {**UNKNOWN_GUEST, **self._shape.members, **sampled(self._shape, self._before, self._now)}
            self._cached.setdefault("memUsage", "0")
        return self._cached.copy()


def statistics(machine: "Machine") -> dict[str, Any]:
    """The struct of getVmStats for one machine, Down or not (spec xmlrpc-host-vm 4.5, 4.6)."""
    record, vitals = machine.record, machine.vitals
    if vitals.exit is not None:
        return {
            "vmId": record.id,
            "status": str(vitals.status),
            "statusTime": str(vitals.now),
            **vitals.exit.members,
            "timeOffset": str(record.time_offset + record.clock_drift),
        }
    means = machine.means
    now = means.monotonic()
    members = machine.figures.members()
    members["vmId"] = record.id
    members["vmName"] = record.name
    members["status"] = str(machine.status)
    members["statusTime"] = str(int(now * 1000))
    members["elapsedTime"] = str(max(int(means.wall() - record.started), 0))
    members["timeOffset"] = str(record.time_offset + record.clock_drift)
    members["clientIp"] = record.client
    members["pid"] = str(record.pid)
    stale = machine.figures.age(now) >= means.settings.stale_after and vitals.status is not Status.LEAVING
    members["monitorResponse"] = "-1" if stale else "0"
    if vitals.pause_code:
        members["pauseCode"] = vitals.pause_code
    if record.watchdog is not None:
        members["watchdogEvent"] = record.watchdog
    for more in machine.shown:
        members.update(more())
    return members
