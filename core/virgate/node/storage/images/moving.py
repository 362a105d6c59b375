"""Whole images to another domain: moved at once, or first their structure and then their data (spec 8.3)."""

from collections.abc import Iterable

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import CannotMove, ChainsDiffer, NoSuchImage, ProgramFailed, TemplateInUse
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.copying import finish, has_to_reserve, make_room
from virgate.node.storage.images.fakes import share_again, stand_in, volumes_of
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.qemu_img import NAMES, OLD_LEVEL, QemuImg, Report, compat
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.images.volume_making import VolumeMaker, Wanted, possible
from virgate.node.storage.images.volumes import KEEP, Wipe
from virgate.node.storage.repository import part
from virgate.node.storage.values import Class
from virgate.node.tasks.locks import Request, storage
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.task import Task
from virgate.units import Size

COPY, MOVE = 1, 2
ALL, INTERNAL, LEAF = "ALL", "INTERNAL", "LEAF"


@frozen
class Moving:
    log = Logger()

    jobs: Jobs
    qemu: QemuImg

    async def move(
        self,
        pool: str,
        domain: str,
        new_domain: str,
        image: str,
        operation: int,
        force: bool,
        *,
        wipe: Wipe = KEEP,
    ) -> str:
        """The id of the task that copies the image, and deletes it here if it moves."""
        source, target = await self.ends(pool, domain, new_domain, image)
        missing = await self.may_move(source, target, image)

        async def job(task: Task) -> None:
            if operation not in (COPY, MOVE):
                raise CannotMove(image, f"operation {operation} is unknown")
            await self.copy(pool, source, target, image, task, force=force)
            await task.conclude()
            if operation == MOVE:
                await self.drop(source, image, wipe)

        requests = locks_of(domain, new_domain, image, *missing, exclusive=operation == MOVE)
        return await self.jobs.start("moveImage", pool, job, *requests)

    async def may_move(self, source: Domain, target: Domain, image: str) -> tuple[str, ...]:
        """`TemplateInUse` (266), `NoSuchImage` (268); answers the templates that get a stand-in."""
        survey = await source.images.survey(image)
        await self._not_a_template_in_use(source, survey)
        return tuple(volume.metadata.image for volume in await self._templates_missing(target, survey))

    async def copy(
        self,
        pool: str,
        source: Domain,
        target: Domain,
        image: str,
        task: Task,
        *,
        force: bool,
        report: Report | None = None,
    ) -> None:
        """The image as it is, on the other domain; the task's journal undoes it."""
        survey = await source.images.survey(image)
        async with source.images.used(image, survey.leaf().id):
            chain = await legal_chain(source, survey, survey.leaf().id, whole=False)
            await make_room(target, image, force=force)
            for template in await self._templates_missing(target, survey):
                await VolumeMaker(target, self.jobs.folder(pool), task).make(stand_in(template))
            await self._structure(pool, target, image, chain, task)
            await self._distrust(target, image)
            await self._data(source, target, image, chain, chain, report or task.report)
        await share_again(target, image)

    async def clone_structure(self, pool: str, domain: str, new_domain: str, image: str) -> str:
        """The id of the task that makes the same volumes, empty."""
        source, target = await self.ends(pool, domain, new_domain, image)

        async def job(task: Task) -> None:
            survey = await source.images.survey(image)
            for template in await self._templates_missing(target, survey):
                raise NoSuchImage(template.metadata.image, target.id)
            chain = await legal_chain(source, survey, survey.leaf().id)
            await self._structure(pool, target, image, chain, task)
            await self._roles(target, image, chain)

        return await self.jobs.start("cloneImageStructure", pool, job, *locks_of(domain, new_domain, image))

    async def sync_data(self, pool: str, domain: str, new_domain: str, image: str, which: str) -> str:
        """The id of the task that fills volumes which are there already."""
        source, target = await self.ends(pool, domain, new_domain, image)

        async def job(task: Task) -> None:
            survey, other = await source.images.survey(image), await target.images.survey(image)
            async with source.images.used(image, survey.leaf().id):
                chain = await legal_chain(source, survey, survey.leaf().id)
                if [volume.id for volume in chain] != [volume.id for volume in other.chain()]:
                    raise ChainsDiffer(image)
                await self._data(source, target, image, chain, _selected(_own(chain, image), which), task.report)

        return await self.jobs.start("syncImageData", pool, job, *locks_of(domain, new_domain, image))

    async def ends(self, pool: str, domain: str, new_domain: str, image: str) -> tuple[Domain, Domain]:
        part(image)
        if domain == new_domain:
            raise InvalidParameter("dstDomUUID", new_domain)
        return await self.jobs.ready(pool, domain), await self.jobs.domains.find(new_domain)

    async def _not_a_template_in_use(self, source: Domain, survey: Image) -> None:
        for volume in survey.own():
            if volume.metadata.role is VolumeRole.SHARED and len(await source.images.images_with(volume.id)) > 1:
                raise TemplateInUse(survey.id)

    async def _templates_missing(self, target: Domain, survey: Image) -> list[Volume]:
        """Templates that the image is based on and the target lacks; only a backup domain does without them.

        `NoSuchImage` (268) on any other.
        """
        missing = []
        for volume in survey.volumes.values():
            template = volume.metadata.image
            if template == survey.id or volume.id in await volumes_of(target, template):
                continue
            if target.record.domain_class is not Class.Backup:
                raise NoSuchImage(template, target.id)
            missing.append(volume)
        return missing

    async def _structure(self, pool: str, target: Domain, image: str, chain: Iterable[Volume], task: Task) -> None:
        """The image's own volumes from the base up, sparse where they can be: real space comes with the data."""
        owners = {volume.id: volume.metadata.image for volume in chain}
        for volume in _own(chain, image):
            metadata = volume.metadata
            wanted = Wanted(
                image=image,
                volume=volume.id,
                capacity=metadata.capacity,
                format=metadata.format,
                allocation=possible(target, metadata.format, Allocation.SPARSE),
                disk_type=metadata.disk_type,
                description=metadata.description,
                parent_image=owners.get(metadata.parent, image),
                parent=metadata.parent,
                created=metadata.created,
                keep_capacity=True,
            )
            await VolumeMaker(target, self.jobs.folder(pool), task).make(wanted)

    async def _data(
        self,
        source: Domain,
        target: Domain,
        image: str,
        chain: Iterable[Volume],
        selected: Iterable[Volume],
        tell: Report,
    ) -> None:
        """Copies volume by volume, each without what its parent holds."""
        forms = _formats(chain, await target.images.survey(image))
        wanted = _own(selected, image)
        for number, volume in enumerate(wanted):
            metadata = volume.metadata
            backing = (metadata.parent, NAMES[forms[metadata.parent]]) if metadata.has_parent else None

            def report(percent: float, number: int = number) -> None:
                tell((number * 100 + percent) / len(wanted))

            try:
                await self._fill(source, target, image, volume, backing, report)
            except (OSError, ProgramFailed) as problem:
                raise CannotMove(image, str(problem)) from problem

    async def _fill(
        self,
        source: Domain,
        target: Domain,
        image: str,
        volume: Volume,
        backing: tuple[str, str] | None,
        report: Report,
    ) -> None:
        metadata, level = volume.metadata, compat(target.version)
        path = source.images.path(image, volume.id)
        if has_to_reserve(target, metadata):
            alone = backing is not None
            room = await self.qemu.measure(path, metadata.format, level, alone=alone)
            if alone and level == OLD_LEVEL:  # there zeros over data of a parent cannot be told but by writing them
                room = max(room, (await source.images.measure(image, volume.id))[0])
            await target.images.reserve(image, volume.id, room)
        async with target.images.used(image, volume.id):
            await self.qemu.convert(
                path,
                metadata.format,
                target.images.path(image, volume.id),
                metadata.format,
                report=report,
                level=level,
                backing=backing,
                direct=target.kind is Kind.BLOCK,
            )
        await finish(self.qemu, target, image, volume.id, await _at(target, image, volume))

    async def _roles(self, target: Domain, image: str, chain: Iterable[Volume]) -> None:
        for volume in _own(chain, image):
            await target.images.write(image, volume.id, await _at(target, image, volume))

    async def _distrust(self, target: Domain, image: str) -> None:
        """Nobody may run from the copy before its data are there."""
        for volume in (await target.images.survey(image)).own():
            await target.images.write(image, volume.id, evolve(volume.metadata, legality=Legality.ILLEGAL))

    async def drop(self, source: Domain, image: str, wipe: Wipe) -> None:
        """The copy is there: what is left here is only room that is wasted."""
        try:
            await source.images.delete(image, zero=wipe.zero, discard=wipe.discard)
        except (OSError, VirgateError):
            self.log.failure("image {image} is moved, its source is not deleted", image=image)


def locks_of(domain: str, new_domain: str, *images: str, exclusive: bool = False) -> tuple[Request, ...]:
    """Of images that are copied from one domain to the other; `exclusive` if they do not stay."""
    read = [image_lock(domain, image, exclusive=exclusive) for image in images]
    return (
        storage(domain),
        storage(new_domain),
        *read,
        *(image_lock(new_domain, image, exclusive=True) for image in images),
    )


def _own(chain: Iterable[Volume], image: str) -> tuple[Volume, ...]:
    return tuple(volume for volume in chain if volume.metadata.image == image)


def _formats(chain: Iterable[Volume], there: Image) -> dict[str, VolumeFormat]:
    """By volume, as headers have to say: of a template always the real one's, wherever something stands in for it."""
    found = {}
    for volume in chain:
        copy = there.volume(volume.id).metadata
        found[volume.id] = volume.metadata.format if copy.legality is Legality.FAKE else copy.format
    return found


async def _at(target: Domain, image: str, volume: Volume) -> VolumeMetadata:
    """What was true of the source, as far as it is true of the copy: raw space may come in larger steps there."""
    metadata = evolve(volume.metadata, domain=target.id)
    if target.kind is Kind.FILE or metadata.format is not VolumeFormat.RAW:
        return metadata
    size, _ = await target.images.measure(image, volume.id)
    return evolve(metadata, capacity=Size(size), allocation=Allocation.PREALLOCATED)


def _selected(own: tuple[Volume, ...], which: str) -> tuple[Volume, ...]:
    """By the word of the old API; nothing to copy is an error, as a word nobody knows."""
    try:
        found = {ALL: own, INTERNAL: own[:-1], LEAF: own[-1:]}[which]
    except KeyError:
        raise InvalidParameter("syncType", which) from None
    if not found:
        raise InvalidParameter("syncType", which)
    return found
