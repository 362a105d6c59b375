"""The steps that undo half done volumes: how a job names them in its journal, and how they are run.

Names and parameters are those of spec xmlrpc-storage 5.3, so that an oVirt host that becomes SPM understands ours and
the other way round. Every step bears that there is nothing left to undo.
"""

from pathlib import PurePath

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import NoSuchImage
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.storage.formats.volume_metadata import VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Volume
from virgate.node.storage.images.qemu_img import NAMES, QemuImg
from virgate.node.storage.values import is_blank
from virgate.node.tasks.recoveries import Recoveries
from virgate.units import Size

SENTINEL = "rollback sentinel"
VOLUMES = ("FileVolume", "GlusterVolume")


def undo_image(folder: str) -> Recovery:
    return Recovery("create image rollback", "image", "Image", "createImageRollback", (folder,))


def sentinel(domain: str, image: str, volume: str) -> Recovery:
    return Recovery(SENTINEL, "fileVolume", "FileVolume", "startCreateVolumeRollback", (domain, image, volume))


def undo_half(path: str) -> Recovery:
    return Recovery("Halfbaked volume rollback", "fileVolume", "FileVolume", "halfbakedVolumeRollback", (path,))


def undo_metadata(path: str) -> Recovery:
    return Recovery(
        "Create volume metadata rollback", "fileVolume", "FileVolume", "createVolumeMetadataRollback", (path,)
    )


def undo_share(path: str) -> Recovery:
    return Recovery("Share volume rollback", "fileVolume", "FileVolume", "shareVolumeRollback", (path,))


def undo_parent(domain: str, image: str, parent: str) -> Recovery:
    return Recovery("Parent volume rollback", "volume", "Volume", "parentVolumeRollback", (domain, image, parent))


def undo_volume(pool: str, domain: str, image: str, volume: str, folder: str) -> Recovery:
    return Recovery(
        "Create volume rollback",
        "fileVolume",
        "FileVolume",
        "createVolumeRollback",
        (pool, domain, image, volume, folder),
    )


def settle_size(domain: str, image: str, volume: str) -> Recovery:
    return Recovery("Extend size finalize", "volume", "Volume", "extendSizeFinalize", (domain, image, volume))


def undo_rename(source: str, target: str) -> Recovery:
    """Back from `target` to `source`."""
    return Recovery("Rename volume rollback", "fileVolume", "FileVolume", "renameVolumeRollback", (target, source))


def undo_rebase(domain: str, image: str, volume: str, parent_format: VolumeFormat, parent: str) -> Recovery:
    """Back to the parent it had. The header is enough: what a rebase copies in does not change what guests see."""
    params = (domain, image, volume, str(parent_format.value), parent, "True")
    return Recovery("Rebase volume rollback", "volume", "Volume", "rebaseVolumeRollback", params)


@frozen
class Rollback:
    """Runs them. A path in a parameter is only taken as domain, image and volume: nothing else is touched."""

    domains: Domains
    qemu: QemuImg

    def register(self, recoveries: Recoveries) -> None:
        recoveries.add("Image", "createImageRollback", self.image)
        recoveries.add("StorageDomain", "create_image_rollback", self.image)
        recoveries.add(VOLUMES, "startCreateVolumeRollback", self.nothing)
        recoveries.add(VOLUMES, "halfbakedVolumeRollback", self.half)
        recoveries.add(VOLUMES, "createVolumeMetadataRollback", self.metadata)
        recoveries.add(VOLUMES, "createVolumeRollback", self.volume)
        recoveries.add(VOLUMES, "shareVolumeRollback", self.share)
        recoveries.add((*VOLUMES, "Volume"), "renameVolumeRollback", self.rename)
        recoveries.add("Volume", "parentVolumeRollback", self.parent)
        recoveries.add("Volume", "rebaseVolumeRollback", self.rebase)
        recoveries.add("Volume", "extendSizeFinalize", self.size)
        recoveries.add("Volume", "killProcRollback", self.nothing)

    async def nothing(self, *params: str) -> None:
        """A marker, or a process that ended with its daemon."""

    async def image(self, folder: str) -> None:
        domain, image, _ = await self._placed(f"{folder}/-")
        await domain.images.remove_empty_image(image)

    async def half(self, *params: str) -> None:
        """Removes data that no metadata belong to; the path is the last parameter in every version."""
        domain, image, volume = await self._placed(params[-1])
        try:
            survey = await domain.images.survey(image)
        except NoSuchImage:
            return
        if volume not in survey.volumes:
            await domain.images.remove(image, volume)

    async def metadata(self, path: str) -> None:
        domain, image, volume = await self._placed(path)
        await domain.images.remove(image, volume)

    async def share(self, path: str) -> None:
        """Removes the link to a template, never the template."""
        domain, image, volume = await self._placed(path)
        try:
            survey = await domain.images.survey(image)
        except NoSuchImage:
            return
        if volume in survey.volumes and survey.volumes[volume].metadata.image != image:
            await domain.images.remove(image, volume)

    async def volume(self, pool: str, domain_id: str, image: str, volume: str, folder: str) -> None:
        domain = await self.domains.find(domain_id)
        try:
            survey = await domain.images.survey(image)
        except NoSuchImage:
            return
        found = survey.volumes.get(volume)
        parent = found.metadata.parent if found and found.readable else ""
        await domain.images.remove(image, volume)
        await self.parent(domain_id, image, parent)
        survey = await domain.images.survey(image)
        if not survey.own():
            await domain.images.delete(image)

    async def rename(self, *params: str) -> None:
        """From the first path back to the second; with three parameters the first is the domain."""
        domain, image, volume = await self._placed(params[-2])
        await domain.images.rename(image, volume, PurePath(params[-1]).name)

    async def parent(self, domain_id: str, image: str, volume: str) -> None:
        """Makes a volume that lost its children a leaf again."""
        domain = await self.domains.find(domain_id)
        try:
            await recheck_leaf(domain, image, volume)
        except NoSuchImage:
            return

    async def rebase(self, domain_id: str, image: str, volume: str, form: str, parent: str, unsafe: str) -> None:
        domain = await self.domains.find(domain_id)
        found = await _volume(domain, image, volume)
        if found is None:
            return
        name = "" if is_blank(parent) else parent
        await self.qemu.rebase(
            domain.images.path(image, volume), name, NAMES.get(VolumeFormat(int(form)), "raw"), unsafe=True
        )
        await domain.images.write(image, volume, evolve(found.metadata, parent=parent))

    async def size(self, domain_id: str, image: str, volume: str) -> None:
        """Lets the metadata say what the data are: of a raw volume the file, of a qcow2 one the disk in it."""
        domain = await self.domains.find(domain_id)
        found = await _volume(domain, image, volume)
        if found is None or found.size < 0:
            return
        size = found.size
        if found.metadata.format is VolumeFormat.COW:
            size = (await self.qemu.look(domain.images.path(image, volume))).virtual_size
        await domain.images.write(image, volume, evolve(found.metadata, capacity=Size(size)))

    async def _placed(self, path: str) -> tuple[Domain, str, str]:
        """Domain, image and volume of `.../<domain>/images/<image>/<volume>`."""
        parts = PurePath(path).parts
        if len(parts) < 4 or parts[-3] != "images":
            raise InvalidParameter("path", path)
        return await self.domains.find(parts[-4]), parts[-2], parts[-1]


async def _volume(domain: Domain, image: str, volume: str) -> Volume | None:
    try:
        return (await domain.images.survey(image)).volumes.get(volume)
    except NoSuchImage:
        return None


async def recheck_leaf(domain: Domain, image: str, volume: str) -> None:
    """INTERNAL without children becomes LEAF; shared volumes and volumes that are not there are left alone."""
    survey = await domain.images.survey(image)
    found = survey.volumes.get(volume)
    if found is None or not found.readable or survey.children(volume):
        return
    if found.metadata.role is VolumeRole.INTERNAL and found.metadata.image == image:
        await domain.images.write(image, volume, evolve(found.metadata, role=VolumeRole.LEAF))
