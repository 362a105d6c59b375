"""One volume as a job has it: named by a client, kept from other hosts, and never half changed for anybody."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.hookspecs.leases import ExternalLeaseManager, LeasePlace
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.errors.jobs import WrongGeneration
from virgate.node.storage.formats.volume_metadata import MAX_GENERATION, Legality, VolumeMetadata
from virgate.node.storage.images.protection import place_of
from virgate.node.storage.repository import part
from virgate.node.storage.values import VolumeAddress
from virgate.run.fence import inner


@frozen
class Target:
    """`generation` is the one that the client knows of; None if it does not care."""

    address: VolumeAddress
    generation: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Target":
        """From `{sd_id, img_id, vol_id, generation}`; `InvalidParameter` (1000)."""
        try:
            address = VolumeAddress(*(part(given[name]) for name in ("sd_id", "img_id", "vol_id")))
        except KeyError as missing:
            raise InvalidParameter("volume", f"without {missing.args[0]}") from None
        generation = given.get("generation")
        if generation is not None and not (isinstance(generation, int) and 0 <= generation <= MAX_GENERATION):
            raise InvalidParameter("generation", generation)
        return cls(address, generation)


async def metadata_of(domain: Domain, address: VolumeAddress) -> VolumeMetadata:
    return (await domain.images.survey(address.image)).volume(address.volume).metadata


async def checked(domain: Domain, target: Target) -> VolumeMetadata:
    """`WrongGeneration` (911) if somebody worked on the volume since the client looked."""
    metadata = await metadata_of(domain, target.address)
    if target.generation not in (None, metadata.generation):
        raise WrongGeneration(target.address.volume, target.generation, metadata.generation)
    return metadata


@asynccontextmanager
async def leased(domain: Domain, address: VolumeAddress) -> AsyncIterator[None]:
    """Inside, no other host works on the volume; `LeaseNotAcquired` (651). Domains of one host need no lease."""
    if not domain.lease.volume_leases:
        yield
        return
    async with held(domain, await place_of(domain, address)):
        yield


@asynccontextmanager
async def held(domain: Domain, place: LeasePlace) -> AsyncIterator[None]:
    """Inside, the lease is this host's. Whatever was started there is killed when it is lost."""
    lease = cast(ExternalLeaseManager, domain.lease)
    await lease.acquire_other(place)
    try:
        with inner() as fence:

            async def lost(how: str) -> None:
                fence.lower(LeaseNotAcquired(domain.id, f"it was lost: {how}"))
                fence.kill()
                await fence.emptied()

            forget = lease.when_others_lost(lost)
            try:
                yield
            finally:
                forget()
    finally:
        await lease.release_other(place)


@asynccontextmanager
async def operation(domain: Domain, target: Target) -> AsyncIterator[VolumeMetadata]:
    """Inside, the volume is illegal; afterwards it is legal and of the next generation, both in one write.

    When the block fails the volume stays illegal, and of the generation it was: it can be tried again.
    """
    metadata = evolve(await checked(domain, target), legality=Legality.ILLEGAL)
    image, volume = target.address.image, target.address.volume
    await domain.images.write(image, volume, metadata)
    yield metadata
    now = await metadata_of(domain, target.address)
    await domain.images.write(image, volume, now.next_generation())
