"""Block domains of version 0: their metadata are text, the slots of their volumes follow from where these begin.

Spec storage-format 2.3, 2.5, 3.1. A volume's slot is the number of its first extent, counted through all devices of
the map in the text. Where a tag `MD_` names a slot it counts: the metadata stayed there, whatever moved since. With
that a volume that is made here is where old hosts look for it, by tag and by map.
"""

from collections.abc import Mapping

from attrs import evolve

from virgate.node.storage.block import tags
from virgate.node.storage.block.tags import Entry
from virgate.node.storage.formats import domain_metadata, physical_volumes
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.lvm.reports import LogicalVolume, PhysicalVolume
from virgate.node.storage.values import Files

METADATA = "metadata"
READ = 4096
"""Bytes: whole blocks, of which the text has the first half."""


async def read_text(lvm: Lvm, files: Files, group: str) -> dict[str, str]:
    """The keys at the beginning of LV `metadata`; none when the domain keeps them in tags."""
    data = await files.call("read_blocks", str(lvm.path(group, METADATA)), 0, READ)
    return domain_metadata.decode_v0_block(data[: domain_metadata.V0_BLOCK_SIZE])


async def write_text(lvm: Lvm, files: Files, group: str, values: Mapping[str, object]) -> None:
    """At once, and no byte of the slots behind it. `MetadataOverflow` (756) for more than there is room for."""
    block = domain_metadata.encode_v0_block(values)
    await files.call("write_blocks", str(lvm.path(group, METADATA)), 0, block)


async def entries(
    lvm: Lvm, group: str, values: Mapping[str, str], volumes: Mapping[str, LogicalVolume]
) -> dict[str, Entry]:
    """As `tags.entries`, with the places of all volumes. `values` are the domain's metadata."""
    found = tags.entries(volumes)
    if any(not volumes[name].device for name in found):  # LVM has not said yet where a new one is
        volumes = await lvm.volumes(group, fresh=True)
        found = tags.entries(volumes)
    return placed(found, volumes, await lvm.physical() if found else {}, values)


def placed(
    found: Mapping[str, Entry],
    volumes: Mapping[str, LogicalVolume],
    physical: Mapping[str, PhysicalVolume],
    values: Mapping[str, str],
) -> dict[str, Entry]:
    """Pure. A volume that is half made has a place, and no slot before its tags name it."""
    numbered = physical_volumes.decode(values)
    told = {}
    for name, entry in found.items():
        volume = volumes[name]
        uuid = physical[volume.device].uuid if volume.device in physical else ""
        place = physical_volumes.slot(numbered, uuid, volume.device, volume.first_extent)
        slot = place if entry.slot is None and not entry.half else entry.slot
        told[name] = evolve(entry, place=place, slot=slot)
    return told
