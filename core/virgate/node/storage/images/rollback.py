"""The steps that undo half done volumes: how a job names them in its journal, and how they are run.

Names and parameters are those of spec xmlrpc-storage 5.3, so that an oVirt host that becomes SPM understands ours and
the other way round. Every step bears that there is nothing left to undo.
"""

from contextlib import suppress
from pathlib import PurePath

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import NoSuchImage, VolumeDoesNotExist
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.storage.formats.volume_metadata import BLANK_UUID, VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Volume
from virgate.node.storage.images.qemu_img import NAMES, QemuImg
from virgate.node.storage.values import is_blank
from virgate.node.tasks.recoveries import Recoveries
from virgate.units import Size

SENTINEL = "rollback sentinel"
VOLUMES = ("FileVolume", "GlusterVolume", "BlockVolume")


def undo_image(folder: str) -> Recovery:
    return Recovery("create image rollback", "image", "Image", "createImageRollback", (folder,))


def sentinel(domain: Domain, image: str, volume: str) -> Recovery:
    return _of_volume(domain, SENTINEL, "startCreateVolumeRollback", domain.id, image, volume)


def undo_half(domain: Domain, volume: str, path: str) -> Recovery:
    names = (domain.id, volume) if domain.kind is Kind.BLOCK else ()
    return _of_volume(domain, "Halfbaked volume rollback", "halfbakedVolumeRollback", *names, path)


def undo_metadata(domain: Domain, path: str) -> Recovery:
    """On file domains: metadata are what makes files a volume."""
    return _of_volume(domain, "Create volume metadata rollback", "createVolumeMetadataRollback", path)


def undo_share(domain: Domain, path: str) -> Recovery:
    return _of_volume(domain, "Share volume rollback", "shareVolumeRollback", path)


def undo_parent(domain: str, image: str, parent: str) -> Recovery:
    return Recovery("Parent volume rollback", "volume", "Volume", "parentVolumeRollback", (domain, image, parent))


def undo_volume(domain: Domain, pool: str, image: str, volume: str) -> Recovery:
    """`pool` is the folder of the pool in the repository."""
    folder = f"{pool}/{domain.id}/images/{image}"
    params = (pool, domain.id, image, volume, folder)
    return _of_volume(domain, "Create volume rollback", "createVolumeRollback", *params)


def _of_volume(domain: Domain, name: str, function: str, *params: str) -> Recovery:
    if domain.kind is Kind.BLOCK:
        return Recovery(name, "blockVolume", "BlockVolume", function, params)
    return Recovery(name, "fileVolume", "FileVolume", function, params)


def settle_size(domain: str, image: str, volume: str) -> Recovery:
    return Recovery("Extend size finalize", "volume", "Volume", "extendSizeFinalize", (domain, image, volume))


def undo_rename(domain: Domain, folder: str, source: str, target: str) -> Recovery:
    """Back from `target` to `source`; `folder` is the image's."""
    block = domain.kind is Kind.BLOCK
    params = (domain.id, target, source) if block else (f"{folder}/{target}", f"{folder}/{source}")
    return _of_volume(domain, "Rename volume rollback", "renameVolumeRollback", *params)


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
        recoveries.add((*VOLUMES, "Volume"), "renameLeaseRollback", self.lease)
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
        found = await _volume(domain, image, volume)
        if found is None or (domain.kind is Kind.BLOCK and not found.readable):
            await domain.images.remove(image, volume)

    async def metadata(self, *params: str) -> None:
        """A path; or, on block storage, a domain and a slot, whose volume is then a half made one."""
        if len(params) == 2:
            domain = await self.domains.find(params[0])
            await domain.images.clear_slot(_slot(params[1]))
            return
        domain, image, volume = await self._placed(params[-1])
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
        if not await own_volumes(domain, image):
            await remove_image(domain, image)

    async def rename(self, *params: str) -> None:
        """From the first path back to the second; with three parameters the first is the domain.

        On block storage they are names: of logical volumes, which need no image.
        """
        if len(params) == 3 and "/" not in params[1] and "/" not in params[2]:
            domain = await self.domains.find(params[0])
            await domain.images.rename(BLANK_UUID, params[1], params[2])
            return
        domain, image, volume = await self._placed(params[-2])
        await domain.images.rename(image, volume, PurePath(params[-1]).name)

    async def lease(self, *params: str) -> None:
        """The last two parameters are domain and volume: its lease lay under another name."""
        domain = await self.domains.find(params[-2])
        with suppress(VolumeDoesNotExist):
            await domain.images.renew_lease(params[-1])

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
        path = domain.images.path(image, volume)
        async with domain.images.used(image, volume):
            await self.qemu.rebase(path, name, NAMES.get(VolumeFormat(int(form)), "raw"), unsafe=True)
        await domain.images.write(image, volume, evolve(found.metadata, parent=parent))

    async def size(self, domain_id: str, image: str, volume: str) -> None:
        """Lets the metadata say what the data are: of a raw volume the file, of a qcow2 one the disk in it."""
        domain = await self.domains.find(domain_id)
        found = await _volume(domain, image, volume)
        if found is None or found.size < 0:
            return
        size = found.size
        if found.metadata.format is VolumeFormat.COW:
            async with domain.images.used(image, volume):
                size = (await self.qemu.look(domain.images.path(image, volume))).virtual_size
        await domain.images.write(image, volume, evolve(found.metadata, capacity=Size(size)))

    async def _placed(self, path: str) -> tuple[Domain, str, str]:
        """Domain, image and volume of `.../<domain>/images/<image>/<volume>`."""
        parts = PurePath(path).parts
        if len(parts) < 4 or parts[-3] != "images":
            raise InvalidParameter("path", path)
        return await self.domains.find(parts[-4]), parts[-2], parts[-1]


def _slot(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidParameter("slot", text) from None


async def own_volumes(domain: Domain, image: str) -> tuple[Volume, ...]:
    """The volumes that belong to the image; none if there is no such image."""
    try:
        return (await domain.images.survey(image)).own()
    except NoSuchImage:
        return ()


async def remove_image(domain: Domain, image: str) -> None:
    """Whatever an image without volumes of its own still has; on block storage it is gone by itself."""
    with suppress(NoSuchImage):
        await domain.images.delete(image)


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
