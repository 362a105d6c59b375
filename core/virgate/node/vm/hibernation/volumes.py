"""How the parameters of saved machines get to storage and back."""

from typing import Protocol

from attrs import frozen

from virgate.errors import VirgateError
from virgate.node.vm.hibernation.handle import VolumeId


class ConfVolumes(Protocol):
    """Small raw volumes, read and written whole. Raises storage's errors."""

    async def read(self, volume: VolumeId, longest: int) -> bytes: ...

    async def write(self, volume: VolumeId, data: bytes) -> None: ...

    async def lengthen(self, volume: VolumeId) -> None:
        """Makes a file that was cut as long as before."""


class Contents(Protocol):
    """The part of `virgate.node.storage` that knows what is in volumes."""

    async def read(self, domain: str, image: str, volume: str, longest: int) -> bytes: ...

    async def write(self, domain: str, image: str, volume: str, data: bytes) -> None: ...

    async def lengthen(self, domain: str, image: str, volume: str) -> None: ...


@frozen
class StoredConfs:
    """Through storage."""

    contents: Contents

    async def read(self, volume: VolumeId, longest: int) -> bytes:
        return await self.contents.read(volume.domain, volume.image, volume.volume, longest)

    async def write(self, volume: VolumeId, data: bytes) -> None:
        await self.contents.write(volume.domain, volume.image, volume.volume, data)

    async def lengthen(self, volume: VolumeId) -> None:
        await self.contents.lengthen(volume.domain, volume.image, volume.volume)


class NoConfs:
    """A host without storage."""

    async def read(self, volume: VolumeId, longest: int) -> bytes:
        raise VirgateError()

    async def write(self, volume: VolumeId, data: bytes) -> None:
        raise VirgateError()

    async def lengthen(self, volume: VolumeId) -> None:
        raise VirgateError()
