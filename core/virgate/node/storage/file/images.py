"""Images of a file domain: a folder per image; a volume is its data, `.meta` and perhaps `.lease` (spec 1.4)."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from virgate.errors import InvalidParameter
from virgate.node.storage.domains.store import ImageStore, NewData
from virgate.node.storage.errors import CannotCreateVolume, NoSuchImage, VolumeExists
from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.qcow2_empty import EmptyFile, empty
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat, VolumeMetadata, VolumeRole
from virgate.node.storage.images.chain import Image
from virgate.node.storage.images.qemu_img import NAMES, QemuImg, compat
from virgate.node.storage.repository import Repository, part
from virgate.node.storage.values import Files

PAGE = 4096


def no_lease(name: str) -> bytes:
    """What lies in the lease of a volume that has none."""
    return b""


class FileImages(ImageStore):
    """`lease` is the size of a volume's lease file, None where volumes have none; `fresh` makes what it begins with."""

    def __init__(
        self,
        domain: str,
        folder: Path,
        files: Files,
        repository: Repository,
        qemu: QemuImg,
        *,
        version: int,
        lease: int | None = None,
        fresh: Callable[[str], bytes] = no_lease,
        owner: Sequence[int] | None = None,
    ) -> None:
        self.folder = folder
        self._domain = domain
        self._files = files
        self._repository = repository
        self._qemu = qemu
        self.version = version
        self._lease = lease
        self._fresh = fresh
        self._owner = owner

    def path(self, image: str, volume: str) -> Path:
        if not volume or "/" in volume or volume.startswith("."):
            raise InvalidParameter("volume", volume)
        return self.folder / part(image) / volume

    async def all(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = await self._files.call("survey_images", str(self.folder))
        return found

    async def survey(self, image: str) -> Image:
        try:
            found = await self._files.call("survey_image", str(self.folder), part(image))
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchImage(image, self._domain) from None
        return Image.surveyed(self._domain, image, found)

    async def everything(self) -> dict[str, Image]:
        found = await self._files.call("survey_everything", str(self.folder))
        return {image: Image.surveyed(self._domain, image, volumes) for image, volumes in found.items()}

    async def starts(self, image: str, volumes: Sequence[str], length: int) -> list[bytes]:
        paths = [str(self.path(image, volume)) for volume in volumes]
        found: list[bytes] = await self._files.call("read_starts", paths, length) if paths else []
        return found

    async def images_with(self, volume: str) -> list[str]:
        found: list[str] = await self._files.call("images_with", str(self.folder), part(volume))
        return found

    async def make_image(self, image: str) -> None:
        await self._files.call("make_folders", [str(self.folder / part(image))], 0o755, self._owner)

    async def remove_empty_image(self, image: str) -> None:
        await self._files.call("remove_empty_folder", str(self.folder / part(image)))

    async def share(self, template: str, volume: str, image: str) -> None:
        await self._files.call("link_volume", str(self.path(template, volume)), str(self.path(image, volume)))

    async def create_data(self, image: str, volume: str, data: NewData) -> int:
        path, raw = self.path(image, volume), data.format is VolumeFormat.RAW
        made = None if raw else self._empty(volume, data)
        try:
            if made is None:
                await self._files.call("reserve_volume", str(path), data.size, self._owner)
            else:
                await self._files.call("reserve_volume", str(path), made.length, self._owner, made.pieces)
        except FileExistsError:
            raise VolumeExists(volume) from None
        if data.allocation is Allocation.PREALLOCATED:
            start = PAGE if made is None else -(-made.length // PAGE) * PAGE
            await self._qemu.allocate(path, start, data.size - PAGE if raw else data.size, empty=True)
        return data.size

    def _empty(self, volume: str, data: NewData) -> EmptyFile:
        try:
            return empty(data.size, compat(self.version), data.parent or "", NAMES.get(data.parent_format, ""))
        except InvalidParameter as problem:
            raise CannotCreateVolume(volume, f"qcow2 cannot hold it: {problem}") from problem

    async def commit(self, image: str, volume: str, metadata: VolumeMetadata) -> None:
        encoded = volume_metadata.encode(metadata, self.version)
        lease = None if self._lease is None else (self._fresh(volume), self._lease)
        await self._files.call("commit_volume", str(self.path(image, volume)), encoded, lease, self._owner)

    async def add_lease(self, image: str, volume: str) -> None:
        """Gives a volume of an older domain the modes and the free lease it should have, in every image it is in."""
        path = str(self.path(image, volume))
        await self._files.call("set_modes", [path], 0o660)
        await self._files.call("write_lease", path, (self._fresh(volume), self._lease or 0), self._owner)
        for other in await self.images_with(volume):
            if other != image:
                await self.share(image, volume, other)

    async def write(
        self,
        image: str,
        volume: str,
        metadata: VolumeMetadata,
        *,
        version: int | None = None,
        converting: bool = False,
    ) -> None:
        """Replacing a file breaks its hard links: those who share a template are linked again."""
        wanted = self.version if version is None else version
        encoded = volume_metadata.encode(metadata, wanted, converting=converting)
        path = self.path(metadata.image, volume)
        await self._files.call("write_file", f"{path}.meta", encoded, 0o644, self._owner)
        if metadata.role is VolumeRole.SHARED:
            for other in await self.images_with(volume):
                if other != metadata.image:
                    await self.share(metadata.image, volume, other)

    async def measure(self, image: str, volume: str) -> tuple[int, int]:
        size, allocated = await self._files.call("measure_volume", str(self.path(image, volume)))
        return size, allocated

    async def lease_of(self, image: str, volume: str) -> tuple[Path, int] | None:
        return None if self._lease is None else (Path(f"{self.path(image, volume)}.lease"), 0)

    async def read_data(self, image: str, volume: str, start: int, length: int) -> bytes:
        data: bytes = await self._files.call("read_data", str(self.path(image, volume)), start, length, True)
        return data

    async def write_data(self, image: str, volume: str, start: int, data: bytes) -> None:
        await self._files.call("write_data", str(self.path(image, volume)), start, data, True)

    async def flush(self, image: str, volume: str) -> None:
        await self._files.call("flush_data", str(self.path(image, volume)), True)

    def used(self, image: str, *volumes: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def reserve(self, image: str, volume: str, size: int) -> None:
        """A file grows while it is written."""

    async def trim(self, image: str, volume: str, *, leaf: bool = False) -> None:
        """A file has no more than was written."""

    async def refresh(self, image: str, volume: str) -> None:
        """The file system tells every host."""

    async def grow(self, image: str, volume: str, size: int) -> int:
        grown: int = await self._files.call("grow_volume", str(self.path(image, volume)), size)
        return grown

    async def rename(self, image: str, volume: str, name: str) -> None:
        """A lease says whose it is: it gets the new name first, so that a volume renamed is a volume complete."""
        if self._lease is not None and not name.startswith("_"):
            lease = (self._fresh(name), self._lease)
            await self._files.call("write_lease", str(self.path(image, volume)), lease, self._owner)
        await self._files.call("rename_volume", str(self.path(image, volume)), str(self.path(image, name)))

    async def remove(self, image: str, volume: str, *, zero: bool = False, discard: bool = False) -> None:
        await self._files.call("remove_volume", str(self.path(image, volume)), timeout=math.inf)

    async def delete(self, image: str, *, zero: bool = False, discard: bool = False) -> None:
        try:
            await self._files.call("delete_image", str(self.folder), part(image), timeout=math.inf)
        except FileNotFoundError:
            raise NoSuchImage(image, self._domain) from None

    async def collect_garbage(self, *, volumes: bool) -> None:
        await self._files.call("remove_garbage", str(self.folder), volumes, timeout=math.inf)

    async def open(self, image: str) -> Path:
        """A link in the run folder: nothing else has to happen to files."""
        link = self._repository.prepared(self._domain, image)
        await self._files.call("open_to_group", str(self.folder), part(image))
        await self._repository.link(self.folder / image, link)
        return link

    async def close(self, image: str) -> None:
        await self._repository.unlink(self._repository.prepared(self._domain, image))
