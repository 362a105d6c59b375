"""What happens on the node, as clients of the old API are notified of it (spec xmlrpc-host-vm 1.8).

Made when somebody wants to hear, so a daemon without listeners pays nothing. Changes that come in swarms (what a guest
agent says, devices, the balloon) are gathered for a moment and told once per machine.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor

from virgate.node.vm.figures import statistics

if TYPE_CHECKING:
    from virgate.node.node import Node

Hear = Callable[[str, Mapping[str, Any]], None]

MOMENT = 0.2
"""Seconds for which changes of one machine are gathered."""

DEVICES = ("hash", "displayInfo")
BALLOON = ("balloonInfo",)
GUEST = (
    "username",
    "session",
    "lastLogin",
    "guestIPs",
    "guestFQDN",
    "guestName",
    "guestOs",
    "guestOsInfo",
    "guestTimezone",
    "guestCPUCount",
    "guestContainers",
    "appsList",
    "netIfaces",
    "disksUsage",
    "diskMapping",
)
"""Members of a machine's statistics that each kind of change is about."""


def status_method(vm: str) -> str:
    return f"|virt|VM_status|{vm}"


class Notices:
    """Tells `hear` until it is closed; nothing before the node is ready."""

    def __init__(self, node: "Node", hear: Hear, clock: Any = None) -> None:
        self._node = node
        self._hear = hear
        self._clock: Any = clock or reactor
        self._gathered: dict[str, set[str]] = {}
        self._told: dict[str, dict[str, Any]] = {}
        """By machine, the last change of its status."""
        self._timer: Any = None
        self._end = node.events.listen_all(
            {
                "vm.status": self._status,
                "vm.migration": self._migration,
                "vm.devices": lambda vm, **_: self._gather(vm, DEVICES),
                "vm.balloon": lambda vm, **_: self._gather(vm, BALLOON),
                "guest.info": lambda vm, **_: self._gather(vm, GUEST),
                "job.status": self._job,
                "host.network": self._network,
            }
        )

    def close(self) -> None:
        self._end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, method: str, params: Mapping[str, Any]) -> None:
        if self._node.ready:
            self._hear(method, params)

    def _status(self, vm: str, details: Mapping[str, Any], notify_time: int, **_: Any) -> None:
        """What was told already is not told again: a status is often settled by several events of the hypervisor."""
        told = {name: value for name, value in details.items() if name != "statusTime"}
        if not self._node.ready or self._told.get(vm) == told:
            return
        self._told[vm] = told
        if details.get("status") == "Down":  # nothing comes after it
            del self._told[vm]
        self._tell(status_method(vm), {vm: details, "notify_time": notify_time})

    def _migration(
        self, vm: str, progress: int = 0, downtime: int | None = None, postcopy: bool = False, **_: Any
    ) -> None:
        details: dict[str, Any] = {"progress": progress, "postcopy": postcopy}
        if downtime is not None:
            details["downtime"] = downtime
        self._tell(f"|virt|VM_migration_status|{vm}", {vm: details, "notify_time": _now()})

    def _job(self, id: str, info: Mapping[str, Any] | None = None, **fields: Any) -> None:
        self._tell(f"|jobs|status|{id}", {"id": id, **(fields if info is None else info), "notify_time": _now()})

    def _network(self, **_: Any) -> None:
        self._tell("|net|host_conn|no_id", {"notify_time": _now()})

    def _gather(self, vm: str, members: tuple[str, ...]) -> None:
        self._gathered.setdefault(vm, set()).update(members)
        if self._timer is None:
            self._timer = self._clock.callLater(MOMENT, self._tell_gathered)

    def _tell_gathered(self) -> None:
        self._timer = None
        gathered, self._gathered = self._gathered, {}
        for vm, names in gathered.items():
            machine = self._node.machines.get(vm)
            if machine is None or not machine.vitals.alive:
                continue
            found = statistics(machine)
            details = {name: found[name] for name in ("status", *sorted(names)) if name in found}
            self._tell(status_method(vm), {vm: details, "notify_time": machine.vitals.now})


def _now() -> int:
    """Milliseconds of the clock that statusTime has."""
    return int(time.monotonic() * 1000)
