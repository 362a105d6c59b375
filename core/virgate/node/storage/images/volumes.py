"""The front of volumes: made, told about, changed and deleted (spec xmlrpc-storage 3.4, 8.2)."""

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import (
    CannotExtendVolume,
    CannotShrink,
    IncorrectFormat,
    NoImageFolder,
    NoSuchImage,
    VolumeHasChildren,
    VolumeIsShared,
    VolumeNotWritable,
)
from virgate.node.storage.formats.volume_metadata import (
    BLANK_UUID,
    Legality,
    VolumeFormat,
    VolumeRole,
)
from virgate.node.storage.images import rollback
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.jobs import Jobs, on_image
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.images.volume_making import Creation, Wanted, possible, rounded
from virgate.node.storage.repository import part
from virgate.node.storage.values import Clock, is_blank, size_in_bytes
from virgate.node.tasks.task import Task
from virgate.units import Size


@frozen
class Wipe:
    """What happens to the blocks of what is deleted; files have none of their own."""

    zero: bool = False
    discard: bool = False


KEEP = Wipe()


@frozen
class Volumes:
    jobs: Jobs
    qemu: QemuImg
    clock: Clock

    async def create(self, pool: str, domain: str, wanted: Wanted, initial_size: object = None) -> str:
        """The id of the task that makes the volume."""
        for id in (domain, pool, wanted.image, wanted.volume):
            part(id)
        if wanted.has_parent and wanted.format is not VolumeFormat.COW:
            raise IncorrectFormat(wanted.format.name)
        found = await self.jobs.ready(pool, domain)
        if possible(found, wanted.format, wanted.allocation) is not wanted.allocation:
            raise IncorrectFormat(f"{wanted.format.name} and {wanted.allocation.name} on a block domain")
        parent_image = part(wanted.parent_image) if wanted.of_template else None
        initial = None if initial_size is None else size_in_bytes("initialSize", str(initial_size))
        wanted = evolve(wanted, created=int(self.clock.seconds()), initial=initial)

        creation = Creation(found, self.jobs.folder(pool), wanted, self.qemu)
        shared = (parent_image,) if parent_image else ()
        requests = on_image(domain, wanted.image, shared=shared)
        return await self.jobs.start("createVolume", pool, creation.run, *requests, early=creation.check)

    async def delete(
        self, pool: str, domain: str, image: str, volumes: Sequence[str], force: bool, *, wipe: Wipe = KEEP
    ) -> str:
        """The id of the task that deletes them in the given order; what was deleted before a failure stays deleted."""
        part(image)
        found = await self.jobs.ready(pool, domain)

        async def job(task: Task) -> None:
            for volume in volumes:
                await delete_volume(found, image, part(volume), force=force, wipe=wipe)

        return await self.jobs.start("deleteVolume", pool, job, *on_image(domain, image))

    async def extend(self, pool: str, domain: str, image: str, volume: str, size: int) -> str:
        """The id of the task that gives a raw volume more room; one of qcow2 has it already."""
        found = await self.jobs.ready(pool, domain)

        async def job(task: Task) -> None:
            survey = await found.images.survey(image)
            target = survey.volume(volume)
            metadata = target.metadata
            if metadata.role is VolumeRole.SHARED or (metadata.role is VolumeRole.INTERNAL and metadata.has_parent):
                raise VolumeNotWritable(volume)
            if metadata.format is VolumeFormat.COW:
                return
            await extend_raw(found, image, target, size, task)

        return await self.jobs.start("extendVolumeSize", pool, job, *on_image(domain, image))

    async def info(self, domain: str, image: str, volume: str) -> dict[str, Any]:
        """getVolumeInfo (spec xmlrpc-storage 4.3); `NoImageFolder` (254), `VolumeDoesNotExist` (201)."""
        _, target = await self._find(domain, image, volume)
        return {"pool": "", "domain": domain, "image": image, "uuid": volume, "children": [], **told(target)}

    async def dump(self, domain: str) -> list[dict[str, Any]]:
        """getVolumeInfo of every volume of a domain, in its own image, at the cost of one."""
        found = await self.jobs.domains.find(domain)
        return [
            {"pool": "", "domain": domain, "image": image.id, "uuid": volume.id, "children": [], **told(volume)}
            for image in (await found.images.everything()).values()
            for volume in image.volumes.values()
            if not volume.readable or volume.metadata.image == image.id
        ]

    async def size(self, domain: str, image: str, volume: str) -> tuple[int, int]:
        """Bytes as they appear, bytes occupied."""
        _, target = await self._find(domain, image, volume)
        return max(target.size, 0), target.allocated

    async def set_capacity(self, domain: str, image: str, volume: str, capacity: int) -> None:
        """Only what the metadata say; 0 means that a resize is under way."""
        found, target = await self._find(domain, image, volume)
        wanted = rounded(Size(max(capacity, 0)), found.version)
        await found.images.write(image, volume, evolve(target.metadata, capacity=wanted))

    async def describe(self, pool: str, domain: str, image: str, volume: str, description: str) -> None:
        await self._change(pool, domain, image, volume, description=description)

    async def set_legality(self, pool: str, domain: str, image: str, volume: str, legality: str) -> None:
        try:
            wanted = Legality(legality)
        except ValueError:
            raise InvalidParameter("legality", legality) from None
        await self._change(pool, domain, image, volume, legality=wanted)

    async def names(self, domain: str, image: str) -> list[str]:
        """The volumes seen in an image, a template's included; with a blank image all volumes of the domain."""
        found = await self.jobs.domains.find(domain)
        if is_blank(image):
            return sorted({volume for volumes in (await found.images.all()).values() for volume in volumes})
        return sorted((await found.images.survey(image)).volumes)

    async def resize_offline(self, domain: str, image: str, volume: str, size: int) -> int:
        """Gives a qcow2 leaf that no machine uses another virtual size; answers the size it has then."""
        found, target = await self._find(domain, image, volume)
        if target.metadata.role is not VolumeRole.LEAF:
            raise VolumeNotWritable(volume)
        if target.metadata.format is VolumeFormat.RAW:
            return target.metadata.capacity.bytes
        path = found.images.path(image, volume)
        async with found.images.used(image, volume):
            current = (await self.qemu.look(path)).virtual_size
            if size < current:
                raise CannotShrink(volume, current, size)
            await found.images.write(image, volume, evolve(target.metadata, capacity=Size(0)))
            try:
                await self.qemu.resize(path, size)
            finally:
                current = (await self.qemu.look(path)).virtual_size
                await found.images.write(image, volume, evolve(target.metadata, capacity=Size(current)))
        return current

    async def refresh(self, domain: str, image: str, volume: str) -> None:
        """Sees what another host changed about a volume that is used here."""
        found, target = await self._find(domain, image, volume)
        await found.images.refresh(image, target.id)

    async def _change(self, pool: str, domain: str, image: str, volume: str, **changes: Any) -> None:
        await self.jobs.ready(pool, domain)
        async with self.jobs.locks.hold(*on_image(domain, image)):
            found, target = await self._find(domain, image, volume)
            await found.images.write(image, volume, evolve(target.metadata, **changes))

    async def _find(self, domain: str, image: str, volume: str) -> tuple[Domain, Volume]:
        found = await self.jobs.domains.find(domain)
        if BLANK_UUID in (image, volume):
            raise InvalidParameter("uuid", BLANK_UUID)
        try:
            return found, (await found.images.survey(image)).volume(part(volume))
        except NoSuchImage:
            raise NoImageFolder(image) from None


def told(volume: Volume) -> dict[str, Any]:
    """What clients hear of a volume. One whose metadata cannot be read is INVALID and has no size."""
    if isinstance(volume.found, VirgateError):
        return {"status": "INVALID", "apparentsize": "0", "truesize": "0"}
    metadata = volume.found
    status = "INVALID" if volume.size < 0 else "OK"
    return {
        "type": metadata.allocation.name,
        "format": metadata.format.name,
        "disktype": metadata.disk_type,
        "voltype": metadata.role.name,
        "capacity": str(metadata.capacity.bytes),
        "apparentsize": str(max(volume.size, 0)),
        "truesize": str(volume.allocated),
        "parent": metadata.parent,
        "description": metadata.description,
        "ctime": str(metadata.created),
        "mtime": "0",
        "legality": metadata.legality.value,
        "status": "ILLEGAL" if metadata.legality is Legality.ILLEGAL else status,
        "generation": metadata.generation,
        "sequence": metadata.sequence,
    }


async def extend_raw(domain: Domain, image: str, volume: Volume, size: int, task: Task) -> None:
    """Gives a raw volume more room, within a task that has nothing else to undo."""
    wanted = rounded(Size(size), domain.version)
    if wanted < volume.metadata.capacity:
        raise CannotShrink(volume.id, volume.metadata.capacity.bytes, wanted.bytes)
    await task.recovery(rollback.settle_size(domain.id, image, volume.id))
    try:
        grown = await domain.images.grow(image, volume.id, wanted.bytes)
    except OSError as problem:
        raise CannotExtendVolume(volume.id, problem.strerror or str(problem)) from problem
    await domain.images.write(image, volume.id, evolve(volume.metadata, capacity=Size(grown)))
    await task.forget_recoveries()


async def delete_volume(domain: Domain, image: str, volume: str, *, force: bool, wipe: Wipe = KEEP) -> None:
    """Removes one volume: illegal first, then off its parent, then gone. `force` deletes also what others need."""
    survey = await domain.images.survey(image)
    target = survey.volume(volume)
    if not force:
        _may_go(survey, target)
    if target.readable and target.metadata.image == image:
        metadata = evolve(target.metadata, legality=Legality.ILLEGAL)
        await domain.images.write(image, volume, metadata)
        if metadata.has_parent:
            await domain.images.write(image, volume, evolve(metadata, parent=BLANK_UUID))
            await rollback.recheck_leaf(domain, image, metadata.parent)
    await domain.images.remove(image, volume, zero=wipe.zero, discard=wipe.discard)
    left = await rollback.own_volumes(domain, image)
    if not left:
        await rollback.remove_image(domain, image)
    for other in left:  # an interrupted deletion may have parted a volume from its parent and told the parent nothing
        await rollback.recheck_leaf(domain, image, other.id)


def _may_go(survey: Image, volume: Volume) -> None:
    if volume.readable and volume.metadata.role is VolumeRole.SHARED:
        raise VolumeIsShared(volume.id)
    if children := survey.children(volume.id):
        raise VolumeHasChildren(volume.id, children)
