"""What machines keep in small raw volumes of their own: the parameters of one that sleeps on storage."""

from attrs import frozen

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import IllegalVolume, IncorrectFormat, VolumeNotWritable
from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Volume
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.repository import part
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.locks import storage


@frozen
class Contents:
    """Whole small contents, on file and block domains alike. The image need not be prepared."""

    jobs: Jobs

    async def read(self, domain: str, image: str, volume: str, longest: int) -> bytes:
        """The beginning of the volume, `longest` bytes at most."""
        found = await self.jobs.domains.find(domain)
        async with self.jobs.locks.hold(storage(domain), image_lock(domain, part(image))):
            target = await _raw(found, image, volume)
            async with found.images.used(image, volume):
                return await found.images.read_data(image, volume, 0, min(longest, max(0, target.size)))

    async def write(self, domain: str, image: str, volume: str, data: bytes) -> None:
        """Over the beginning of the volume; what lies behind it stays. Lasting when this comes back.

        A file grows when it has to; a device does not.
        """
        found = await self.jobs.domains.find(domain)
        async with self.jobs.locks.hold(storage(domain), image_lock(domain, part(image), exclusive=True)):
            target = await _raw(found, image, volume)
            if target.metadata.role is not VolumeRole.LEAF:
                raise VolumeNotWritable(volume)
            async with found.images.used(image, volume):
                await found.images.write_data(image, volume, 0, data)
                await found.images.flush(image, volume)

    async def lengthen(self, domain: str, image: str, volume: str) -> None:
        """Lets a file be as long again as its metadata say: libvirt cuts one that it saves memory to. Devices stay."""
        found = await self.jobs.domains.find(domain)
        if found.kind is not Kind.FILE:
            return
        async with self.jobs.locks.hold(storage(domain), image_lock(domain, part(image), exclusive=True)):
            capacity = (await _raw(found, image, volume)).metadata.capacity.bytes
            size, _ = await found.images.measure(image, volume)
            if size < capacity:
                await found.images.grow(image, volume, capacity)


async def _raw(domain: Domain, image: str, volume: str) -> Volume:
    target = (await domain.images.survey(image)).volume(part(volume))
    if target.metadata.legality is Legality.ILLEGAL:
        raise IllegalVolume(volume)
    if target.metadata.format is not VolumeFormat.RAW:
        raise IncorrectFormat(target.metadata.format.value)
    return target
