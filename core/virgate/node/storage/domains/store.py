"""The images and volumes of one domain, whatever it is made of: what a kind of storage has to implement."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from attrs import frozen

from virgate.node.storage.errors import NoSuchImage
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat, VolumeMetadata
from virgate.node.storage.images.chain import Image


@frozen
class NewData:
    """What the data of a volume to be made are like. The parent is named with its format."""

    format: VolumeFormat
    allocation: Allocation
    size: int
    parent: str | None = None
    parent_format: VolumeFormat = VolumeFormat.UNKNOWN
    initial: int | None = None
    """Bytes that a thin volume on a block domain has room for at once; None is the domain's usual chunk."""


class ImageStore(ABC):
    """Images and volumes on one domain. Methods that take image and volume raise OSError as storage gives it."""

    version: int
    """The domain's: where and how the metadata of volumes are written."""

    @abstractmethod
    def path(self, image: str, volume: str) -> Path:
        """Where the data of a volume are while its image is prepared."""

    @abstractmethod
    async def all(self) -> dict[str, list[str]]:
        """Every image and the volumes seen in it; a template is seen in each image that is based on it."""

    @abstractmethod
    async def survey(self, image: str) -> Image:
        """The image with its volumes; `NoSuchImage` (268)."""

    async def everything(self) -> dict[str, Image]:
        """Every image with its volumes; one that goes meanwhile is left out."""
        found = {}
        for image in await self.all():
            with suppress(NoSuchImage):
                found[image] = await self.survey(image)
        return found

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
    async def create_data(self, image: str, volume: str, data: NewData) -> int:
        """Makes the data of a volume that is not known before `commit`; `VolumeExists` (212), `ProgramFailed`.

        Answers the capacity in bytes: more than was asked for where raw space comes in larger steps.
        """

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
    async def lease_of(self, image: str, volume: str) -> tuple[Path, int] | None:
        """Where the lease of a volume is, file and offset; None where volumes have none."""

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
    def used(self, image: str, *volumes: str) -> AbstractAsyncContextManager[None]:
        """Inside, programs of this host may open the data of these volumes and of those they are based on.

        A volume that a machine of this host uses as well stays usable afterwards.
        """

    @abstractmethod
    async def reserve(self, image: str, volume: str, size: int) -> None:
        """Makes room for `size` bytes of stored data where a thin volume does not grow by itself; only the SPM may.

        Never shrinks, and nothing happens where the file system gives the room. `CannotResizeLogicalVolume` (554).
        """

    @abstractmethod
    async def trim(self, image: str, volume: str, *, leaf: bool = False) -> None:
        """Gives back room that a thin volume will not need soon; only the SPM may, while nobody uses the volume.

        A `leaf` is going to be one: it keeps room for what a guest writes, as one that is one already does.
        """

    @abstractmethod
    async def refresh(self, image: str, volume: str) -> None:
        """Sees what another host changed about the room of a volume that is used here."""

    @abstractmethod
    async def grow(self, image: str, volume: str, size: int) -> int:
        """Raises the size of raw data; answers the size they have then."""

    @abstractmethod
    async def rename(self, image: str, volume: str, name: str) -> None:
        """Gives a volume's data, metadata and lease another name."""

    @abstractmethod
    async def remove(self, image: str, volume: str, *, zero: bool = False, discard: bool = False) -> None:
        """Removes what there is of a volume. `zero` wipes its blocks first, `discard` gives them back, if it has any.

        A volume of another image, such as a template, only goes out of this one.
        """

    async def hide(self, image: str, *, zero: bool) -> bool:
        """Takes the image out of sight where deleting it takes long; False where `delete` is quick enough."""
        return False

    @abstractmethod
    async def delete(self, image: str, *, zero: bool = False, discard: bool = False) -> None:
        """Takes the image out of sight in one step, then removes it; also one that is out of sight already."""

    async def clear_slot(self, slot: int) -> None:
        """Empties a metadata slot, for journals that name one; files have none."""
        return

    async def renew_lease(self, volume: str) -> None:
        """Writes a free lease for a volume whose lease was renamed, for journals that name one; files take it along."""
        return

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

    async def let_go(self, image: str, volumes: Sequence[str]) -> None:  # noqa: B027
        """The machine that the image is open for uses these volumes of it no more."""
