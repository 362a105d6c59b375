"""A device as clients are told of it (spec xmlrpc-storage 4.5). Pure. Passwords of sessions are not known here."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from virgate.node.storage.devices.values import FCP, ISCSI, MIXED, Device, DevicePath, Session
from virgate.node.storage.lvm.reports import PhysicalVolume

FREE, USED, UNKNOWN = "free", "used", "unknown"
FILTERS = {2: (FCP, MIXED), 3: (ISCSI, MIXED)}
"""Which transports each number of a storage type asks for."""
LVM = "LVM2_member"


def structure(device: Device, volume: PhysicalVolume | None, status: str) -> dict[str, Any]:
    """`volume` is what LVM has on the device."""
    return {
        "GUID": device.guid,
        "pvUUID": volume.uuid if volume else "",
        "pvsize": str(volume.size) if volume else "",
        "vgUUID": volume.vg_uuid if volume else "",
        "vendorID": device.vendor,
        "productID": device.product,
        "fwrev": device.firmware,
        "serial": device.serial,
        "capacity": str(device.size),
        "devtype": device.transport,
        "logicalblocksize": str(device.logical_block),
        "physicalblocksize": str(device.physical_block),
        "status": status,
        "pathstatus": [_path(path) for path in device.paths],
        "pathlist": [_session(path.session) for path in device.paths if path.session],
    }


def on_device(device: Device, volumes: Mapping[str, PhysicalVolume]) -> PhysicalVolume | None:
    """What LVM has on it, by whichever of the device's names LVM calls it."""
    return next((volumes[name] for name in sorted(device.aliases & volumes.keys())), None)


def evident_status(device: Device, volume: PhysicalVolume | None) -> str | None:
    """The status as far as it is known without reading the device; None: look what is on it."""
    if device.foreign or (volume and volume.vg):
        return USED
    return None if device.active else UNKNOWN


def read_signatures(printed: str) -> dict[str, set[str]]:
    """What `wipefs` found, by the device's name."""
    found: dict[str, set[str]] = {}
    for line in json.loads(printed)["signatures"] if printed.strip() else []:
        found.setdefault(line["device"], set()).add(line["type"])
    return found


def status(signatures: Iterable[str], volume: PhysicalVolume | None) -> str:
    """Free is what LVM would take without being forced: nothing is on it, or a physical volume of no group."""
    mine = {LVM} if volume else set()
    return USED if set(signatures) - mine else FREE


def _path(path: DevicePath) -> dict[str, Any]:
    return {
        "physdev": path.name,
        "state": "active" if path.active else "failed",
        "capacity": str(path.size),
        "lun": path.lun,
        "type": path.transport,
    }


def _session(session: Session) -> dict[str, Any]:
    told = {
        "connection": session.host,
        "port": session.port,
        "iqn": session.iqn,
        "portal": session.tpgt,
        "initiatorname": session.iface,
    }
    return {**told, "user": session.user} if session.user else told
