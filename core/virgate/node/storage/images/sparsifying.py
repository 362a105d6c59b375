"""Giving back the space that a guest does not use (spec xmlrpc-storage 3.5)."""

import os
import shutil

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import ProgramFailed, VolumeNotWritable
from virgate.node.storage.errors.images import CannotSparsify, NotSparse
from virgate.node.storage.formats.volume_metadata import Allocation, Legality, VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.copying import has_to_reserve
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.qemu_img import NAMES, QemuImg, compat
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.repository import part
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.locks import storage
from virgate.node.tasks.task import Task
from virgate.run.process import run

PROGRAM = "virt-sparsify"


@frozen(kw_only=True)
class Sparse:
    """`scratch` is an empty volume on top of the one that is copied; `new_volume` is there and sparse."""

    domain: str
    image: str
    scratch: str
    new_domain: str
    new_image: str
    new_volume: str


@frozen
class Sparsifying:
    """With virt-sparsify (Debian: libguestfs-tools) all that the guest's file systems do not use is left out.

    Where it is not installed blocks of zeros are left out, which is all that can be told without looking into file
    systems; the log says so.
    """

    log = Logger()

    jobs: Jobs
    qemu: QemuImg

    async def sparsify(self, pool: str, wanted: Sparse) -> str:
        """The id of the task that fills the new volume; `NotSparse` (233), `CannotSparsify` (234) end it."""
        if (wanted.domain, wanted.image) == (wanted.new_domain, wanted.new_image):
            raise InvalidParameter("dstImgUUID", wanted.new_image)
        for id in (wanted.image, wanted.scratch, wanted.new_image, wanted.new_volume):
            part(id)
        source = await self.jobs.ready(pool, wanted.domain)
        target = await self.jobs.domains.find(wanted.new_domain)

        async def job(task: Task) -> None:
            survey = await source.images.survey(wanted.image)
            scratch = survey.volume(wanted.scratch)
            if not scratch.metadata.has_parent:
                raise CannotSparsify(scratch.id, "the scratch volume is based on nothing")
            chain = await legal_chain(source, survey, scratch.id)
            there = await target.images.survey(wanted.new_image)
            volume = there.volume(wanted.new_volume)
            _must_take(there, volume)
            try:
                await self._fill(source, target, wanted, chain, volume, task)
            except (OSError, ProgramFailed) as problem:
                raise CannotSparsify(chain[-2].id, str(problem)) from problem

        return await self.jobs.start(
            "sparsifyImage",
            pool,
            job,
            storage(wanted.domain),
            storage(wanted.new_domain),
            image_lock(wanted.domain, wanted.image, exclusive=True),
            image_lock(wanted.new_domain, wanted.new_image, exclusive=True),
        )

    async def _fill(
        self, source: Domain, target: Domain, wanted: Sparse, chain: tuple[Volume, ...], volume: Volume, task: Task
    ) -> None:
        """The new volume is illegal while it is half filled, and stays so when that is how the task ends."""
        image, level, full = wanted.new_image, compat(target.version), chain[-2]
        path, form = source.images.path(wanted.image, full.id), full.metadata.format
        metadata = evolve(volume.metadata, legality=Legality.ILLEGAL, capacity=full.metadata.capacity)
        async with source.images.used(wanted.image, wanted.scratch):
            if has_to_reserve(target, metadata):
                await target.images.reserve(image, volume.id, await self.qemu.measure(path, form, level))
            await target.images.write(image, volume.id, metadata)
            async with target.images.used(image, volume.id):
                new = target.images.path(image, volume.id)
                if program := shutil.which(PROGRAM):
                    scratch = source.images.path(wanted.image, wanted.scratch)
                    formats = ["--format", NAMES[form], "--convert", NAMES[metadata.format]]
                    argv = [
                        program,
                        "--machine-readable",
                        "--tmp",
                        f"prebuilt:{scratch}",
                        *formats,
                        str(path),
                        str(new),
                    ]
                    await self._run(argv)
                else:
                    self.log.warn("without {program} (libguestfs-tools) only zeros are given back", program=PROGRAM)
                    direct = target.kind is Kind.BLOCK
                    await self.qemu.convert(
                        path, form, new, metadata.format, report=task.report, level=level, direct=direct
                    )
        await target.images.commit(image, volume.id, metadata.next_generation())
        await target.images.trim(image, volume.id)

    async def _run(self, argv: list[str]) -> None:
        done = await run(argv, env={**os.environ, "LC_ALL": "C"}, writes=True)
        if done.code:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ProgramFailed(PROGRAM, last or f"exit code {done.code}")


def _must_take(survey: Image, volume: Volume) -> None:
    metadata = volume.metadata
    if metadata.role is VolumeRole.SHARED or metadata.has_parent or survey.children(volume.id):
        raise VolumeNotWritable(volume.id)
    if metadata.allocation is not Allocation.SPARSE or metadata.format is VolumeFormat.UNKNOWN:
        raise NotSparse(volume.id)
