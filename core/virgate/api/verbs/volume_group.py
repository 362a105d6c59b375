"""Verbs about volume groups and the devices of block domains (spec xmlrpc-storage 3.2, 3.8)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Flag, Text, array
from virgate.node.node import Node

STORAGE = Family.STORAGE


@verb("LVMVolumeGroup.create", xmlrpc="createVG", family=STORAGE, default_code=502)
async def create(node: Node, name: Text, devices: Array, force: Flag = False, options: Anything = None) -> Reply:
    """Make a volume group of devices; a storage domain can be made of it."""
    from virgate.node.storage.block.groups import VolumeGroups

    return Reply({"uuid": await VolumeGroups(node.storage.domains).create(name, devices, force=force)})


@verb("LVMVolumeGroup.getInfo", xmlrpc="getVGInfo", family=STORAGE, default_code=500)
async def info(node: Node, group: Text, options: Anything = None) -> Reply:
    """One volume group with its devices."""
    from virgate.node.storage.block.groups import VolumeGroups

    return Reply({"info": await VolumeGroups(node.storage.domains).details(group)})


@verb("Host.getLVMVolumeGroups", xmlrpc="getVGList", family=STORAGE, default_code=500)
async def groups(node: Node, storage_type: Anything = None, options: Anything = None) -> Reply:
    """The volume groups this host sees."""
    from virgate.node.storage.block.groups import VolumeGroups

    wanted = int(storage_type) if str(storage_type).strip().isdecimal() else 0
    return Reply({"vglist": await VolumeGroups(node.storage.domains).summaries(wanted)})


@verb("LVMVolumeGroup.remove", xmlrpc="removeVG", family=STORAGE, default_code=500)
async def remove(node: Node, group: Text, options: Anything = None) -> None:
    """Remove a volume group with everything in it; nothing happens if there is none."""
    from virgate.node.storage.block.groups import VolumeGroups

    await VolumeGroups(node.storage.domains).remove(group)


@verb("StorageDomain.extend", xmlrpc="extendStorageDomain", family=STORAGE, default_code=350)
async def extend(
    node: Node, domain: Text, pool: Text, devices: Array, force: Flag = False, options: Anything = None
) -> None:
    """Add devices to a storage domain."""
    await node.storage.members.extend(pool, domain, devices, force=force)


@verb("StorageDomain.resizePV", xmlrpc="resizePV", family=STORAGE, default_code=350)
async def resize(node: Node, domain: Text, pool: Text, device: Anything, options: Anything = None) -> Reply:
    """Use what a grown device of a storage domain gained."""
    return Reply({"size": str(await node.storage.members.resize_device(pool, domain, device))})


@verb("StorageDomain.moveDevice", xmlrpc="moveStorageDomainDevice", family=STORAGE, default_code=350)
async def move_device(
    node: Node, domain: Text, device: Anything, targets: Anything = None, options: Anything = None
) -> Reply:
    """Move the data of a device of a storage domain, which no pool uses now, to its other devices."""
    return Reply({"uuid": await node.storage.members.move_device(domain, device, array(targets or ()))})


@verb("StorageDomain.reduce", xmlrpc="reduceStorageDomain", family=STORAGE, default_code=350)
async def reduce(node: Node, domain: Text, device: Anything, options: Anything = None) -> Reply:
    """Take a device without data out of a storage domain that no pool uses now."""
    return Reply({"uuid": await node.storage.members.reduce(domain, device)})
