"""Upkeep of volumes that nobody uses: a newer format, room given back (spec xmlrpc-storage 11)."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import IncorrectFormat, ProgramFailed, VolumeNotWritable
from virgate.node.storage.errors.images import CannotSparsify, NotSparse
from virgate.node.storage.errors.jobs import CannotUpdateVolume, LevelNotSupported, SharedNotWritable, UnexpectedState
from virgate.node.storage.formats.volume_metadata import Allocation, Legality, VolumeFormat, VolumeMetadata, VolumeRole
from virgate.node.storage.images import sparsifying
from virgate.node.storage.images.jobs import Jobs, on_image
from virgate.node.storage.images.prepared import is_prepared
from virgate.node.storage.images.qemu_img import NAMES, OLD_LEVEL, QemuImg, compat
from virgate.node.storage.images.trust import check_headers, legal_chain
from virgate.node.storage.repository import part
from virgate.node.storage.sdm.registry import Job, JobRegistry
from virgate.node.storage.sdm.volumes import Target, checked, leased
from virgate.node.storage.values import VolumeAddress
from virgate.node.tasks.task import Task
from virgate.run.process import run

NEW_LEVEL = "1.1"


@frozen
class Upkeep:
    log: ClassVar = Logger()

    jobs: Jobs
    registry: JobRegistry
    qemu: QemuImg

    async def amend(self, job_id: str, volume: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Starts a job that lets a volume have what only newer qcow2 has: `{compat: "1.1"}`.

        Its data stay where they are, so it stays legal.
        """
        if dict(wanted) != {"compat": NEW_LEVEL}:
            raise InvalidParameter("qcow2_attr", dict(wanted))
        target = Target.read(volume)

        async def work(domain: Domain, metadata: VolumeMetadata) -> None:
            image, name = target.address.image, target.address.volume
            if metadata.format is not VolumeFormat.COW:
                raise IncorrectFormat(metadata.format.name)
            if metadata.role is VolumeRole.SHARED:
                raise SharedNotWritable(name)
            if compat(domain.version) == OLD_LEVEL:
                raise LevelNotSupported(name, domain.version)
            async with _opened(domain, target.address) as path:
                try:
                    await self.qemu.amend(path, NEW_LEVEL)
                except (OSError, ProgramFailed) as problem:
                    raise CannotUpdateVolume(name, str(problem)) from problem
                await domain.images.flush(image, name)
            await domain.images.write(image, name, metadata.next_generation())

        await self._start("amend_volume", job_id, target, work)

    async def sparsify(self, job_id: str, volume: Mapping[str, Any]) -> None:
        """Starts a job that gives back, in place, the room that a leaf's guest does not use.

        The volume is illegal meanwhile. It is legal again when the program itself says that it cannot; it stays illegal
        when that was killed.
        """
        target = Target.read(volume)

        async def work(domain: Domain, metadata: VolumeMetadata) -> None:
            image, name = target.address.image, target.address.volume
            if metadata.role is not VolumeRole.LEAF:
                raise VolumeNotWritable(name)
            if metadata.allocation is not Allocation.SPARSE or metadata.format is VolumeFormat.UNKNOWN:
                raise NotSparse(name)
            async with _opened(domain, target.address) as path:
                await domain.images.write(image, name, evolve(metadata, legality=Legality.ILLEGAL))
                try:
                    await self._sparsify(domain, path, metadata.format, name)
                except (OSError, ProgramFailed) as problem:
                    await domain.images.write(image, name, metadata)
                    raise CannotSparsify(name, str(problem)) from problem
                await domain.images.flush(image, name)
            await domain.images.write(image, name, metadata.next_generation())

        await self._start("sparsify_volume", job_id, target, work)

    async def reduce(self, pool: str, domain: str, image: str, volume: str, *, active: bool = False) -> str:
        """The id of the task that takes room from a volume of a block domain that it does not use.

        One that is prepared on this host is left alone unless it may be `active`. Files have no such room.
        """
        found = await self.jobs.ready(pool, domain)
        address = VolumeAddress(domain, part(image), part(volume))

        async def job(task: Task) -> None:
            survey = await found.images.survey(image)
            chain = survey.chain(volume)
            if not active and await is_prepared(self.jobs.domains.repository, found, address):
                raise UnexpectedState(volume, "is prepared on this host: a machine may use it")
            await check_headers(found, survey, chain)
            await found.images.trim(image, volume)

        return await self.jobs.start("reduceVolume", pool, job, *on_image(domain, image))

    async def _start(
        self,
        description: str,
        job_id: str,
        target: Target,
        change: Callable[[Domain, VolumeMetadata], Awaitable[None]],
    ) -> None:
        address = target.address
        domain = await self.jobs.domains.find(address.domain)

        async def work(job: Job) -> None:
            async with self.jobs.locks.hold(*on_image(address.domain, address.image)), leased(domain, address):
                await change(domain, await checked(domain, target))

        self.registry.start(job_id, description, work)

    async def _sparsify(self, domain: Domain, path: Path, form: VolumeFormat, volume: str) -> None:
        """Without virt-sparsify zeros can be told from data in raw files only."""
        if program := shutil.which(sparsifying.PROGRAM):
            argv = [program, "--machine-readable", "--in-place", "--format", NAMES[form], str(path)]
        elif form is VolumeFormat.RAW and domain.kind is Kind.FILE:
            self.log.warn("without {program} (libguestfs-tools) only zeros are given back", program=sparsifying.PROGRAM)
            argv = [self.qemu.fallocate, "--dig-holes", str(path)]
        else:
            raise ProgramFailed(sparsifying.PROGRAM, "it is not installed (Debian: libguestfs-tools)")
        await _run(argv, volume)


@asynccontextmanager
async def _opened(domain: Domain, address: VolumeAddress) -> AsyncIterator[Path]:
    """The data of a volume whose chain leads to nothing but itself."""
    await legal_chain(domain, await domain.images.survey(address.image), address.volume)
    async with domain.images.used(address.image, address.volume):
        yield domain.images.path(address.image, address.volume)


async def _run(argv: list[str], volume: str) -> None:
    done = await run(argv, env={**os.environ, "LC_ALL": "C"}, writes=True)
    if done.code < 0:
        raise CannotSparsify(volume, f"signal {-done.code} killed {argv[0]}, who knows where")
    if done.code:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ProgramFailed(Path(argv[0]).name, last or f"exit code {done.code}")
