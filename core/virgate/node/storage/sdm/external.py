"""Copies between a volume and what a program outside serves (spec xmlrpc-storage 11: endpoints of type `external`)."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import CannotCopyImage, ProgramFailed, VolumeNotWritable
from virgate.node.storage.external_leases import ExternalLeases
from virgate.node.storage.formats.volume_metadata import (
    MAX_GENERATION,
    Allocation,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.qemu_served import QemuServed
from virgate.node.storage.images.trust import check_headers, legal_chain
from virgate.node.storage.repository import part
from virgate.node.storage.sdm.guarding import Guarded, guarded
from virgate.node.storage.sdm.nbd_url import NbdUrl
from virgate.node.storage.sdm.registry import Job, JobRegistry
from virgate.node.storage.sdm.volumes import Target, checked, leased, operation
from virgate.node.tasks.locks import Locks, Request, storage
from virgate.node.tasks.locks import image as image_lock

PATIENCE = 60.0
"""Seconds within which a server has to tell what it serves."""
EXTERNAL = "external"
EVERY_BYTE = ("-S", "0")
"""Zeros are written as data: they take room."""


@frozen
class Outside:
    """What a server has, raw: a format inside could lead QEMU to files of this host.

    `sparse`: zeros need take no room there; `zero`: it is known to be full of zeros.
    """

    domain: str
    lease: str
    url: NbdUrl
    generation: int | None = None
    sparse: bool = False
    zero: bool = False

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Outside":
        """`InvalidParameter` (1000). `create` is for files: what is served is there."""
        lease, generation = given.get("lease"), given.get("generation")
        if not isinstance(lease, Mapping) or not {"sd_id", "lease_id"} <= set(lease):
            raise InvalidParameter("lease", lease)
        if str(given.get("format", "raw")).lower() != "raw":
            raise InvalidParameter("format", given["format"])
        if generation is not None and not (type(generation) is int and 0 <= generation <= MAX_GENERATION):
            raise InvalidParameter("generation", generation)
        flags = [given.get(name, False) for name in ("sparse", "is_zero")]
        if not all(isinstance(flag, bool) for flag in flags):
            raise InvalidParameter("sparse, is_zero", flags)
        url = NbdUrl.read(given.get("url"))
        return cls(part(lease["sd_id"]), part(lease["lease_id"]), url, generation, *flags)

    def guarded(self, job: str) -> Guarded:
        return Guarded(self.domain, self.lease, job, self.generation)

    @property
    def flags(self) -> tuple[str, ...]:
        """What qemu-img is told of it as a target."""
        if not self.sparse:
            return EVERY_BYTE
        return ("--target-is-zero",) if self.zero else ()

    @property
    def locks(self) -> tuple[Request, ...]:
        """sanlock knows hosts, not jobs: two jobs of this host are kept apart here."""
        return storage(self.domain), Request(f"04_lease_{self.domain}", self.lease, exclusive=True)


@frozen
class ExternalCopies:
    domains: Domains
    locks: Locks
    qemu: QemuServed
    jobs: JobRegistry
    leases: ExternalLeases

    async def copy(
        self, job_id: str, source: Mapping[str, Any], target: Mapping[str, Any], *, bitmaps: bool = False
    ) -> None:
        """Starts a job; one of the two ends is a volume. Bitmaps are between volumes only."""
        if bitmaps:
            raise InvalidParameter("copy_bitmaps", bitmaps)
        if is_external(source) and is_external(target):
            raise InvalidParameter("destination", "one end has to be a volume")
        if is_external(source):
            await self._start(job_id, Outside.read(source), Target.read(target), filling=True)
        else:
            await self._start(job_id, Outside.read(target), Target.read(source), filling=False)

    async def _start(self, job_id: str, outside: Outside, volume: Target, *, filling: bool) -> None:
        address = volume.address
        domain = await self.domains.find(address.domain)
        await self.leases.domain(outside.domain)
        alone = image_lock(address.domain, address.image, exclusive=filling)
        copy = self._fill if filling else self._drain

        async def work(job: Job) -> None:
            held = self.locks.hold(storage(address.domain), alone, *outside.locks)
            async with held, guarded(self.leases, outside.guarded(job_id)):
                try:
                    await copy(domain, volume, outside, job)
                except (OSError, ProgramFailed) as problem:
                    ends = (str(outside.url), address.volume)
                    raise CannotCopyImage(*(ends if filling else ends[::-1]), str(problem)) from problem

        self.jobs.start(job_id, "copy_data", work)

    async def _fill(self, domain: Domain, target: Target, outside: Outside, job: Job) -> None:
        """What the server has more than the volume can hold is not thrown away: then nothing is copied."""
        address = target.address
        async with AsyncExitStack() as held:
            await held.enter_async_context(leased(domain, address))
            survey = await domain.images.survey(address.image)
            metadata = survey.volume(address.volume).metadata
            if metadata.role is VolumeRole.SHARED or survey.children(address.volume):
                raise VolumeNotWritable(address.volume)
            await check_headers(domain, survey, survey.chain(address.volume))
            await checked(domain, target)
            size = await self.qemu.size(str(outside.url), PATIENCE)
            if size > metadata.capacity.bytes:
                why = f"its {size} bytes are more than the volume's {metadata.capacity.bytes}"
                raise CannotCopyImage(str(outside.url), address.volume, why)
            await held.enter_async_context(operation(domain, target))
            await held.enter_async_context(domain.images.used(address.image, address.volume))
            path = domain.images.path(address.image, address.volume)
            ends = (str(outside.url), VolumeFormat.RAW), (str(path), metadata.format)
            await self.qemu.fill(*ends, folder=path.parent, report=job.report, flags=_filling(domain, metadata))
            await domain.images.flush(address.image, address.volume)

    async def _drain(self, domain: Domain, source: Target, outside: Outside, job: Job) -> None:
        address = source.address
        survey = await domain.images.survey(address.image)
        await checked(domain, source)
        chain = await legal_chain(domain, survey, address.volume)
        async with domain.images.used(address.image, address.volume):
            path = domain.images.path(address.image, address.volume)
            ends = (str(path), chain[-1].metadata.format), (str(outside.url), VolumeFormat.RAW)
            await self.qemu.fill(*ends, folder=path.parent, report=job.report, flags=outside.flags)


def is_external(end: Mapping[str, Any]) -> bool:
    return end.get("endpoint_type") == EXTERNAL


def _filling(domain: Domain, metadata: VolumeMetadata) -> tuple[str, ...]:
    """Past the page cache to a device; a volume that has all its room keeps it."""
    direct = ("-t", "none") if domain.kind is Kind.BLOCK else ()
    whole = metadata.format is VolumeFormat.RAW and metadata.allocation is Allocation.PREALLOCATED
    return direct + (EVERY_BYTE if whole else ())
