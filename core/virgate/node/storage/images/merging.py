"""Merging volumes of an image that no machine uses, and setting its stored chain right (spec 8.5, 3.5)."""

import secrets

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import VirgateError
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
from virgate.node.storage.images.jobs import Jobs, on_image
from virgate.node.storage.images.qemu_img import NAMES, QemuImg, compat
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.operations.volumes import REMOVED
from virgate.node.tasks.task import Task


@frozen
class Merging:
    log = Logger()

    jobs: Jobs
    qemu: QemuImg

    async def merge(self, pool: str, domain: str, image: str, ancestor: str, successor: str) -> str:
        """The id of the task that leaves one volume, called `successor`, of all from `ancestor` to it."""
        found = await self.jobs.ready(pool, domain)

        async def job(task: Task) -> None:
            survey = await found.images.survey(image)
            chain = await legal_chain(found, survey, successor)
            first = next((place for place, volume in enumerate(chain) if volume.id == ancestor), len(chain))
            if first >= len(chain) - 1 or chain[first].metadata.role is VolumeRole.SHARED:
                raise CannotMerge(ancestor, successor, "the first is not a volume below the second")
            try:
                extra = await self._merge(found, self.jobs.folder(pool), survey, chain, first, task)
            except (OSError, ProgramFailed) as problem:
                raise CannotMerge(ancestor, successor, str(problem)) from problem
            await task.conclude()
            await self._drop(found, image, [*(volume.id for volume in chain[first:-1]), *extra])

        return await self.jobs.start("mergeSnapshots", pool, job, *on_image(domain, image))

    async def _merge(
        self, domain: Domain, pool: str, survey: Image, chain: tuple[Volume, ...], first: int, task: Task
    ) -> list[str]:
        """Makes the last volume hold all; answers names that are to be removed besides the merged volumes."""
        bottom, top = chain[first], chain[-1]
        if not bottom.metadata.has_parent and bottom.metadata.format is VolumeFormat.RAW:
            return await self._to_raw(domain, f"{pool}/{domain.id}/images/{survey.id}", survey, bottom, top, task)
        parent = chain[first - 1] if first else None
        await self._rebase(domain, survey.id, top, chain[-2].metadata.format, parent, task)
        return []

    async def _rebase(
        self, domain: Domain, image: str, top: Volume, old: VolumeFormat, parent: Volume | None, task: Task
    ) -> None:
        """Copies into the last volume what it took from those between it and `parent`."""
        await task.recovery(rollback.undo_rebase(domain.id, image, top.id, old, top.metadata.parent))
        name, form = (parent.id, NAMES[parent.metadata.format]) if parent else ("", "")
        path = domain.images.path(image, top.id)
        await self.qemu.rebase(path, name, form, unsafe=False, report=task.report)
        await domain.images.commit(image, top.id, evolve(top.metadata, parent=parent.id if parent else BLANK_UUID))

    async def _to_raw(
        self, domain: Domain, folder: str, survey: Image, bottom: Volume, top: Volume, task: Task
    ) -> list[str]:
        """A raw base stays raw: everything is copied into a new raw volume that then takes the last one's name."""
        image, images = survey.id, domain.images
        merged = f"{top.id}_MERGE"
        removed = f"{REMOVED}{secrets.token_hex(4)}_{top.id}"
        await task.recovery(rollback.undo_metadata(f"{folder}/{merged}"))
        await images.remove(image, merged)
        await images.create_data(
            image, merged, NewData(VolumeFormat.RAW, Allocation.SPARSE, top.metadata.capacity.bytes)
        )
        source, target = images.path(image, top.id), images.path(image, merged)
        await self.qemu.convert(
            source, top.metadata.format, target, VolumeFormat.RAW, report=task.report, level=compat(domain.version)
        )
        if bottom.metadata.allocation is Allocation.PREALLOCATED:
            await self.qemu.allocate(target, 4096, top.metadata.capacity.bytes - 4096)
        await task.recovery(rollback.undo_rename(f"{folder}/{top.id}", f"{folder}/{removed}"))
        await images.rename(image, top.id, removed)
        await task.recovery(rollback.undo_rename(f"{folder}/{merged}", f"{folder}/{top.id}"))
        await images.rename(image, merged, top.id)
        metadata = evolve(
            top.metadata, parent=BLANK_UUID, format=VolumeFormat.RAW, allocation=bottom.metadata.allocation
        )
        await images.commit(image, top.id, metadata)
        for child in survey.children(top.id):
            await task.recovery(rollback.undo_rebase(domain.id, image, child, top.metadata.format, top.id))
            await self.qemu.rebase(images.path(image, child), top.id, "raw", unsafe=True)
        return [removed]

    async def _drop(self, domain: Domain, image: str, volumes: list[str]) -> None:
        """There is no way back any more: what cannot be deleted stays illegal and is only logged."""
        survey = await domain.images.survey(image)
        for volume in volumes:
            try:
                if volume in survey.volumes:
                    metadata = evolve(survey.volumes[volume].metadata, legality=Legality.ILLEGAL)
                    await domain.images.write(image, volume, metadata)
                await domain.images.remove(image, volume)
            except (OSError, VirgateError):
                self.log.failure("volume {volume} is merged and not deleted", volume=volume)

    async def reconcile(self, pool: str, domain: str, image: str, leaf: str) -> list[str]:
        """The chain as the qcow2 headers have it, base first; the metadata are made to agree.

        A leaf that is ILLEGAL was merged away: it drops out, and what it was based on is the leaf.
        """
        found = await self.jobs.ready(pool, domain)
        async with self.jobs.locks.hold(*on_image(domain, image)):
            survey = await found.images.survey(image)
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
