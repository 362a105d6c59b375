"""Moves that are found on their way: after a restart, or when libvirt was away (spec migration 12.3, 12.4).

libvirt goes on with a move by itself. What is left to do is to see how it ends.
"""

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError

from virgate.errors import VirgateError
from virgate.libvirt import moving
from virgate.node.vm.errors import NoSuchMachine
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.migration.arrival import Arrival
from virgate.node.vm.migration.departure import Departure
from virgate.node.vm.migration.progress import is_outgoing
from virgate.node.vm.migration.standing import Postcopy

if TYPE_CHECKING:
    from virgate.libvirt.domains import DomainSummary
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

PATIENCE = 5.0
"""Seconds that libvirt may take to tell of a machine whose QEMU may hang."""


class Found(Enum):
    """What a running domain is in the middle of."""

    NOTHING = auto()
    LEAVING = auto()
    LEFT_BEHIND = auto()
    """Its guest runs on the other side already and fetches what it misses."""
    ARRIVING = auto()
    TORN = auto()
    """In two places and alive in neither."""


def meaning(state: str, reason: str, job: Mapping[str, Any]) -> Found:
    """The rows of the table that concern moves."""
    if (state, reason) == ("paused", "postcopy_failed"):
        return Found.TORN
    if (state, reason) == ("paused", "postcopy"):
        return Found.LEFT_BEHIND
    if (state, reason) == ("running", "postcopy"):
        return Found.ARRIVING
    if state in ("running", "paused") and is_outgoing(job):
        return Found.LEAVING
    return Found.ARRIVING if (state, reason) == ("paused", "migration") else Found.NOTHING


async def place(machines: "Machines", machine: "Machine", found: "DomainSummary") -> bool:
    """Takes over a machine that is on its way; answers whether it is. The machine was rebuilt just now."""
    if found.state not in ("running", "paused") or machine.record.external:
        return False
    what = meaning(found.state, found.reason, await _job(machine))
    woken = what is Found.ARRIVING and found.state == "paused" and found.persistent
    if what is Found.NOTHING or woken:  # one that arrives is persistent once it is there; one that wakes up is before
        return False
    if what is Found.TORN:
        with suppress(VirgateError):
            await machine.means.domains.destroy(machine.id, graceful=False)
        machine.life.down(Exit.of(Reason.POSTCOPY_FAILED))
    elif what is Found.ARRIVING:
        _arriving(machine)
    else:
        _leaving(machines, machine, found, postcopy=what is Found.LEFT_BEHIND)
    return True


async def _job(machine: "Machine") -> dict[str, Any]:
    asked = Deferred.fromCoroutine(moving.job(machine.means.domains, machine.id))
    try:
        return await asked.addTimeout(PATIENCE, machine.means.reactor)
    except (TimeoutError, VirgateError):
        return {}


def _arriving(machine: "Machine") -> None:
    traffic = machine.means.traffic
    traffic.incoming.take_anyway()
    machine.life.arrive()
    arrival = Arrival(machine, machine.record.xml, traffic)
    machine.launch = arrival
    arrival.await_guest()


def _leaving(machines: "Machines", machine: "Machine", found: "DomainSummary", *, postcopy: bool) -> None:
    async def forget() -> None:
        with suppress(NoSuchMachine):
            await machines.destroy(machine.id)

    if found.state == "paused":
        machine.life.launched_paused("POSTCOPY" if postcopy else "NOERR")
    else:
        machine.life.launched()
    machine.life.leave()
    machine.means.traffic.outgoing.take_anyway()
    departure = Departure(machine, None, machine.means.traffic, forget)
    departure.standing.postcopy = Postcopy.RUNNING if postcopy else Postcopy.NONE
    departure.begin(found=True)


async def again(machine: "Machine", found: "DomainSummary | None") -> bool:
    """Events may have been missed: answers whether the machine is on its way, and lets that see how things are."""
    if isinstance(machine.departure, Departure):
        machine.departure.look()
        return True
    if not isinstance(machine.launch, Arrival):
        return False
    if found is None or found.state in ("shutoff", "crashed"):
        machine.launch.hears("stopped", "failed")
    elif found.reason not in ("migration", "postcopy"):
        machine.launch.hears("resumed" if found.state == "running" else "suspended", ARRIVED[found.state == "running"])
    return True


ARRIVED = {True: "migrated", False: "paused"}
