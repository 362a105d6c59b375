"""Volume groups that wait to become domains, and the devices they are made of (spec xmlrpc-storage 3.8)."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.block import group_report
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors.volume_groups import (
    DeviceInaccessible,
    GroupTooSmall,
    MixedBlockSizes,
    NoSuchGroup,
    UnsupportedBlockSize,
)
from virgate.node.storage.formats import physical_volumes
from virgate.node.storage.formats.layout import BLOCK_512
from virgate.node.storage.lvm.reports import PhysicalVolume, VolumeGroup
from virgate.node.storage.repository import part
from virgate.units import GiB

SMALLEST = 10 * GiB
"""Of all devices of a domain together."""


@frozen
class BlockSizes:
    logical: int
    physical: int


@frozen
class VolumeGroups:
    domains: Domains

    async def create(self, name: str, guids: Sequence[object], *, force: bool = False) -> str:
        """Makes a group of devices named by their ids; answers its UUID.

        `InvalidParameter` (1000) for a name that no domain can have, `DeviceInaccessible` (606), `GroupTooSmall`
        (504), `MixedBlockSizes` (517), `UnsupportedBlockSize` (518), `CannotInitializeDevice` (601) for devices in use.
        """
        part(name)
        if not guids:
            raise InvalidParameter("devlist", guids)
        devices = await devices_of(self.domains, guids)
        total = sum(devices.values())
        if total < SMALLEST:
            raise GroupTooSmall(name, total, SMALLEST)
        await block_sizes(self.domains, list(devices))
        await self.domains.lvm.create_group(name, list(devices), force=force)
        return (await self.domains.lvm.group(name, fresh=True)).uuid

    async def find(self, uuid: str) -> VolumeGroup:
        """`NoSuchGroup` (506)."""
        for group in (await self.domains.lvm.groups(fresh=True)).values():
            if group.uuid == uuid:
                return group
        raise NoSuchGroup(uuid)

    async def remove(self, uuid: str) -> None:
        """Nothing happens if there is none."""
        try:
            group = await self.find(uuid)
        except NoSuchGroup:
            return
        await self.domains.lvm.remove_group(group.name)
        self.domains.forget()

    async def details(self, uuid: str) -> dict[str, Any]:
        """The group with its devices."""
        await self.domains.devices.rescan()
        group = await self.find(uuid)
        return group_report.details(
            group, await self.domains.lvm.physical(fresh=True), await self.domains.devices.all()
        )

    async def summaries(self, type_wanted: int = 0) -> list[dict[str, Any]]:
        """All groups, or those on devices of one type, in name order. Without any device no program is run."""
        await self.domains.devices.rescan()
        if not await self.domains.devices.paths_for_lvm():
            return []
        groups, physical = await self.domains.lvm.groups(fresh=True), await self.domains.lvm.physical(fresh=True)
        devices = await self.domains.devices.all()
        told = []
        for _, group in sorted(groups.items()):
            members = group_report.members(group, physical, devices)
            told.append(group_report.summary(group, (device for _, device in members if device)))
        return [one for one in told if type_wanted in (0, one["type"])]


async def devices_of(domains: Domains, guids: Iterable[object]) -> dict[str, int]:
    """Path and size of each device in the given order; `DeviceInaccessible` (606).

    A device that the administrator allowed by its path is named by the last part of it.
    """
    extra = {Path(path).name: path for path in await domains.devices.paths_for_lvm()}
    found: dict[str, int] = {}
    for given in guids:
        guid = str(given)
        try:
            device = await domains.devices.find(guid)
        except DeviceInaccessible:
            if guid not in extra:
                raise
            path = extra[guid]
            found[path] = (await _kernel_says(domains, [path]))[0]["size"]
        else:
            found[device.path] = device.size
    return found


async def guid_of(domains: Domains, path: str) -> str:
    """The id of a device that LVM named, as other hosts know it."""
    device = await domains.devices.at(path)
    return device.guid if device else Path(path).name


async def block_sizes(domains: Domains, devices: Sequence[str]) -> BlockSizes:
    """What all the devices have; `MixedBlockSizes` (517), `UnsupportedBlockSize` (518)."""
    found = []
    for device, told in zip(devices, await _kernel_says(domains, devices), strict=True):
        if told["logical"] != BLOCK_512 or told["physical"] < told["logical"]:
            raise UnsupportedBlockSize(device, told["logical"], told["physical"])
        found.append(BlockSizes(told["logical"], told["physical"]))
    if len(set(found)) > 1:
        raise MixedBlockSizes(", ".join(devices))
    return found[0]


async def _kernel_says(domains: Domains, devices: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await domains.repository.files.call("measure_devices", list(devices))
    return found


def physical_map(
    old: Mapping[int, physical_volumes.PhysicalVolume], present: Sequence[PhysicalVolume], guids: Mapping[str, str]
) -> dict[int, physical_volumes.PhysicalVolume]:
    """The numbered devices of a domain as its metadata have them; the first of `present` carries LV `metadata`."""
    told = [physical_volumes.PhysicalVolume(guids[pv.name], pv.uuid, pv.pe_count) for pv in present]
    return physical_volumes.refresh(old, told)
