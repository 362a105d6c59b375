"""Orders about moves, checked before anything is begun (spec migration 1, 4, 5, 7)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import TimeoutError

from virgate.domxml.errors import MachineExists
from virgate.node.vm import readback
from virgate.node.vm.errors import NoSuchMachine, WrongState
from virgate.node.vm.life import Status
from virgate.node.vm.migration import description, documents, limits
from virgate.node.vm.migration.arrival import Arrival
from virgate.node.vm.migration.departure import Departure
from virgate.node.vm.migration.errors import (
    Busy,
    BusyForOldHosts,
    DisksFailing,
    MigrationFailed,
    NothingToCancel,
    NotUnderWay,
    Transient,
)
from virgate.node.vm.migration.order import Order
from virgate.node.vm.record import Record

if TYPE_CHECKING:
    from virgate.node.storage.manager import Storage
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

WITHOUT_GUEST = (Status.DOWN, Status.WAIT_FOR_LAUNCH, Status.RESTORING, Status.ARRIVING)


async def leave(machines: "Machines", params: Mapping[str, Any]) -> "Machine":
    """Begins to move a machine to another host; how it goes on is in its `standing`."""
    machine = machines.find(str(params.get("vmId") or params.get("vmID") or ""))
    order = Order.read(params)
    _may_leave(machine)
    patience = limits.lock_time(len(machines))
    try:
        await machine.changing.acquire().addTimeout(patience, machine.means.reactor)
    except TimeoutError:
        raise MigrationFailed(f"its devices have been changed for {patience:g} seconds") from None
    try:
        _may_leave(machine)
        if order.cpusets is not None or order.nodesets is not None:
            documents.adapted((await machine.document()).text, order)  # wrong numbers are told now
        _may_leave(machine)

        async def forget() -> None:
            with suppress(NoSuchMachine):
                await machines.destroy(machine.id)

        Departure(machine, order, machine.means.traffic, forget).begin()
    finally:
        machine.changing.release()
    return machine


def _may_leave(machine: "Machine") -> None:
    vitals = machine.vitals
    if vitals.status in WITHOUT_GUEST:
        raise NoSuchMachine(machine.id)
    machine.stays()
    if vitals.status not in (Status.UP, Status.PAUSED):
        raise WrongState(machine.id, vitals.status)
    if vitals.status is Status.PAUSED and vitals.pause_code == "EIO":
        raise DisksFailing(machine.id)
    if documents.is_transient(machine.record.conf.get("devices", ())):
        raise Transient()


async def cancel(machine: "Machine") -> None:
    if machine.departure is None:
        raise NothingToCancel()
    await machine.departure.cancel()


async def change(machine: "Machine", params: Mapping[str, Any]) -> None:
    """`maxBandwidth`: MiB/s of the move that is under way."""
    if machine.departure is None:
        raise NotUnderWay()
    order = Order.read({"dst": "0", "maxBandwidth": params.get("maxBandwidth")})
    if order.bandwidth is not None:
        await machine.departure.limit_bandwidth(order.bandwidth)


async def arrive(machines: "Machines", params: Mapping[str, Any], limit: int | None) -> "Machine":
    """Prepares for a machine of another host; its guest may come then. `limit`: so many at once."""
    means = machines.means
    traffic = means.traffic
    if limit is not None and limit > 0:
        traffic.incoming.resize(limit)
    heard = description.hear(params, means.facts())
    if heard.request.id in machines:
        raise MachineExists(heard.request.id)
    if not traffic.incoming.try_take():
        raise Busy() if limit is not None else BusyForOldHosts()
    machine = _listed(machines, heard)
    arrival = Arrival(machine, heard.text, traffic, guest_events=heard.guest_events, starved=heard.starved)
    machine.launch = arrival
    settings = traffic.settings
    mapped = sum(disk.path.startswith("/dev/mapper/") or bool(disk.guid) for disk in machine.record.disks)
    seconds = limits.preparation_time(
        len(machines), mapped, settings.listener_timeout, settings.disk_timeout, settings.max_listener_timeout
    )
    await arrival.prepare(machines.slots, seconds)
    return machine


async def refresh(machine: "Machine", named: Mapping[str, Any], storage: "Storage") -> tuple[int, int]:
    """Bytes of a disk that has grown on another host, as this one sees and counts them; `NoSuchDrive` (13)."""
    from virgate.node.vm.blocks import drives

    disk = drives.find(machine, named)
    ids = disk.domain_id, disk.image_id, disk.volume_id
    seen = await storage.growing.see(*ids)
    _, occupied = await storage.images.volumes.size(*ids)
    return seen, occupied


def _listed(machines: "Machines", heard: description.Arriving) -> "Machine":
    from virgate.node.vm.machine import Machine

    request, means = heard.request, machines.means
    record = Record(request.id, request.name, request.conf, dict(request.custom), disks=request.disks)
    record.conf.pop("launchPaused", None)
    record.time_offset = int(request.conf.get("timeOffset") or 0)
    record.started = means.wall() - heard.elapsed
    record.conf.update(heard.guest)  # where the agent of this host finds it
    machine = Machine(record, means, request)
    machine.figures.reshape(readback.unborn(record.conf))
    machines.adopt(machine)
    return machine
