"""A storage domain as its managers see it, whatever it is made of.

`Domain` has its identity, metadata and health; `ImageStore` its images and volumes; `Machines` (master.py) what it
keeps for a pool. A kind of storage implements the first two; `file_domain.py` and `file_images.py` are files in a
folder, `block_domain.py` says what logical volumes will have to do.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from attrs import frozen
from twisted.internet.defer import DeferredLock

from virgate.hookspecs.leases import LeaseManager
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.chain import Image
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat, VolumeMetadata
from virgate.node.storage.record import DomainRecord
from virgate.node.storage.values import Files


@frozen
class Health:
    """One look at a domain."""

    delay: float
    """Seconds that a direct read of its metadata took."""
    total: int
    free: int


@frozen
class NewData:
    """What the data of a volume to be made are like. The parent is named with its format."""

    format: VolumeFormat
    allocation: Allocation
    size: int
    parent: str | None = None
    parent_format: VolumeFormat = VolumeFormat.UNKNOWN


class ImageStore(ABC):
    """Images and volumes on one domain. Methods that take image and volume raise OSError as storage gives it."""

    @abstractmethod
    def path(self, image: str, volume: str) -> Path:
        """Where the data of a volume are while its image is prepared."""

    @abstractmethod
    async def all(self) -> dict[str, list[str]]:
        """Every image and the volumes seen in it; a template is seen in each image that is based on it."""

    @abstractmethod
    async def survey(self, image: str) -> Image:
        """The image with its volumes; `NoSuchImage` (268)."""

    @abstractmethod
    async def starts(self, image: str, volumes: Sequence[str], length: int) -> list[bytes]:
        """The first bytes of each volume's data, no more than `length`."""

    @abstractmethod
    async def images_with(self, volume: str) -> list[str]:
        """The images in which the volume is seen."""

    @abstractmethod
    async def make_image(self, image: str) -> None:
        """A place for volumes; nothing happens if it is there."""

    @abstractmethod
    async def remove_empty_image(self, image: str) -> None:
        """Takes the place away unless something is in it."""

    @abstractmethod
    async def share(self, template: str, volume: str, image: str) -> None:
        """Shows the volume of a template image in another image."""

    @abstractmethod
    async def create_data(self, image: str, volume: str, data: NewData) -> None:
        """Makes the data of a volume that is not known before `commit`; `VolumeExists` (212), `ProgramFailed`."""

    @abstractmethod
    async def commit(self, image: str, volume: str, metadata: VolumeMetadata) -> None:
        """Makes a new volume lasting and known: its lease, its metadata last."""

    @abstractmethod
    async def write(
        self,
        image: str,
        volume: str,
        metadata: VolumeMetadata,
        *,
        version: int | None = None,
        converting: bool = False,
    ) -> None:
        """Replaces the metadata of a volume, everywhere it is seen; `version` and `converting` are for upgrades."""

    @abstractmethod
    async def measure(self, image: str, volume: str) -> tuple[int, int]:
        """Size as it appears, bytes it occupies."""

    @abstractmethod
    async def read_data(self, image: str, volume: str, start: int, length: int) -> bytes:
        """Bytes of a volume as they are stored; fewer at its end. `start` counts whole blocks of 4096 bytes."""

    @abstractmethod
    async def write_data(self, image: str, volume: str, start: int, data: bytes) -> None:
        """Writes over bytes of a volume; lasting after `flush`."""

    @abstractmethod
    async def flush(self, image: str, volume: str) -> None:
        """Makes what was written lasting."""

    @abstractmethod
    async def grow(self, image: str, volume: str, size: int) -> int:
        """Raises the size of raw data; answers the size they have then."""

    @abstractmethod
    async def rename(self, image: str, volume: str, name: str) -> None:
        """Gives a volume's data, metadata and lease another name."""

    @abstractmethod
    async def remove(self, image: str, volume: str) -> None:
        """Removes what there is of a volume."""

    @abstractmethod
    async def delete(self, image: str) -> None:
        """Takes the image out of sight in one step, then removes it."""

    @abstractmethod
    async def collect_garbage(self, *, volumes: bool) -> None:
        """Finishes deletions of images that were interrupted; only the SPM may.

        With `volumes` also those of volumes, which nothing may want back: a merge that is undone does.
        """

    @abstractmethod
    async def open(self, image: str) -> Path:
        """Makes the image's volumes usable on this host; answers the folder they appear in."""

    @abstractmethod
    async def close(self, image: str) -> None:
        """Ends what `open` did."""


class Domain(ABC):
    """One domain that this host sees."""

    kind: ClassVar[Kind]
    images: ImageStore

    def __init__(
        self, record: DomainRecord, path: Path, files: Files, type: type[StorageType], lease: LeaseManager
    ) -> None:
        self.record = record
        """The metadata as last read or written."""
        self.path = path
        """The folder in which the domain's tree appears on this host."""
        self.files = files
        self.type = type
        self.lease = lease
        self._changing = DeferredLock()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def version(self) -> int:
        return self.record.version

    async def refresh(self) -> DomainRecord:
        """Reads the metadata again; `NoSuchDomain` (358), `DomainAccess` (379), or what is wrong with their bytes."""
        self.record = await self._read()
        return self.record

    async def change(self, changes: Mapping[str, object]) -> DomainRecord:
        """Writes keys into the metadata as they are now, all at once; None drops a key."""
        await self._changing.acquire()
        try:
            record = (await self._read()).changed(changes)
            await self._write(record)
            self.record = record
            return record
        finally:
            self._changing.release()

    @abstractmethod
    async def _read(self) -> DomainRecord: ...

    @abstractmethod
    async def _write(self, record: DomainRecord) -> None: ...

    @abstractmethod
    async def look(self) -> Health:
        """Measures the domain and reads its metadata again; raises as `refresh`."""

    @abstractmethod
    async def destroy(self) -> None:
        """Removes the domain and everything in it."""

    @abstractmethod
    async def mount_master(self) -> None:
        """Makes the folder `master` with `vms` and `tasks` usable here; only the SPM may."""

    @abstractmethod
    async def unmount_master(self) -> None:
        """Ends it; the lease must not be given back before."""

    @abstractmethod
    def details(self) -> dict[str, str]:
        """What getDomainInfo tells about this kind besides the metadata."""
