"""What clients are shown as status, and the members of an event (spec xmlrpc-host-vm 1.8, 4.1). Pure."""

from typing import Any

from virgate.node.vm.life import Status, Vitals
from virgate.node.vm.record import Record

POWERDOWN_PATIENCE = 300.0
EVENT_PATIENCE = 60.0


def reported(vitals: Vitals, record: Record, now: float) -> Status:
    """The guest's own doings stand in for Up for a while: 300 s for powering down, 60 s for the others."""
    if vitals.status is not Status.UP or record.guest is None:
        return vitals.status
    patience = POWERDOWN_PATIENCE if record.guest.status is Status.POWERING_DOWN else EVENT_PATIENCE
    return record.guest.status if now - record.guest.at < patience else Status.UP


def event(vitals: Vitals, record: Record, status: Status) -> dict[str, Any]:
    """The members beside the machine's id."""
    members: dict[str, Any] = {"status": str(status)}
    if vitals.exit is not None:
        members |= vitals.exit.members
        members["timeOffset"] = str(record.time_offset + record.clock_drift)
    elif vitals.status is Status.PAUSED and vitals.pause_code != "NOERR":
        members["pauseCode"] = vitals.pause_code
        members |= {"ioerror": record.io_error} if record.io_error else {}
    return members
