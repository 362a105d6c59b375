"""Whole images to another domain: moved at once, or first their structure and then their data (spec 8.3)."""

from collections.abc import Iterable

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import CannotMove, ChainsDiffer, NoSuchImage, ProgramFailed, TemplateInUse
from virgate.node.storage.formats.volume_metadata import Allocation, Legality, VolumeMetadata, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.copying import finish, make_room
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.qemu_img import NAMES, QemuImg, compat
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.images.volume_making import VolumeMaker, Wanted
from virgate.node.storage.repository import part
from virgate.node.tasks.locks import Request, storage
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.task import Task

COPY, MOVE = 1, 2
ALL, INTERNAL, LEAF = "ALL", "INTERNAL", "LEAF"


@frozen
class Moving:
    log = Logger()

    jobs: Jobs
    qemu: QemuImg

    async def move(self, pool: str, domain: str, new_domain: str, image: str, operation: int, force: bool) -> str:
        """The id of the task that copies the image, and deletes it here if it moves."""
        source, target = await self._ends(pool, domain, new_domain, image)
        survey = await source.images.survey(image)
        await self._not_a_template_in_use(source, survey)
        await self._template_is_there(target, survey)

        async def job(task: Task) -> None:
            if operation not in (COPY, MOVE):
                raise CannotMove(image, f"operation {operation} is unknown")
            chain = await legal_chain(source, await source.images.survey(image), survey.leaf().id)
            await make_room(target, image, force=force)
            await self._structure(pool, target, image, chain, task)
            await self._distrust(target, image)
            await self._data(source, target, image, chain, chain, task)
            await task.conclude()
            if operation == MOVE:
                await self._drop(source, image)

        requests = self._locks(domain, new_domain, image, exclusive=operation == MOVE)
        return await self.jobs.start("moveImage", pool, job, *requests)

    async def clone_structure(self, pool: str, domain: str, new_domain: str, image: str) -> str:
        """The id of the task that makes the same volumes, empty."""
        source, target = await self._ends(pool, domain, new_domain, image)

        async def job(task: Task) -> None:
            survey = await source.images.survey(image)
            await self._template_is_there(target, survey)
            chain = await legal_chain(source, survey, survey.leaf().id)
            await self._structure(pool, target, image, chain, task)
            await self._roles(target, image, chain)

        return await self.jobs.start("cloneImageStructure", pool, job, *self._locks(domain, new_domain, image))

    async def sync_data(self, pool: str, domain: str, new_domain: str, image: str, which: str) -> str:
        """The id of the task that fills volumes which are there already."""
        source, target = await self._ends(pool, domain, new_domain, image)

        async def job(task: Task) -> None:
            survey, other = await source.images.survey(image), await target.images.survey(image)
            chain = await legal_chain(source, survey, survey.leaf().id)
            if [volume.id for volume in chain] != [volume.id for volume in other.chain()]:
                raise ChainsDiffer(image)
            await self._data(source, target, image, chain, _selected(_own(chain, image), which), task)

        return await self.jobs.start("syncImageData", pool, job, *self._locks(domain, new_domain, image))

    async def _ends(self, pool: str, domain: str, new_domain: str, image: str) -> tuple[Domain, Domain]:
        part(image)
        if domain == new_domain:
            raise InvalidParameter("dstDomUUID", new_domain)
        return await self.jobs.ready(pool, domain), await self.jobs.domains.find(new_domain)

    def _locks(self, domain: str, new_domain: str, image: str, *, exclusive: bool = False) -> tuple[Request, ...]:
        return (
            storage(domain),
            storage(new_domain),
            image_lock(domain, image, exclusive=exclusive),
            image_lock(new_domain, image, exclusive=True),
        )

    async def _not_a_template_in_use(self, source: Domain, survey: Image) -> None:
        for volume in survey.own():
            if volume.metadata.role is VolumeRole.SHARED and len(await source.images.images_with(volume.id)) > 1:
                raise TemplateInUse(survey.id)

    async def _template_is_there(self, target: Domain, survey: Image) -> None:
        """`NoSuchImage` (268) if the image is based on a template that the target lacks."""
        for volume in survey.volumes.values():
            template = volume.metadata.image
            if template != survey.id and volume.id not in (await target.images.survey(template)).volumes:
                raise NoSuchImage(template, target.id)

    async def _structure(self, pool: str, target: Domain, image: str, chain: Iterable[Volume], task: Task) -> None:
        """The image's own volumes from the base up, all sparse: real space comes with the data."""
        owners = {volume.id: volume.metadata.image for volume in chain}
        for volume in _own(chain, image):
            metadata = volume.metadata
            wanted = Wanted(
                image=image,
                volume=volume.id,
                capacity=metadata.capacity,
                format=metadata.format,
                allocation=Allocation.SPARSE,
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
        task: Task,
    ) -> None:
        """Copies volume by volume, each without what its parent holds."""
        forms = {volume.id: volume.metadata.format for volume in chain}
        wanted = _own(selected, image)
        for number, volume in enumerate(wanted):
            metadata = volume.metadata
            backing = (metadata.parent, NAMES[forms[metadata.parent]]) if metadata.has_parent else None

            def report(percent: float, number: int = number) -> None:
                task.report((number * 100 + percent) / len(wanted))

            try:
                await self.qemu.convert(
                    source.images.path(image, volume.id),
                    metadata.format,
                    target.images.path(image, volume.id),
                    metadata.format,
                    report=report,
                    level=compat(target.version),
                    backing=backing,
                )
                await finish(self.qemu, target, image, volume.id, _at(target, metadata))
            except (OSError, ProgramFailed) as problem:
                raise CannotMove(image, str(problem)) from problem

    async def _roles(self, target: Domain, image: str, chain: Iterable[Volume]) -> None:
        for volume in _own(chain, image):
            await target.images.write(image, volume.id, _at(target, volume.metadata))

    async def _distrust(self, target: Domain, image: str) -> None:
        """Nobody may run from the copy before its data are there."""
        for volume in (await target.images.survey(image)).own():
            await target.images.write(image, volume.id, evolve(volume.metadata, legality=Legality.ILLEGAL))

    async def _drop(self, source: Domain, image: str) -> None:
        """The copy is there: what is left here is only room that is wasted."""
        try:
            await source.images.delete(image)
        except (OSError, VirgateError):
            self.log.failure("image {image} is moved, its source is not deleted", image=image)


def _own(chain: Iterable[Volume], image: str) -> tuple[Volume, ...]:
    return tuple(volume for volume in chain if volume.metadata.image == image)


def _at(target: Domain, metadata: VolumeMetadata) -> VolumeMetadata:
    return evolve(metadata, domain=target.id)


def _selected(own: tuple[Volume, ...], which: str) -> tuple[Volume, ...]:
    """By the word of the old API; nothing to copy is an error, as a word nobody knows."""
    try:
        found = {ALL: own, INTERNAL: own[:-1], LEAF: own[-1:]}[which]
    except KeyError:
        raise InvalidParameter("syncType", which) from None
    if not found:
        raise InvalidParameter("syncType", which)
    return found
