"""The bitmaps that a new volume begins with (spec xmlrpc-storage 11): those that its parent keeps go on in it."""

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import CannotCreateVolume, ProgramFailed
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.bitmap import Bitmap
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.images.trust import check_headers
from virgate.node.storage.images.volume_making import Wanted


async def add_bitmaps(qemu: QemuImg, domain: Domain, wanted: Wanted) -> None:
    """Gives a volume that was just made its bitmaps, all empty; within the task that removes it when this fails."""
    images, survey = domain.images, await domain.images.survey(wanted.image)
    path = images.path(wanted.image, wanted.volume)
    async with images.used(wanted.image, wanted.volume):
        try:
            chain = survey.chain(wanted.volume)
            await check_headers(domain, survey, chain)
            new = [Bitmap(wanted.bitmap)] if wanted.bitmap else []
            if wanted.parents_bitmaps and len(chain) > 1 and chain[-2].metadata.format is VolumeFormat.COW:
                parent = await qemu.look(images.path(wanted.image, chain[-2].id))
                new = [bitmap for bitmap in parent.bitmaps if bitmap.valid and bitmap.name != wanted.bitmap] + new
            for bitmap in new:
                await qemu.add_bitmap(path, bitmap)
            if new:
                await images.flush(wanted.image, wanted.volume)
        except (OSError, ProgramFailed) as problem:
            raise CannotCreateVolume(wanted.volume, str(problem)) from problem
