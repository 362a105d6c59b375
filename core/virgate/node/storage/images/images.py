"""The front of images: listed, prepared for machines, torn down, deleted (spec xmlrpc-storage 3.5, 4.4)."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import IllegalVolume, VolumeIsShared
from virgate.node.storage.formats.volume_metadata import VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.trust import check_headers
from virgate.node.storage.images.volumes import KEEP, Volumes, Wipe
from virgate.node.storage.repository import part
from virgate.node.storage.values import ISO_IMAGE, Class, PreparedVolume, VolumeAddress, is_blank
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.locks import storage
from virgate.node.tasks.task import Task
from virgate.units import Size


@frozen
class Images:
    jobs: Jobs
    volumes: Volumes

    async def names(self, domain: str) -> list[str]:
        found = await self.jobs.domains.find(domain)
        return sorted(image for image in await found.images.all() if image != ISO_IMAGE)

    async def prepare(self, pool: str, domain: str, image: str, volume: str) -> PreparedVolume:
        """Makes an image usable on this host; doing it again is fine, and nothing counts how often.

        `IllegalVolume` (227) if any volume of the image is not to be trusted.
        """
        if not is_blank(pool):
            self.jobs.pools.find(pool)
        found = await self.jobs.domains.find(domain)
        async with self.jobs.locks.hold(storage(domain)):
            survey = await found.images.survey(image)
            leaf = survey.volume(part(volume))
            if illegal := survey.illegal():
                raise IllegalVolume(illegal[0])
            chain = survey.chain(volume)
            async with found.images.used(image, volume):
                sizes = await check_headers(found, survey, chain)
                await self._repair_capacity(found, survey, sizes)
                folder = await found.images.open(image)
        if not is_blank(pool):
            folder = self.jobs.domains.repository.pool(pool) / part(domain) / "images" / image
        told = tuple([await self._told(found, VolumeAddress(domain, image, member.id)) for member in chain])
        form = "cow" if leaf.metadata.format is VolumeFormat.COW else "raw"
        return PreparedVolume(str(folder / volume), form, told, told[-1], found.kind.value)

    async def teardown(self, pool: str, domain: str, image: str, volume: str = "") -> None:
        """Ends what `prepare` did; nothing happens if nothing was done."""
        found = await self.jobs.domains.find(domain)
        async with self.jobs.locks.hold(storage(domain)):
            await found.images.close(part(image))

    async def delete(self, pool: str, domain: str, image: str, *, wipe: Wipe = KEEP) -> str:
        """The image is out of sight when this comes back; the task it answers wipes it, if it has to be wiped."""
        part(image)
        found = await self.jobs.ready(pool, domain)
        alone = (storage(f"{image}_{domain}", exclusive=True), image_lock(domain, image, exclusive=True))
        async with self.jobs.locks.hold(storage(domain), *alone):
            template = await self._needed(found, await found.images.survey(image))
            if template is not None and found.record.domain_class is not Class.Backup:
                raise VolumeIsShared(template.id)
            await found.images.close(image)
            if template is not None:
                from virgate.node.storage.images.fakes import leave_stand_in

                await leave_stand_in(found, template)
            hidden = template is None and wipe.zero and await found.images.hide(image, zero=True)
            if template is None and not hidden:
                await found.images.delete(image, discard=wipe.discard)

        async def job(task: Task) -> None:
            if hidden:
                await found.images.delete(image, zero=True, discard=wipe.discard)

        return await self.jobs.start("deleteImage", pool, job)

    async def domains_with(self, pool: str, image: str) -> list[str]:
        """The active data domains of the pool that hold the image."""
        holding = []
        for domain in self.jobs.pools.find(pool).map.active:
            found = await self.jobs.domains.find(domain)
            if found.record.domain_class is Class.Data and part(image) in await found.images.all():
                holding.append(domain)
        return holding

    async def resize_offline(self, pool: str, domain: str, image: str, volume: str, size: int) -> int:
        """See `Volumes.resize_offline`; here for the verb of machines that reaches it with a blank machine id."""
        return await self.volumes.resize_offline(domain, image, volume, size)

    async def _repair_capacity(self, domain: Domain, survey: Image, sizes: Mapping[str, int]) -> None:
        """Metadata never say less than a guest sees: an interrupted resize may have left them so."""
        for volume in survey.own():
            metadata = volume.metadata
            cow = metadata.format is VolumeFormat.COW
            size = sizes.get(volume.id, 0) if cow else volume.size
            if metadata.role is not VolumeRole.SHARED and metadata.capacity.bytes < size:
                await domain.images.write(survey.id, volume.id, evolve(metadata, capacity=Size(size)))

    async def _needed(self, domain: Domain, survey: Image) -> Volume | None:
        """The template that other images are based on, if it is one."""
        for volume in survey.own():
            if volume.metadata.role is VolumeRole.SHARED and len(await domain.images.images_with(volume.id)) > 1:
                return volume
        return None

    async def _told(self, domain: Domain, address: VolumeAddress) -> dict[str, Any]:
        lease = await domain.images.lease_of(address.image, address.volume)
        return {
            "domainID": address.domain,
            "imageID": address.image,
            "volumeID": address.volume,
            "path": str(domain.path / "images" / address.image / address.volume),
            "volType": "path",
            **({"leasePath": str(lease[0]), "leaseOffset": lease[1]} if lease else {}),
        }
