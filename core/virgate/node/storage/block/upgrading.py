"""Block domains of older versions brought to newer ones (spec storage-format 8). Each step may be repeated."""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.block import tags
from virgate.node.storage.errors import UnsupportedVersion
from virgate.node.storage.file.making import format_xleases
from virgate.node.storage.formats import layout, volume_metadata
from virgate.node.storage.formats.layout import special_volumes_mib
from virgate.units import MiB

if TYPE_CHECKING:
    from virgate.node.storage.block.domain import BlockDomain

log = Logger()

METADATA, XLEASES = "metadata", "xleases"
OLD, NEW = 4, 5
OLD_AREA = MiB
"""Where all slots of version 4 are; from version 5 on it is zero."""


async def prepare(domain: "BlockDomain", version: int) -> None:
    """What a version has besides its metadata: external leases from version 4 on."""
    if version == 3:
        raise UnsupportedVersion(f"3 for a block domain of version {domain.version}: an older host must bring it there")
    if domain.lease.volume_leases:
        volumes = await domain.lvm.volumes(domain.id, fresh=True)
        if XLEASES not in volumes:
            await domain.lvm.create(domain.id, XLEASES, special_volumes_mib(OLD, MiB)[XLEASES])
        await domain.open()
        await format_xleases(domain.files, domain.path, domain.record)


async def to_version_5(domain: "BlockDomain") -> None:
    """Hosts of both versions can read every volume until the version is raised: the areas do not overlap."""
    await copy_slots(domain)
    await domain.change({"VERSION": NEW, "BLOCK_SIZE": 512, "ALIGNMENT": MiB, "LOGBLKSIZE": None, "PHYBLKSIZE": None})
    try:
        await domain.files.call("zero_start", str(domain.lvm.path(domain.id, METADATA)), OLD_AREA)
    except (VirgateError, OSError):
        log.failure("domain {domain} keeps volume metadata of an older form", domain=domain.id)


async def copy_slots(domain: "BlockDomain") -> None:
    device = str(domain.lvm.path(domain.id, METADATA))
    volumes = await domain.lvm.volumes(domain.id, fresh=True)
    area = await domain.files.call("read_blocks", device, 0, OLD_AREA)
    for slot in sorted(tags.occupied(tags.entries(volumes))):
        start = layout.metadata_offset(slot, OLD)
        data = converted(area[start : start + layout.SLOT_TEXT])
        await domain.files.call("write_blocks", device, layout.metadata_offset(slot, NEW), data)


def converted(data: bytes) -> bytes:
    """A slot of version 4 as one of version 5. What cannot be read is kept as it is."""
    try:
        return volume_metadata.encode_slot(volume_metadata.decode(data), NEW)
    except VirgateError:
        return data
