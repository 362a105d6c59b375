"""Merging a volume into the one below it while no machine uses the image (spec xmlrpc-storage 11).

Three steps, which a client asks for: the SPM prepares the base, any host copies, the SPM takes the merged volume out of
the chain. Then the client deletes it. Whatever step is cut off, what the top volume shows stays whole, for only the
base is written; and the step can be asked for again.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import CannotExtendVolume, CannotMerge, ProgramFailed
from virgate.node.storage.errors.jobs import UnexpectedState
from virgate.node.storage.formats.volume_metadata import Allocation, Legality, VolumeFormat, VolumeRole
from virgate.node.storage.images import rollback
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.jobs import Jobs, on_image
from virgate.node.storage.images.qemu_img import NAMES, OLD_LEVEL, QemuImg
from virgate.node.storage.images.trust import check_headers
from virgate.node.storage.images.volume_making import rounded
from virgate.node.storage.sdm import bitmaps
from virgate.node.storage.sdm.registry import Job, JobRegistry
from virgate.node.storage.sdm.subchain import Subchain, alone, trusted
from virgate.node.storage.sdm.volumes import metadata_of, operation
from virgate.node.tasks.task import Task
from virgate.units import Size


@frozen
class ColdMerge:
    log = Logger()

    tasks: Jobs
    jobs: JobRegistry
    qemu: QemuImg

    async def prepare(self, pool: str, subchain: Mapping[str, Any]) -> str:
        """The id of the task that makes the base as large as the top, with room for all that both hold."""
        wanted = Subchain.read(subchain)
        domain = await self.tasks.ready(pool, wanted.address.domain)

        async def job(task: Task) -> None:
            async with alone(domain, wanted):
                await self._prepare(domain, wanted, task)

        return await self._task("prepareMerge", pool, wanted, job)

    async def merge(self, job_id: str, subchain: Mapping[str, Any], *, merge_bitmaps: bool = False) -> None:
        """Starts a job that copies what the top holds into the base. The top stays as it is."""
        wanted = Subchain.read(subchain)
        domain = await self.tasks.domains.find(wanted.address.domain)

        async def work(job: Job) -> None:
            image = on_image(wanted.address.domain, wanted.address.image)
            async with self.tasks.locks.hold(*image), alone(domain, wanted):
                await self._merge(domain, wanted, job, merge_bitmaps=merge_bitmaps)

        self.jobs.start(job_id, "merge_subchain", work)

    async def finalize(self, pool: str, subchain: Mapping[str, Any]) -> str:
        """The id of the task that takes the top, whose data the base has, out of the chain. What is done is no error.

        The client says that the merge was done: nothing in a volume tells.
        """
        wanted = Subchain.read(subchain)
        domain = await self.tasks.ready(pool, wanted.address.domain)

        async def job(task: Task) -> None:
            async with alone(domain, wanted):
                await self._finalize(domain, wanted, task)

        return await self._task("finalizeMerge", pool, wanted, job)

    async def _task(self, verb: str, pool: str, wanted: Subchain, job: Any) -> str:
        return await self.tasks.start(verb, pool, job, *on_image(wanted.address.domain, wanted.address.image))

    # before

    async def _prepare(self, domain: Domain, wanted: Subchain, task: Task) -> None:
        survey, image = await domain.images.survey(wanted.address.image), wanted.address.image
        base, top = wanted.found_in(survey)
        size = await trusted(domain, survey, base, top)
        async with domain.images.used(image, top.id):
            try:
                if base.metadata.format is VolumeFormat.RAW:
                    await self._grow_raw(domain, image, base, size, task)
                else:
                    await self._prune(domain, image, base, top)
                    await self._grow_cow(domain, image, base, size, task)
                    if domain.kind is Kind.BLOCK:
                        await domain.images.reserve(image, base.id, await self._room(domain, image, base, top))
            except (OSError, ProgramFailed) as problem:
                raise CannotExtendVolume(base.id, str(problem)) from problem

    async def _grow_raw(self, domain: Domain, image: str, base: Volume, size: int, task: Task) -> None:
        wanted, known = rounded(Size(size), domain.version), base.metadata
        if known.capacity >= wanted and base.size >= wanted.bytes:
            return
        await task.recovery(rollback.settle_size(domain.id, image, base.id))
        grown = await domain.images.grow(image, base.id, wanted.bytes)
        if known.allocation is Allocation.PREALLOCATED and domain.kind is Kind.FILE:
            start = known.capacity.bytes
            await self.qemu.allocate(domain.images.path(image, base.id), start, grown - start)
        await domain.images.write(image, base.id, evolve(known, capacity=Size(grown)))

    async def _grow_cow(self, domain: Domain, image: str, base: Volume, size: int, task: Task) -> None:
        path = domain.images.path(image, base.id)
        current = (await self.qemu.look(path)).virtual_size
        if min(base.metadata.capacity.bytes, current) >= size:
            return
        await task.recovery(rollback.settle_size(domain.id, image, base.id))
        if current < size:
            await self.qemu.resize(path, size)
        await domain.images.write(image, base.id, evolve(base.metadata, capacity=Size(max(current, size))))

    async def _prune(self, domain: Domain, image: str, base: Volume, top: Volume) -> None:
        """A bitmap that the top does not go on with misses what was written to the top."""
        under, over = (domain.images.path(image, volume.id) for volume in (base, top))
        known = (await self.qemu.look(under)).bitmaps
        if known:
            going_on = tuple(bitmap.name for bitmap in (await self.qemu.look(over)).bitmaps if bitmap.valid)
            await bitmaps.keep(self.qemu, under, known, going_on)

    async def _room(self, domain: Domain, image: str, base: Volume, top: Volume) -> int:
        """The most that the base needs: behind all it holds what the top adds, which is no more than the top holds,
        and no more than the base does not hold yet."""
        path = domain.images.path(image, base.id)
        look = await self.qemu.look(path)
        own, others = [
            await self.qemu.measured(domain.images.path(image, volume.id), VolumeFormat.COW, look.level, alone=True)
            for volume in (base, top)
        ]
        tables = own["fully-allocated"] - look.virtual_size
        missing = look.virtual_size - (own["required"] - tables)
        added = others["required"]
        if look.level == OLD_LEVEL:
            added = missing  # zeros over data of what is below the base have to be written
        return await self.qemu.end(path) + tables + min(added, missing) + others.get("bitmaps", 0)

    # the merge

    async def _merge(self, domain: Domain, wanted: Subchain, job: Job, *, merge_bitmaps: bool) -> None:
        survey, image = await domain.images.survey(wanted.address.image), wanted.address.image
        base, top = wanted.found_in(survey)
        if base.metadata.capacity.bytes < await trusted(domain, survey, base, top):
            raise UnexpectedState(base.id, f"is smaller than {top.id}: call prepareMerge first")
        under, over = (domain.images.path(image, volume.id) for volume in (base, top))
        try:
            async with operation(domain, wanted.base), domain.images.used(image, top.id):
                await domain.images.refresh(image, base.id)
                await self.qemu.merge_down(over, report=job.report, direct=domain.kind is Kind.BLOCK)
                if merge_bitmaps and base.metadata.format is VolumeFormat.COW:
                    await bitmaps.merge_down(self.qemu, over, under)
                await domain.images.flush(image, base.id)
        except (OSError, ProgramFailed) as problem:
            await self._as_before(domain, wanted)
            raise CannotMerge(top.id, base.id, str(problem)) from problem

    async def _as_before(self, domain: Domain, wanted: Subchain) -> None:
        """The merge has ended and machines may run again: the top covers all that was written to the base."""
        with suppress(OSError, VirgateError):
            metadata = evolve(await metadata_of(domain, wanted.address), legality=Legality.LEGAL)
            await domain.images.write(wanted.address.image, wanted.address.volume, metadata)

    # after

    async def _finalize(self, domain: Domain, wanted: Subchain, task: Task) -> None:
        survey, image = await domain.images.survey(wanted.address.image), wanted.address.image
        base, top = wanted.found_in(survey)
        if base.metadata.legality is not Legality.LEGAL:
            raise UnexpectedState(base.id, "is not whole: a merge into it did not end, call SDM.merge again")
        if top.metadata.legality is not Legality.ILLEGAL:
            await domain.images.write(image, top.id, evolve(top.metadata, legality=Legality.ILLEGAL))
        try:
            for child in survey.children(top.id):
                await self._set_upon(domain, survey, survey.volume(child), base)
        except (OSError, ProgramFailed) as problem:
            raise CannotMerge(top.id, base.id, str(problem)) from problem
        await task.conclude()
        try:
            await domain.images.trim(image, base.id, leaf=top.metadata.role is VolumeRole.LEAF)
        except (OSError, VirgateError):
            self.log.failure("volume {volume} keeps more room than it needs", volume=base.id)

    async def _set_upon(self, domain: Domain, survey: Image, child: Volume, base: Volume) -> None:
        """The header first: where metadata and headers differ, the headers count."""
        await check_headers(domain, survey, [child])
        async with domain.images.used(survey.id, child.id):
            path = domain.images.path(survey.id, child.id)
            await self.qemu.rebase(path, base.id, NAMES[base.metadata.format], unsafe=True)
            await domain.images.flush(survey.id, child.id)
        await domain.images.write(survey.id, child.id, evolve(child.metadata, parent=base.id))
