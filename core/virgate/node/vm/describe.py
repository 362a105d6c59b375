"""The forms of `list`: short and the full configuration (spec xmlrpc-host-vm 2.2, 4.7)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

LARGEST = (1 << 31) - 1


def short(machine: "Machine") -> dict[str, Any]:
    vitals = machine.vitals
    return {"vmId": machine.id, "status": str(vitals.status), "statusTime": str(vitals.now)}


def full(machine: "Machine") -> dict[str, Any]:
    """What the client gave and what became of it. Keys with a leading underscore are never shown."""
    record, vitals = machine.record, machine.vitals
    conf = {name: wire(value) for name, value in record.conf.items() if not name.startswith("_") and value is not None}
    conf.update(
        short(machine),
        vmName=record.name,
        custom=dict(record.custom),
        pid=str(record.pid),
        clientIp=record.client,
        timeOffset=str(record.time_offset + record.clock_drift),
        guestDiskMapping=_guest_disks(machine),
    )
    if vitals.pause_code:
        conf["pauseCode"] = vitals.pause_code
    if record.external:
        conf["external"] = True
    if vitals.exit is not None:
        conf.update(vitals.exit.members)
    return conf


def _guest_disks(machine: "Machine") -> dict[str, dict[str, str]]:
    """What the guest calls its disks, by serial."""
    disks = machine.agent.disks if machine.agent is not None else {}
    return {serial: {"name": name} for serial, name in disks.items()}


def wire(value: Any) -> Any:
    """The value as every wire can carry it: nothing empty inside, no integer beyond 32 bits."""
    if isinstance(value, dict):
        return {str(name): wire(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [wire(inner) for inner in value if inner is not None]
    if isinstance(value, int) and not isinstance(value, bool) and not -LARGEST - 1 <= value <= LARGEST:
        return str(value)
    return value
