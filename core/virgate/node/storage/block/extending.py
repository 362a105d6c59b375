"""The devices of a block domain: more of them, larger ones, fewer. Only the SPM may, or who holds its lease."""

from collections.abc import Sequence
from pathlib import Path

from virgate.errors import InvalidParameter
from virgate.node.storage.block.domain import MASTER, METADATA, SHARED, BlockDomain
from virgate.node.storage.block.groups import block_sizes, devices_of, guid_of, physical_map
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.guard import guarded
from virgate.node.storage.errors import UnsupportedVersion, WrongDomainType
from virgate.node.storage.errors.volume_groups import CannotReduceGroup, CannotResizeDevice, DeviceInaccessible
from virgate.node.storage.formats import physical_volumes
from virgate.node.storage.lvm.reports import PhysicalVolume
from virgate.units import MiB

BLOCKS_PER_EXTENT = 512
"""Bytes of LV `metadata` that a domain below version 5 wants for each extent of its group, as old hosts make it."""


async def block_domain(domains: Domains, domain: str) -> BlockDomain:
    """`WrongDomainType` (372) for one that is no volume group, `UnsupportedVersion` (394) for version 0: where the
    metadata of its volumes are follows from the order and the lengths of its devices."""
    found = must_be_block(await domains.find(domain))
    if not found.version:
        raise UnsupportedVersion(f"0 ({found.id} must keep its devices as they are: copy its images to a new domain)")
    return found


def must_be_block(found: Domain) -> BlockDomain:
    if not isinstance(found, BlockDomain):
        raise WrongDomainType(found.record.type)
    return found


async def extend(domains: Domains, domain: str, guids: Sequence[object], *, force: bool = False) -> None:
    """Adds devices to a domain; `DeviceInaccessible` (606), block sizes as those of the others (517, 518), in use
    (601)."""
    if not guids:
        raise InvalidParameter("devlist", guids)
    found = await block_domain(domains, domain)
    added = list(await devices_of(domains, guids))
    group = await domains.lvm.group(domain, fresh=True)
    await block_sizes(domains, [*(name for name in group.pvs if not name.startswith("[")), *added])
    await domains.lvm.extend_group(domain, added, force=force)
    await refresh_map(domains, found)


async def resize(domains: Domains, domain: str, guid: object) -> int:
    """Uses what a device of the domain gained; answers its bytes. `CannotResizeDevice` (615)."""
    found = await block_domain(domains, domain)
    await domains.devices.rescan()
    physical = await member(domains, domain, guid)
    await domains.lvm.resize_physical(domain, physical.name)
    await refresh_map(domains, found)
    grown = (await domains.lvm.physical()).get(physical.name)
    if grown is None:
        raise CannotResizeDevice(physical.name, "it is not there any more")
    return grown.size


async def move_device(domains: Domains, domain: str, guid: object, targets: Sequence[object], host: int) -> None:
    """Moves all data of a device to others, or to those named; `CannotMoveData` (616).

    No other host may use the domain meanwhile: it would go on writing to the old place. Repeating it goes on where it
    was interrupted.
    """
    found = await block_domain(domains, domain)
    async with guarded(found, host):
        source = await _spare(domains, found, guid)
        wanted = [(await member(domains, domain, target)).name for target in targets]
        await domains.lvm.move_physical(domain, source.name, wanted)


async def reduce(domains: Domains, domain: str, guid: object, host: int) -> None:
    """Takes a device that holds no data out of the domain; `CannotReduceGroup` (519)."""
    found = await block_domain(domains, domain)
    async with guarded(found, host):
        source = await _spare(domains, found, guid)
        await domains.lvm.reduce_group(domain, source.name)
        await refresh_map(domains, found)


async def refresh_map(domains: Domains, domain: BlockDomain) -> None:
    """Writes which devices the domain has now; one below version 5 has its metadata volume grow with it."""
    group = await domains.lvm.group(domain.id, fresh=True)
    physical = await domains.lvm.physical(fresh=True)
    volumes = await domains.lvm.volumes(domain.id)
    if domain.version < 5 and METADATA in volumes:
        wanted = -(-group.extent_count * BLOCKS_PER_EXTENT // MiB)
        if volumes[METADATA].size < wanted * MiB:
            await domains.lvm.extend(domain.id, METADATA, wanted)
    first = volumes[METADATA].device if METADATA in volumes else ""
    present = [physical[name] for name in group.pvs if name in physical]
    present.sort(key=lambda pv: pv.name != first)
    guids = {pv.name: await guid_of(domains, pv.name) for pv in present}
    old = physical_volumes.decode(domain.record.values)
    new = physical_volumes.encode(physical_map(old, present, guids))
    gone: dict[str, object] = {f"PV{number}": None for number in old}
    await domain.change({**gone, **new})


async def member(domains: Domains, domain: str, guid: object) -> PhysicalVolume:
    """The device of a domain by its id; `DeviceInaccessible` (606) for one of another group, too."""
    for name, volume in (await domains.lvm.physical(fresh=True)).items():
        if volume.vg == domain and str(guid) in (await guid_of(domains, name), Path(name).name):
            return volume
    raise DeviceInaccessible(str(guid))


async def _spare(domains: Domains, domain: BlockDomain, guid: object) -> PhysicalVolume:
    """A device that the domain can do without.

    Its metadata stay where old hosts look for them, and what every host keeps open stays where it is.
    """
    device = await member(domains, domain.id, guid)
    volumes = await domains.lvm.volumes(domain.id, fresh=True)
    special = {name for name in (*SHARED, MASTER) if name in volumes and volumes[name].device == device.name}
    if device.mda_used_count == 2 or special:
        raise CannotReduceGroup(domain.id, f"{device.name} carries the metadata of the domain")
    return device
