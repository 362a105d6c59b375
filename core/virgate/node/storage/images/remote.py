"""Images to other servers and from them, by HTTP: the node itself is the client (spec xmlrpc-storage 3.5)."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import CannotCopyImage, VolumeNotWritable
from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.http_client import HttpClient
from virgate.node.storage.images.http_place import Place
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.images.transfer import PIECE
from virgate.node.storage.images.transfer import Place as Address
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.images.volumes import extend_raw
from virgate.node.storage.repository import part
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.locks import storage
from virgate.node.tasks.task import Task

BLOCK = 4096


@frozen
class Remote:
    jobs: Jobs
    qemu: QemuImg
    client: HttpClient = field(factory=HttpClient)

    async def upload(self, arguments: Mapping[str, Any], address: Address) -> str:
        """The id of the task that puts a volume to a server. The volume must be the only one of its image."""
        place = Place.read(arguments)
        found = await self._found(address)

        async def job(task: Task) -> None:
            survey = await found.images.survey(address.image)
            volume = _only(address, survey)
            await legal_chain(found, survey, volume.id)
            async with found.images.used(address.image, volume.id):
                await self._send(found, address.image, volume, place, task)

        return await self.jobs.start(
            "uploadImage", address.pool, job, storage(address.domain), image_lock(address.domain, address.image)
        )

    async def download(self, arguments: Mapping[str, Any], address: Address) -> str:
        """The id of the task that fills a volume with what a server has.

        The volume is illegal while it is half filled, and stays so when that is how the task ends.
        """
        place = Place.read(arguments)
        found = await self._found(address)

        async def job(task: Task) -> None:
            survey = await found.images.survey(address.image)
            volume = address.of(survey)
            if volume.metadata.role is VolumeRole.SHARED or survey.children(volume.id):
                raise VolumeNotWritable(volume.id)
            size = await self.client.size(place)
            if volume.metadata.format is VolumeFormat.RAW and size > volume.size:
                await extend_raw(found, address.image, volume, max(size, volume.metadata.capacity.bytes), task)
            else:
                await found.images.reserve(address.image, volume.id, size)
            async with found.images.used(address.image, volume.id):
                await self._receive(found, address.image, volume.id, place, size, task)

        alone = image_lock(address.domain, address.image, exclusive=True)
        return await self.jobs.start("downloadImage", address.pool, job, storage(address.domain), alone)

    async def _found(self, address: Address) -> Domain:
        part(address.image)
        return await self.jobs.ready(address.pool, address.domain)

    async def _send(self, domain: Domain, image: str, volume: Volume, place: Place, task: Task) -> None:
        length, start = await self._length(domain, image, volume), 0

        async def give(most: int) -> bytes:
            nonlocal start
            piece = await domain.images.read_data(image, volume.id, start, min(PIECE, most))
            start += len(piece)
            task.report(100 * start / length)
            return piece

        await self.client.put(place, length, give)

    async def _length(self, domain: Domain, image: str, volume: Volume) -> int:
        """What lies behind the data on a logical volume is what somebody left who had the room before."""
        if domain.kind is Kind.FILE or volume.metadata.format is VolumeFormat.RAW:
            return volume.size
        return min(volume.size, await self.qemu.end(domain.images.path(image, volume.id)))

    async def _receive(self, domain: Domain, image: str, volume: str, place: Place, size: int, task: Task) -> None:
        filling = _Filling(domain, image, volume, size, task)
        await self.client.get(place, filling.take)
        await filling.end()


class _Filling:
    """Writes whole pieces: storage wants blocks, a network brings what it likes."""

    def __init__(self, domain: Domain, image: str, volume: str, size: int, task: Task) -> None:
        self._domain, self._image, self._volume, self._size, self._task = domain, image, volume, size, task
        self._kept = bytearray()
        self._start = 0
        self._begun = False

    async def take(self, data: bytes) -> None:
        if self._start + len(self._kept) + len(data) > self._size:
            raise CannotCopyImage("a server", self._volume, f"it sends more than the {self._size} bytes that it told")
        self._kept += data
        if len(self._kept) >= PIECE:
            await self._write(len(self._kept) // BLOCK * BLOCK)

    async def end(self) -> None:
        """`CannotCopyImage` (261) if something is missing."""
        got = self._start + len(self._kept)
        if got < self._size:
            raise CannotCopyImage("a server", self._volume, f"it ends after {got} of {self._size} bytes")
        if self._kept:
            await self._write(len(self._kept))
        if self._begun:
            await self._domain.images.flush(self._image, self._volume)
            await self._trust(Legality.LEGAL)

    async def _write(self, length: int) -> None:
        if not self._begun:
            await self._trust(Legality.ILLEGAL)
            self._begun = True
        piece = bytes(self._kept[:length])
        del self._kept[:length]
        await self._domain.images.write_data(self._image, self._volume, self._start, piece)
        self._start += length
        self._task.report(100 * self._start / self._size)

    async def _trust(self, legality: Legality) -> None:
        """With the metadata as they are now: the volume may have been extended since somebody read them."""
        metadata = (await self._domain.images.survey(self._image)).volume(self._volume).metadata
        wanted = metadata.next_generation() if legality is Legality.LEGAL else evolve(metadata, legality=legality)
        await self._domain.images.write(self._image, self._volume, wanted)


def _only(address: Address, survey: Image) -> Volume:
    volume = address.of(survey)
    if len(survey.volumes) > 1:
        raise CannotCopyImage(volume.id, "a server", "its image has several volumes; copy it into one first")
    return volume
