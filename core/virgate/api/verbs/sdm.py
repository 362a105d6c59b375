"""Verbs about the data of volumes that any host of a pool may work on (spec xmlrpc-storage 11)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Flag, Integer, Struct, Text, Uuid
from virgate.node.node import Node

STORAGE = Family.STORAGE


@verb("SDM.copy_data", xmlrpc="sdmCopyData", family=STORAGE)
async def copy_data(node: Node, job: Uuid, source: Struct, destination: Struct, bitmaps: Flag = False) -> None:
    """Start a job that fills a volume, or what is served elsewhere, with what another one holds."""
    if "external" in (source.get("endpoint_type"), destination.get("endpoint_type")):
        await node.storage.external_copies.copy(job, source, destination, bitmaps=bitmaps)
        return
    await node.storage.sdm.copy_data(job, source, destination, bitmaps=bitmaps)


@verb("SDM.merge", xmlrpc="sdmMerge", family=STORAGE)
async def merge(node: Node, job: Uuid, subchain: Struct, bitmaps: Flag = False) -> None:
    """Start a job that copies what a volume holds into the one that it is based on."""
    await node.storage.cold_merge.merge(job, subchain, merge_bitmaps=bitmaps)


@verb("SDM.add_bitmap", xmlrpc="sdmAddBitmap", family=STORAGE)
async def add_bitmap(node: Node, job: Uuid, volume: Struct, bitmap: Text) -> None:
    """Start a job that lets a volume record what changes from then on."""
    await node.storage.bitmaps.add(job, volume, bitmap)


@verb("SDM.remove_bitmap", xmlrpc="sdmRemoveBitmap", family=STORAGE)
async def remove_bitmap(node: Node, job: Uuid, volume: Struct, bitmap: Text) -> None:
    """Start a job that removes a record of changes."""
    await node.storage.bitmaps.remove(job, volume, bitmap)


@verb("SDM.clear_bitmaps", xmlrpc="sdmClearBitmaps", family=STORAGE)
async def clear_bitmaps(node: Node, job: Uuid, volume: Struct) -> None:
    """Start a job that removes all records of changes from a volume."""
    await node.storage.bitmaps.clear(job, volume)


@verb("SDM.amend_volume", xmlrpc="sdmAmendVolume", family=STORAGE)
async def amend_volume(node: Node, job: Uuid, volume: Struct, attributes: Struct) -> None:
    """Start a job that brings a qcow2 volume to a newer level: {compat: "1.1"}."""
    await node.storage.upkeep.amend(job, volume, attributes)


@verb("SDM.sparsify_volume", xmlrpc="sdmSparsifyVolume", family=STORAGE)
async def sparsify_volume(node: Node, job: Uuid, volume: Struct) -> None:
    """Start a job that gives back the room that the guest of a volume does not use."""
    await node.storage.upkeep.sparsify(job, volume)


@verb("SDM.update_volume", xmlrpc="sdmUpdateVolume", family=STORAGE)
async def update_volume(node: Node, job: Uuid, volume: Struct, changes: Struct) -> None:
    """Start a job that changes a volume's description, role, legality or generation."""
    await node.storage.sdm.update_volume(job, volume, changes)


@verb("Host.getJobs", xmlrpc="getJobs", family=STORAGE)
async def jobs(node: Node, job_type: Anything = None, job_ids: Array = ()) -> Reply:  # type: ignore[assignment]
    """Jobs of this host, and how those of the last hour ended."""
    return Reply({"jobs": node.storage.job_registry.told(job_type, job_ids)})


@verb("Volume.measure", xmlrpc="measureVolume", family=STORAGE)
async def measure(
    node: Node, volume: Text, pool: Text, domain: Text, image: Text, form: Integer, backing: Flag = True
) -> Reply:
    """How many bytes a copy of a volume takes."""
    from virgate.node.storage.sdm.volumes import Target
    from virgate.node.storage.values import new_format

    target = Target.read({"sd_id": domain, "img_id": image, "vol_id": volume})
    return Reply({"result": await node.storage.sdm.measure(target, new_format(form), backing=backing)})


@verb("Volume.getQemuImageInfo", xmlrpc="getQemuImageInfo", family=STORAGE)
async def image_info(node: Node, domain: Text, pool: Text, image: Text, volume: Text) -> Reply:
    """What the header of a volume's data says."""
    from virgate.node.storage.sdm.volumes import Target

    target = Target.read({"sd_id": domain, "img_id": image, "vol_id": volume})
    return Reply({"info": await node.storage.sdm.image_info(target)})
