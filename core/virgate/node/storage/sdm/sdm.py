"""The jobs: copying data between volumes, changing what is known of one, measuring (spec xmlrpc-storage 11)."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import CannotCopyImage, ProgramFailed, VolumeNotWritable
from virgate.node.storage.errors.jobs import BitmapsNotSupported, CannotUpdateVolume
from virgate.node.storage.formats.volume_metadata import (
    MAX_GENERATION,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.qemu_img import NAMES, OLD_LEVEL, QemuImg, compat
from virgate.node.storage.images.trust import check_headers, legal_chain
from virgate.node.storage.sdm.registry import Job, JobRegistry
from virgate.node.storage.sdm.volumes import Target, checked, leased, metadata_of, operation
from virgate.node.tasks.locks import Locks, storage
from virgate.node.tasks.locks import image as image_lock


@frozen
class Sdm:
    domains: Domains
    locks: Locks
    qemu: QemuImg
    jobs: JobRegistry

    async def copy_data(
        self, job_id: str, source: Mapping[str, Any], target: Mapping[str, Any], *, bitmaps: bool = False
    ) -> None:
        """Starts a job that fills one volume with what another holds; volumes below them are left alone."""
        ends = _end(source), _end(target)
        if ends[0].address == ends[1].address:
            raise InvalidParameter("destination", ends[1].address.volume)
        found = [await self.domains.find(end.address.domain) for end in ends]

        async def work(job: Job) -> None:
            one, other = (end.address for end in ends)
            locks = (image_lock(one.domain, one.image), image_lock(other.domain, other.image, exclusive=True))
            async with self.locks.hold(storage(one.domain), storage(other.domain), *locks):
                await self._copy(found[0], found[1], ends, job, bitmaps=bitmaps)

        self.jobs.start(job_id, "copy_data", work)

    async def _copy(
        self, source: Domain, target: Domain, ends: tuple[Target, Target], job: Job, *, bitmaps: bool
    ) -> None:
        one, other = (end.address for end in ends)
        survey = await source.images.survey(one.image)
        await checked(source, ends[0])
        chain = await legal_chain(source, survey, one.volume)
        async with AsyncExitStack() as held:
            await held.enter_async_context(leased(target, other))
            there = (await target.images.survey(other.image)).volume(other.volume)
            if there.metadata.role is VolumeRole.SHARED:
                raise VolumeNotWritable(other.volume)
            bitmaps = bitmaps and chain[-1].metadata.format is VolumeFormat.COW
            if bitmaps and (there.metadata.format is not VolumeFormat.COW or compat(target.version) == OLD_LEVEL):
                raise BitmapsNotSupported(other.volume)
            metadata = await held.enter_async_context(operation(target, ends[1]))
            await held.enter_async_context(source.images.used(one.image, one.volume))
            await held.enter_async_context(target.images.used(other.image, other.volume))
            try:
                await self.qemu.convert(
                    source.images.path(one.image, one.volume),
                    chain[-1].metadata.format,
                    target.images.path(other.image, other.volume),
                    metadata.format,
                    report=job.report,
                    level=compat(target.version),
                    backing=await _backing(target, other.image, metadata),
                    direct=target.kind is Kind.BLOCK,
                    bitmaps=bitmaps,
                )
            except (OSError, ProgramFailed) as problem:
                raise CannotCopyImage(one.volume, other.volume, str(problem)) from problem
            await target.images.flush(other.image, other.volume)

    async def update_volume(self, job_id: str, volume: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Starts a job that changes description, role (to SHARED), legality or generation."""
        target, wanted = Target.read(volume), _changes(changes)
        domain = await self.domains.find(target.address.domain)
        address = target.address

        async def work(job: Job) -> None:
            alone = image_lock(address.domain, address.image, exclusive=True)
            async with self.locks.hold(storage(address.domain), alone), leased(domain, address):
                metadata = await checked(domain, target)
                if wanted.get("role") and (metadata.has_parent or metadata.role is VolumeRole.INTERNAL):
                    raise CannotUpdateVolume(address.volume, "only one without parent and children can be shared")
                changed = evolve(evolve(metadata.next_generation(), legality=metadata.legality), **wanted)
                await domain.images.write(address.image, address.volume, changed)

        self.jobs.start(job_id, "update_volume", work)

    async def measure(self, volume: Target, form: VolumeFormat, *, backing: bool) -> dict[str, int]:
        """The bytes that a copy of the volume takes; `backing`: with what the volumes below it hold."""
        domain, address = await self.domains.find(volume.address.domain), volume.address
        survey = await domain.images.survey(address.image)
        metadata = survey.volume(address.volume).metadata
        if form is VolumeFormat.RAW:
            return {"required": metadata.capacity.bytes, "fully-allocated": metadata.capacity.bytes}
        path, level = domain.images.path(address.image, address.volume), compat(domain.version)
        async with domain.images.used(address.image, address.volume):
            await check_headers(domain, survey, survey.chain(address.volume))
            return await self.qemu.measured(path, metadata.format, level, alone=not backing)

    async def image_info(self, volume: Target) -> dict[str, Any]:
        """What the header of a volume says."""
        domain, address = await self.domains.find(volume.address.domain), volume.address
        metadata = await metadata_of(domain, address)
        async with domain.images.used(address.image, address.volume):
            look = await self.qemu.look(domain.images.path(address.image, address.volume), metadata.format)
        found: dict[str, Any] = {"format": look.format, "virtualsize": look.virtual_size}
        if look.backing:
            found["backingfile"] = look.backing
        if look.level:
            found["compat"] = look.level
        if look.bitmaps:
            found["bitmaps"] = [bitmap.told() for bitmap in look.bitmaps]
        return found


def _end(given: Mapping[str, Any]) -> Target:
    if given.get("endpoint_type", "div") != "div":
        raise InvalidParameter("endpoint_type", given.get("endpoint_type"))
    return Target.read(given)


async def _backing(domain: Domain, image: str, metadata: VolumeMetadata) -> tuple[str, str] | None:
    if not metadata.has_parent:
        return None
    parent = (await domain.images.survey(image)).volume(metadata.parent)
    return parent.id, NAMES[parent.metadata.format]


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """`InvalidParameter` (1000) for what cannot be changed, and when nothing is."""
    known: dict[str, Callable[[Any], Any]] = {
        "description": str,
        "type": _shared,
        "legality": Legality,
        "generation": _generation,
    }
    names = {"type": "role"}
    if not given or set(given) - set(known):
        raise InvalidParameter("vol_attr", sorted(given))
    try:
        return {names.get(name, name): known[name](value) for name, value in given.items()}
    except (TypeError, ValueError):
        raise InvalidParameter("vol_attr", sorted(given)) from None


def _shared(value: object) -> VolumeRole:
    if value != "SHARED":
        raise ValueError(value)
    return VolumeRole.SHARED


def _generation(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_GENERATION:
        raise ValueError(value)
    return value
