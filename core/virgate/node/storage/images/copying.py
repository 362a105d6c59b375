"""Copying what a volume holds, its parents included, into one new volume: templates and clones (spec 8.4)."""

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import (
    CannotCopyImage,
    IncorrectFormat,
    IncorrectType,
    NoSuchImage,
    ProgramFailed,
)
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.qemu_img import QemuImg, compat
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.images.volume_making import VolumeMaker, Wanted, possible
from virgate.node.storage.repository import part
from virgate.node.storage.values import Clock
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.locks import storage
from virgate.node.tasks.task import Task

FIRST_BLOCK = 4096


@frozen(kw_only=True)
class Copy:
    """What to copy, and what the copy is to be. Format and allocation are the source's if not said."""

    domain: str
    image: str
    volume: str
    new_domain: str
    new_image: str
    new_volume: str
    description: str = ""
    role: VolumeRole = VolumeRole.SHARED
    format: VolumeFormat | None = None
    allocation: Allocation | None = None
    force: bool = False

    @classmethod
    def read(cls, *, role: int, form: int, allocation: int, **given: object) -> "Copy":
        """From the numbers of the old API; `IncorrectFormat` (202), `IncorrectType` (231)."""
        made = cls(
            role=VolumeRole.SHARED if role == VolumeRole.SHARED.value else VolumeRole.LEAF,
            format=_format(form),
            allocation=_allocation(allocation),
            **given,  # type: ignore[arg-type]
        )
        for id in (made.domain, made.image, made.volume, made.new_domain, made.new_image, made.new_volume):
            part(id)
        if made.domain == made.new_domain and made.image == made.new_image:
            raise InvalidParameter("dstImgUUID", made.new_image)
        return made


@frozen
class Copying:
    jobs: Jobs
    qemu: QemuImg
    clock: Clock

    async def copy(self, pool: str, wanted: Copy) -> str:
        """The id of the task that makes the copy."""
        source = await self.jobs.ready(pool, wanted.domain)
        target = await self.jobs.domains.find(wanted.new_domain)

        async def job(task: Task) -> dict[str, str]:
            await self._copy(pool, source, target, wanted, task)
            return {"uuid": wanted.new_volume}

        return await self.jobs.start(
            "copyImage",
            pool,
            job,
            storage(wanted.domain),
            storage(wanted.new_domain),
            image_lock(wanted.domain, wanted.image),
            image_lock(wanted.new_domain, wanted.new_image, exclusive=True),
        )

    async def _copy(self, pool: str, source: Domain, target: Domain, wanted: Copy, task: Task) -> None:
        async with source.images.used(wanted.image, wanted.volume):
            chain = await legal_chain(source, await source.images.survey(wanted.image), wanted.volume)
            last = chain[-1].metadata
            form = wanted.format or last.format
            allocation = wanted.allocation or possible(target, form, last.allocation)
            if possible(target, form, allocation) is not allocation:
                raise IncorrectFormat(f"{form.name} and {allocation.name} on a block domain")
            await make_room(target, wanted.new_image, force=wanted.force)
            metadata = await VolumeMaker(target, self.jobs.folder(pool), task).make(
                Wanted(
                    image=wanted.new_image,
                    volume=wanted.new_volume,
                    capacity=last.capacity,
                    format=form,
                    allocation=possible(target, form, Allocation.SPARSE),
                    disk_type=last.disk_type,
                    description=wanted.description,
                    created=int(self.clock.seconds()),
                    legality=Legality.ILLEGAL,
                )
            )
            final = evolve(metadata, legality=Legality.LEGAL, role=wanted.role, allocation=allocation)
            try:
                await self._convert(source, target, wanted, last.format, final, task)
            except (OSError, ProgramFailed) as problem:
                raise CannotCopyImage(wanted.volume, wanted.new_volume, str(problem)) from problem

    async def _convert(
        self, source: Domain, target: Domain, wanted: Copy, form: VolumeFormat, final: VolumeMetadata, task: Task
    ) -> None:
        path, level = source.images.path(wanted.image, wanted.volume), compat(target.version)
        image, volume = wanted.new_image, wanted.new_volume
        if has_to_reserve(target, final):
            await target.images.reserve(image, volume, await self.qemu.measure(path, form, level))
        async with target.images.used(image, volume):
            await self.qemu.convert(
                path,
                form,
                target.images.path(image, volume),
                final.format,
                report=task.report,
                level=level,
                direct=target.kind is Kind.BLOCK,
            )
        await finish(self.qemu, target, image, volume, final)


def has_to_reserve(domain: Domain, metadata: VolumeMetadata) -> bool:
    """Whether the volume gets no more room while it is written."""
    return domain.kind is Kind.BLOCK and metadata.format is VolumeFormat.COW


async def make_room(target: Domain, image: str, *, force: bool) -> None:
    """Deletes an image that may be overwritten: one that is illegal or stands in for another, or any with `force`."""
    try:
        survey = await target.images.survey(image)
    except NoSuchImage:
        return
    if survey.volumes and (force or survey.unreal()):
        await target.images.delete(image)


async def finish(qemu: QemuImg, domain: Domain, image: str, volume: str, metadata: VolumeMetadata) -> None:
    """Data are copied: gives them their space, and no more, makes them lasting, and says so."""
    if metadata.allocation is Allocation.PREALLOCATED and domain.kind is Kind.FILE:
        size, _ = await domain.images.measure(image, volume)
        start = FIRST_BLOCK if metadata.format is VolumeFormat.RAW else -(-size // FIRST_BLOCK) * FIRST_BLOCK
        await qemu.allocate(domain.images.path(image, volume), start, metadata.capacity.bytes - start)
    await domain.images.commit(image, volume, metadata)
    await domain.images.trim(image, volume)


def _format(value: int) -> VolumeFormat | None:
    try:
        found = VolumeFormat(value)
    except ValueError:
        raise IncorrectFormat(value) from None
    return None if found is VolumeFormat.UNKNOWN else found


def _allocation(value: int) -> Allocation | None:
    try:
        found = Allocation(value)
    except ValueError:
        raise IncorrectType(value) from None
    return None if found is Allocation.UNKNOWN else found
