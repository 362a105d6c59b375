"""Merging volumes of an image that no machine uses, and setting its stored chain right (spec 8.5, 3.5)."""

from collections.abc import Iterable, Sequence

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.store import NewData
from virgate.node.storage.errors import CannotMerge, ProgramFailed
from virgate.node.storage.formats.volume_metadata import (
    BLANK_UUID,
    Allocation,
    Legality,
    VolumeFormat,
    VolumeRole,
)
from virgate.node.storage.images import rollback
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.hiding import Hiding
from virgate.node.storage.images.jobs import Jobs, on_image
from virgate.node.storage.images.qemu_img import NAMES, OLD_LEVEL, QemuImg, compat
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.images.volume_making import possible
from virgate.node.storage.images.volumes import KEEP, Wipe
from virgate.node.tasks.task import Task
from virgate.units import Size


@frozen
class Merging:
    log = Logger()

    jobs: Jobs
    qemu: QemuImg

    async def merge(
        self, pool: str, domain: str, image: str, ancestor: str, successor: str, *, wipe: Wipe = KEEP
    ) -> str:
        """The id of the task that leaves one volume, called `successor`, of all from `ancestor` to it."""
        found = await self.jobs.ready(pool, domain)

        async def job(task: Task) -> None:
            survey = await found.images.survey(image)
            async with found.images.used(image, survey.volume(successor).id):
                chain = await legal_chain(found, survey, successor)
                first = _place(survey, chain, ancestor, successor)
                hiding = Hiding(found, self.jobs.folder(pool), image, task, wipe)
                try:
                    await self._merge(found, survey, chain, first, hiding, task)
                    for volume in chain[first:-1]:
                        await hiding.hide(volume.id)
                except (OSError, ProgramFailed) as problem:
                    raise CannotMerge(ancestor, successor, str(problem)) from problem
            await task.conclude()
            await hiding.delete()
            await self._trim(found, image, successor)

        return await self.jobs.start("mergeSnapshots", pool, job, *on_image(domain, image))

    async def _merge(
        self, domain: Domain, survey: Image, chain: tuple[Volume, ...], first: int, hiding: Hiding, task: Task
    ) -> None:
        """Makes the last volume hold all; its old data are hidden if it has new ones."""
        bottom = chain[first]
        if not bottom.metadata.has_parent and bottom.metadata.format is VolumeFormat.RAW:
            await self._to_raw(domain, survey, bottom, chain[-1], hiding, task)
        else:
            await self._rebase(domain, survey.id, chain, first, task)

    async def _rebase(self, domain: Domain, image: str, chain: tuple[Volume, ...], first: int, task: Task) -> None:
        """Copies into the last volume what it took from those between it and the parent of the first."""
        parent, top = (chain[first - 1] if first else None), chain[-1]
        old = chain[-2].metadata.format
        await task.recovery(rollback.undo_rebase(domain.id, image, top.id, old, top.metadata.parent))
        name, form = (parent.id, NAMES[parent.metadata.format]) if parent else ("", "")
        path = domain.images.path(image, top.id)
        if domain.kind is Kind.BLOCK:
            await domain.images.reserve(image, top.id, await self._room(domain, image, top, chain[first:-1]))
        await self.qemu.rebase(path, name, form, unsafe=False, report=task.report)
        await domain.images.commit(image, top.id, evolve(top.metadata, parent=parent.id if parent else BLANK_UUID))

    async def _room(self, domain: Domain, image: str, top: Volume, merged: Iterable[Volume]) -> int:
        """The most that the last volume needs when it holds what the others hold, behind all it holds now."""
        level, room = compat(domain.version), await self.qemu.end(domain.images.path(image, top.id))
        for volume in merged:
            form = volume.metadata.format
            room += await self.qemu.measure(domain.images.path(image, volume.id), form, level, alone=True)
        if level == OLD_LEVEL:
            room += top.metadata.capacity.bytes  # zeros over data of the parent have to be written
        return room

    async def _to_raw(
        self, domain: Domain, survey: Image, bottom: Volume, top: Volume, hiding: Hiding, task: Task
    ) -> None:
        """A raw base stays raw: everything is copied into a new raw volume that then takes the last one's name."""
        image, images = survey.id, domain.images
        merged = f"{top.id}_MERGE"
        capacity = top.metadata.capacity
        if domain.kind is Kind.BLOCK:
            await task.recovery(rollback.undo_volume(domain, hiding.pool, image, merged))
        else:
            await task.recovery(rollback.undo_metadata(domain, f"{hiding.folder}/{merged}"))
        await images.remove(image, merged)
        allocation = possible(domain, VolumeFormat.RAW, Allocation.SPARSE)
        made = await images.create_data(image, merged, NewData(VolumeFormat.RAW, allocation, capacity.bytes))
        async with images.used(image, merged):
            await self._copy(domain, image, top, merged, task)
            if bottom.metadata.allocation is Allocation.PREALLOCATED and domain.kind is Kind.FILE:
                await self.qemu.allocate(images.path(image, merged), 4096, capacity.bytes - 4096)
        await hiding.hide(top.id)
        await task.recovery(rollback.undo_rename(domain, hiding.folder, merged, top.id))
        await images.rename(image, merged, top.id)
        metadata = evolve(
            top.metadata,
            parent=BLANK_UUID,
            format=VolumeFormat.RAW,
            allocation=bottom.metadata.allocation,
            capacity=Size(made),
        )
        await images.commit(image, top.id, metadata)
        for child in survey.children(top.id):
            await task.recovery(rollback.undo_rebase(domain.id, image, child, top.metadata.format, top.id))
            async with images.used(image, child):
                await self.qemu.rebase(images.path(image, child), top.id, "raw", unsafe=True)

    async def _copy(self, domain: Domain, image: str, top: Volume, merged: str, task: Task) -> None:
        await self.qemu.convert(
            domain.images.path(image, top.id),
            top.metadata.format,
            domain.images.path(image, merged),
            VolumeFormat.RAW,
            report=task.report,
            level=compat(domain.version),
            direct=domain.kind is Kind.BLOCK,
        )

    async def _trim(self, domain: Domain, image: str, volume: str) -> None:
        try:
            await domain.images.trim(image, volume)
        except (OSError, VirgateError):
            self.log.failure("volume {volume} keeps more room than it needs", volume=volume)

    async def reconcile(self, pool: str, domain: str, image: str, leaf: str) -> list[str]:
        """The chain as the qcow2 headers have it, base first; the metadata are made to agree.

        A leaf that is ILLEGAL was merged away: it drops out, and what it was based on is the leaf.
        """
        found = await self.jobs.ready(pool, domain)
        async with self.jobs.locks.hold(*on_image(domain, image)):
            survey = await found.images.survey(image)
            survey.volume(leaf)
            async with found.images.used(image, *survey.volumes):
                chain = await self._real_chain(found, survey, leaf)
            if len(chain) > 1 and survey.volume(leaf).metadata.legality is Legality.ILLEGAL:
                chain.pop()
            for place, volume in enumerate(chain):
                await self._correct(found, survey, volume, chain[place - 1] if place else BLANK_UUID, chain[-1])
        return chain

    async def _real_chain(self, domain: Domain, survey: Image, leaf: str) -> list[str]:
        chain = [survey.volume(leaf).id]
        while survey.volume(chain[0]).metadata.format is VolumeFormat.COW:
            backing = (await self.qemu.look(domain.images.path(survey.id, chain[0]))).backing
            name = backing.rpartition("/")[2] if backing else None
            if name is None or name in chain:
                break
            chain.insert(0, survey.volume(name).id)
        return chain

    async def _correct(self, domain: Domain, survey: Image, volume: str, parent: str, leaf: str) -> None:
        metadata = survey.volume(volume).metadata
        if metadata.image != survey.id or metadata.role is VolumeRole.SHARED:
            return
        right = evolve(metadata, parent=parent, role=VolumeRole.LEAF if volume == leaf else VolumeRole.INTERNAL)
        if right != metadata:
            await domain.images.write(survey.id, volume, right)


def _place(survey: Image, chain: Sequence[Volume], ancestor: str, successor: str) -> int:
    """Where in the chain the first one to be merged is; `CannotMerge` (252), after which nothing was changed."""
    place = next((place for place, volume in enumerate(chain) if volume.id == ancestor), len(chain))
    if ancestor not in survey.volumes:
        raise CannotMerge(ancestor, successor, f"{ancestor} is no volume of the image: it may be merged already")
    if place == len(chain):
        raise CannotMerge(ancestor, successor, f"{ancestor} is not below {successor}: it may be merged already")
    if place == len(chain) - 1 or chain[place].metadata.role is VolumeRole.SHARED:
        raise CannotMerge(ancestor, successor, "the first is not a volume below the second")
    return place
