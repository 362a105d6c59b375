"""A volume group as clients are told of it (spec xmlrpc-storage 4.5). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from virgate.node.storage.devices import report
from virgate.node.storage.devices.values import FCP, Device
from virgate.node.storage.formats import physical_volumes
from virgate.node.storage.lvm.reports import PhysicalVolume, VolumeGroup

ATTRIBUTES = ("permission", "resizeable", "exported", "partial", "allocation", "clustered")
FIBRE, NETWORK = 2, 3
"""Numbers of domain types; a group on devices of both kinds counts as one of the network."""


def summary(group: VolumeGroup, devices: Iterable[Device]) -> dict[str, Any]:
    transports = {device.transport for device in devices}
    return {
        "name": group.name,
        "vgUUID": group.uuid,
        "vgsize": str(group.size),
        "vgfree": str(group.free),
        "type": FIBRE if transports == {FCP} else NETWORK,
        "attr": dict(zip(ATTRIBUTES, group.attr.ljust(len(ATTRIBUTES), "-"), strict=False)),
        "state": "PARTIAL" if group.partial else "OK",
    }


def members(
    group: VolumeGroup, physical: Mapping[str, PhysicalVolume], devices: Sequence[Device]
) -> list[tuple[PhysicalVolume, Device | None]]:
    """Each present device of a group with what is known of it; None for one that the administrator allowed by path."""
    known = {alias: device for device in devices for alias in device.aliases}
    return [(physical[name], known.get(name)) for name in group.pvs if name in physical]


def details(group: VolumeGroup, physical: Mapping[str, PhysicalVolume], devices: Sequence[Device]) -> dict[str, Any]:
    found = members(group, physical, devices)
    told = summary(group, (device for _, device in found if device))
    return {**told, "pvlist": [_member(volume, device) for volume, device in found]}


def carriers(
    group: str, physical: Mapping[str, PhysicalVolume], values: Mapping[str, str], metadata: str
) -> dict[str, str]:
    """By the ids that the domain itself has for its devices: LVM may call them by other names here.

    `metadata` is the device that the volume of this name begins on.
    """
    guids = {pv.uuid: pv.guid for pv in physical_volumes.decode(values).values()}
    named = {name: guids.get(pv.uuid, Path(name).name) for name, pv in physical.items() if pv.vg == group}
    carrying = [name for name in named if physical[name].mda_used_count == 2]
    return {"metadataDevice": named.get(metadata, ""), "vgMetadataDevice": named[carrying[0]] if carrying else ""}


def _member(volume: PhysicalVolume, device: Device | None) -> dict[str, Any]:
    seen = report.structure(device, volume, report.USED) if device else {}
    kept = ("vendorID", "productID", "serial", "devtype")
    return {
        **{key: seen.get(key, "") for key in kept},
        "pathstatus": seen.get("pathstatus", []),
        "pathlist": seen.get("pathlist", []),
        "fwrev": "0000",
        "capacity": str(volume.size),
        "devcapacity": str(volume.dev_size),
        "vgUUID": volume.vg_uuid,
        "pvUUID": volume.uuid,
        "GUID": device.guid if device else volume.name.rpartition("/")[2],
    }
