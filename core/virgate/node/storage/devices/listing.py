"""getDeviceList: devices, what LVM has on them and whether they are free."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.devices import report
from virgate.node.storage.devices.devices import Devices
from virgate.node.storage.devices.reading import is_guid
from virgate.node.storage.devices.values import Device
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.lvm.reports import PhysicalVolume
from virgate.run.process import run

PATIENCE = 20.0
"""Seconds that reading the signatures of devices may take."""

log = Logger()


async def listing(
    devices: Devices, lvm: Lvm, kind: int | None, guids: Sequence[str], *, check: bool
) -> list[dict[str, Any]]:
    """After a look for new disks. Without `check` the status is unknown, and no device is read."""
    for guid in guids:
        checked(guid)
    await devices.rescan()
    found = [device for device in await devices.all() if _asked(device, kind, guids)]
    volumes = await volumes_on(lvm) if found else {}
    on = {device.guid: report.on_device(device, volumes) for device in found}
    statuses = await _statuses(found, on) if check else {}
    return [report.structure(device, on[device.guid], statuses.get(device.guid, report.UNKNOWN)) for device in found]


async def volumes_on(lvm: Lvm) -> Mapping[str, PhysicalVolume]:
    """None if LVM cannot tell: devices are seen even so, and what is on them is found by reading them."""
    try:
        return await lvm.physical(fresh=True)
    except VirgateError as problem:
        log.warn("devices are listed without their volume groups: {problem}", problem=problem)
        return {}


def checked(guid: str) -> str:
    if not is_guid(guid):
        raise InvalidParameter("guid", guid)
    return guid


def _asked(device: Device, kind: int | None, guids: Sequence[str]) -> bool:
    fits = device.transport in report.FILTERS[kind] if kind in report.FILTERS else True
    return fits and (not guids or device.guid in guids)


async def _statuses(found: Sequence[Device], on: Mapping[str, PhysicalVolume | None]) -> dict[str, str]:
    evident = {device.guid: report.evident_status(device, on[device.guid]) for device in found}
    unread = [device for device in found if evident[device.guid] is None]
    signatures = await _signatures(unread)
    read = {
        guid: report.UNKNOWN if seen is None else report.status(seen, on[guid]) for guid, seen in signatures.items()
    }
    return {guid: status or read[guid] for guid, status in evident.items()}


async def _signatures(found: Sequence[Device]) -> dict[str, set[str] | None]:
    """What is written on devices; None where it cannot be read. One that fails is not to fail the others."""
    if not found:
        return {}
    if (told := await _read(found)) is not None:
        return dict(told)
    if len(found) == 1:
        return {found[0].guid: None}
    alone = await gatherResults([Deferred.fromCoroutine(_signatures([device])) for device in found])
    return {guid: seen for one in alone for guid, seen in one.items()}


async def _read(found: Sequence[Device]) -> dict[str, set[str]] | None:
    argv = ["wipefs", "--no-act", "--json", "--output", "DEVICE,TYPE", *(device.path for device in found)]
    try:
        finished = await run(argv, timeout=PATIENCE)
        if finished.code:
            log.info("wipefs: {said}", said=finished.stderr.decode(errors="replace").strip())
            return None
        by_name = report.read_signatures(finished.stdout.decode())
    except (VirgateError, ValueError, KeyError) as problem:
        log.warn("devices cannot be read: {problem}", problem=problem)
        return None
    return {device.guid: by_name.get(device.path.rpartition("/")[2], set()) for device in found}
