"""What clients are shown as status, and the members of an event (spec xmlrpc-host-vm 1.8, 4.1). Pure."""

from typing import TYPE_CHECKING, Any

from virgate.node.vm.life import Status, Vitals
from virgate.node.vm.record import Record

if TYPE_CHECKING:
    from virgate.node.guest.agent import GuestAgent

POWERDOWN_PATIENCE = 300.0
EVENT_PATIENCE = 60.0


def reported(
    vitals: Vitals,
    record: Record,
    now: float,
    agent: "GuestAgent | None" = None,
    becomes: Status | None = None,
) -> Status:
    """The guest's own doings stand in for Up: powering down for 300 s, then what its agent says, then the last event
    for 60 s (spec guest-agent 4.5). `becomes`: what a move or a save that is being prepared leads to."""
    if vitals.status is Status.LEAVING and vitals.pause_code == "POSTCOPY":
        return Status.PAUSED  # its CPUs run on the other side
    if vitals.status is not Status.UP:
        return vitals.status
    if becomes is not None:
        return becomes
    event = record.guest
    age = now - event.at if event is not None else 0.0
    if event is not None and event.status is Status.POWERING_DOWN and age < POWERDOWN_PATIENCE:
        return event.status
    if agent is not None and agent.status is not None and agent.active:
        return agent.status
    if event is not None and event.status is not Status.POWERING_DOWN and age < EVENT_PATIENCE:
        return event.status
    return Status.UP


def event(vitals: Vitals, record: Record, status: Status) -> dict[str, Any]:
    """The members beside the machine's id."""
    members: dict[str, Any] = {"status": str(status)}
    if vitals.exit is not None:
        members |= vitals.exit.members
        members["timeOffset"] = str(record.time_offset + record.clock_drift)
    elif status is Status.PAUSED and vitals.pause_code != "NOERR":
        members["pauseCode"] = vitals.pause_code
        members |= {"ioerror": record.io_error} if record.io_error else {}
    return members
