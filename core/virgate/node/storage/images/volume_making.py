"""Making one volume as steps of a task: every risky step has its undo in the journal before it is done."""

from attrs import define, evolve, field, frozen

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.store import NewData
from virgate.node.storage.errors import (
    CannotCreateVolume,
    IllegalParent,
    IncorrectFormat,
    NoSuchImage,
    NoSuchParent,
    ProgramFailed,
    VolumeDoesNotExist,
    VolumeExists,
    VolumeNotShareable,
)
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.storage.formats.volume_metadata import (
    BLANK_UUID,
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images import rollback
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.values import is_blank
from virgate.node.tasks.task import Task
from virgate.units import Size

BLOCK_STEP = Size(4096)
SECTOR_STEP = Size(512)


@frozen(kw_only=True)
class Wanted:
    """The volume to be made."""

    image: str
    volume: str
    capacity: Size
    format: VolumeFormat
    allocation: Allocation
    disk_type: str = "DATA"
    description: str = ""
    parent_image: str = BLANK_UUID
    parent: str = BLANK_UUID
    role: VolumeRole = VolumeRole.LEAF
    created: int = 0
    legality: Legality = Legality.LEGAL
    initial: int | None = None
    """Bytes that a thin volume on block storage has room for at once."""
    sequence: int = 0
    """Where a client counts it among the volumes of its image."""
    parents_bitmaps: bool = False
    """Whether the bitmaps of its parent go on in it."""
    bitmap: str = ""
    """One that begins with it."""
    keep_capacity: bool = False
    """A copy of a volume has the size of that volume, which may have grown beyond its parent."""

    @property
    def has_parent(self) -> bool:
        return not is_blank(self.parent)

    @property
    def of_template(self) -> bool:
        """The parent belongs to another image."""
        return self.has_parent and not is_blank(self.parent_image) and self.parent_image != self.image


def possible(domain: Domain, form: VolumeFormat, allocation: Allocation) -> Allocation:
    """What a copy has there: on block storage raw data are never sparse."""
    return Allocation.PREALLOCATED if domain.kind is Kind.BLOCK and form is VolumeFormat.RAW else allocation


def rounded(capacity: Size, version: int) -> Size:
    """What a domain of this version can hold: whole blocks, or whole sectors on an old one."""
    return capacity.up_to(BLOCK_STEP if version >= 5 else SECTOR_STEP)


@frozen
class VolumeMaker:
    """`pool` is the folder of the pool in the repository: old hosts find the volume by it."""

    domain: Domain
    pool: str
    task: Task

    async def make(self, wanted: Wanted) -> VolumeMetadata:
        """A new volume, known and lasting. The task's journal undoes it as a whole from then on."""
        parent = await self.checked(wanted)
        await self.task.recovery(*self.undo(wanted))
        return await self.make_checked(wanted, parent)

    async def make_checked(self, wanted: Wanted, parent: Volume | None) -> VolumeMetadata:
        """As `make`, when `undo` is in the journal and `checked` answered that parent since the image is locked."""
        inherited = parent.metadata.capacity if parent and not wanted.keep_capacity else wanted.capacity
        capacity = rounded(inherited, self.domain.version)
        try:
            await self.domain.images.make_image(wanted.image)
            if parent is not None:
                await self._take_child(wanted, parent)
            metadata = await self._fill(wanted, parent, capacity)
        except (OSError, ProgramFailed) as problem:
            raise CannotCreateVolume(wanted.volume, _reason(problem)) from problem
        await self.task.replace_recoveries(rollback.SENTINEL, self._undo_all(wanted))
        return metadata

    async def checked(self, wanted: Wanted) -> Volume | None:
        """The parent, if the volume can be made."""
        survey = await self._survey(wanted.image)
        if wanted.volume in survey.volumes:
            raise VolumeExists(wanted.volume)
        if not wanted.has_parent:
            return None
        if wanted.format is not VolumeFormat.COW:
            raise IncorrectFormat(wanted.format.name)
        if wanted.of_template:
            survey = await self._survey(wanted.parent_image)
        try:
            parent = survey.volume(wanted.parent)
        except VolumeDoesNotExist:
            raise NoSuchParent(wanted.volume, wanted.parent) from None
        if parent.metadata.legality is Legality.ILLEGAL:
            raise IllegalParent(parent.id)
        if wanted.of_template:
            _check_template(survey, parent)
        return parent

    async def _survey(self, image: str) -> Image:
        try:
            return await self.domain.images.survey(image)
        except NoSuchImage:
            return Image(self.domain.id, image, {})

    def undo(self, wanted: Wanted) -> list[Recovery]:
        """The steps that undo what is half made: only for a volume that is `checked`, it would be removed."""
        path = f"{self._folder(wanted.image)}/{wanted.volume}"
        domain, image, block = self.domain, wanted.image, self.domain.kind is Kind.BLOCK
        steps = [rollback.undo_image(self._folder(image))]
        if wanted.of_template and not block:
            steps.append(rollback.undo_share(domain, f"{self._folder(image)}/{wanted.parent}"))
        steps.append(rollback.sentinel(domain, image, wanted.volume))
        if wanted.has_parent and not wanted.of_template:
            steps.append(rollback.undo_parent(domain.id, image, wanted.parent))
        if block:  # one step makes it known, so it is half made or whole: which slot it gets does not matter
            steps.append(self._undo_all(wanted))
        steps.append(rollback.undo_half(domain, wanted.volume, path))
        if not block:
            steps.append(rollback.undo_metadata(domain, path))
        return steps

    async def _take_child(self, wanted: Wanted, parent: Volume) -> None:
        """The parent says that it has a child before the child is there: an interruption leaves it read-only."""
        images = self.domain.images
        role = parent.metadata.role
        if wanted.of_template:
            if role is not VolumeRole.SHARED:
                await images.write(wanted.parent_image, parent.id, evolve(parent.metadata, role=VolumeRole.SHARED))
            await images.share(wanted.parent_image, parent.id, wanted.image)
        elif role is VolumeRole.LEAF:
            await images.write(wanted.image, parent.id, evolve(parent.metadata, role=VolumeRole.INTERNAL))

    async def _fill(self, wanted: Wanted, parent: Volume | None, capacity: Size) -> VolumeMetadata:
        data = NewData(wanted.format, wanted.allocation, capacity.bytes, initial=wanted.initial)
        if parent is not None:
            data = evolve(data, parent=parent.id, parent_format=parent.metadata.format)
        made = await self.domain.images.create_data(wanted.image, wanted.volume, data)
        metadata = VolumeMetadata(
            domain=self.domain.id,
            image=wanted.image,
            capacity=Size(made),
            format=wanted.format,
            allocation=wanted.allocation,
            parent=wanted.parent if wanted.has_parent else BLANK_UUID,
            role=wanted.role,
            legality=wanted.legality,
            disk_type=wanted.disk_type,
            description=wanted.description,
            created=wanted.created,
            sequence=wanted.sequence,
        )
        await self.domain.images.commit(wanted.image, wanted.volume, metadata)
        return metadata

    def _undo_all(self, wanted: Wanted) -> Recovery:
        return rollback.undo_volume(self.domain, self.pool, wanted.image, wanted.volume)

    def _folder(self, image: str) -> str:
        return f"{self.pool}/{self.domain.id}/images/{image}"


@define(eq=False)
class Creation:
    """The job of createVolume. A check before its task is saved spares one save; the task tells what is wrong."""

    domain: Domain
    pool: str
    wanted: Wanted
    qemu: QemuImg
    _parents: list[Volume | None] = field(factory=list)
    """The parent, or None for a volume without one, once that is known."""

    async def check(self, task: Task) -> list[Recovery]:
        """What undoes it, if it can be made; then the image stays locked until `run`."""
        maker = VolumeMaker(self.domain, self.pool, task)
        try:
            self._refuse()
            self._parents.append(await maker.checked(self.wanted))
        except (VirgateError, OSError):
            return []
        return maker.undo(self.wanted)

    async def run(self, task: Task) -> dict[str, str]:
        maker = VolumeMaker(self.domain, self.pool, task)
        if self._parents:
            await maker.make_checked(self.wanted, self._parents[0])
        else:
            self._refuse()
            await maker.make(self.wanted)
        if self.wanted.parents_bitmaps or self.wanted.bitmap:
            from virgate.node.storage.images.new_bitmaps import add_bitmaps

            await add_bitmaps(self.qemu, self.domain, self.wanted)
        return {"uuid": self.wanted.volume}

    def _refuse(self) -> None:
        if self.wanted.initial is not None and self.domain.kind is Kind.FILE:
            raise CannotCreateVolume(self.wanted.volume, "a file needs no initial size")
        if self.wanted.bitmap and self.wanted.format is not VolumeFormat.COW:
            raise IncorrectFormat(self.wanted.format.name)


def _check_template(survey: Image, parent: Volume) -> None:
    """A template is shared already, or the only volume of its image."""
    if parent.metadata.role is VolumeRole.SHARED:
        return
    if parent.metadata.has_parent or survey.children(parent.id):
        raise VolumeNotShareable(parent.id)


def _reason(problem: Exception) -> str:
    return problem.strerror or str(problem) if isinstance(problem, OSError) else str(problem)
