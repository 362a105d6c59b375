"""Images of a block domain: a volume is a logical volume with tags, a metadata slot and a lease (spec 2.4 to 2.8)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from virgate.errors import InvalidParameter
from virgate.node.storage.block import tags
from virgate.node.storage.block.activation import Activation
from virgate.node.storage.block.catalog import Catalog
from virgate.node.storage.block.creation import Creation
from virgate.node.storage.block.removing import Removing
from virgate.node.storage.block.slots import Slots
from virgate.node.storage.block.tags import Entry
from virgate.node.storage.block.wiping import Wiper
from virgate.node.storage.domains.store import ImageStore, NewData
from virgate.node.storage.errors import VolumeDoesNotExist
from virgate.node.storage.formats import layout, sizes
from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat, VolumeMetadata, VolumeRole
from virgate.node.storage.images.chain import Image
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.repository import Repository, part
from virgate.node.storage.values import Files
from virgate.units import Size


class BlockImages(ImageStore):
    """Only the SPM changes the volume group; every host may activate, refresh and write metadata slots.

    `lease` is the alignment of volume leases, None where volumes have none; `fresh` makes the bytes of one; `term` and
    `values` are those of `Catalog`.
    """

    def __init__(
        self,
        domain: str,
        lvm: Lvm,
        files: Files,
        repository: Repository,
        qemu: QemuImg,
        *,
        version: int,
        lease: int | None = None,
        owner: Sequence[int] | None = None,
        fresh: Callable[[str], bytes] = lambda name: b"",
        term: Callable[[], object | None] = lambda: None,
        chunk: Size = sizes.CHUNK,
        wiper: Wiper | None = None,
        pause: float = 0.0,
        values: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._domain, self._lvm, self._files, self._qemu, self._chunk = domain, lvm, files, qemu, chunk
        self._slots = Slots(domain, lvm, files, version, lease, fresh)
        self._catalog = Catalog(domain, lvm, self._slots, term, values)
        self.activation = Activation(domain, lvm, files, repository, owner, pause)
        wiper = wiper or Wiper()
        self._creation = Creation(domain, lvm, files, self._catalog, self._slots, self.activation, wiper, chunk)
        self.removing = Removing(domain, lvm, self._catalog, self._creation, self.activation, wiper)

    @property
    def version(self) -> int:
        """Where the slots are, and what is written into them."""
        return self._slots.version

    @version.setter
    def version(self, version: int) -> None:
        self._slots.version = version

    # what there is

    def path(self, image: str, volume: str) -> Path:
        if not volume or "/" in volume or volume.startswith("."):
            raise InvalidParameter("volume", volume)
        return self.activation.folder(image) / volume

    async def all(self) -> dict[str, list[str]]:
        return tags.images(await self._catalog.entries())

    async def survey(self, image: str) -> Image:
        return await self._catalog.survey(part(image))

    async def everything(self) -> dict[str, Image]:
        return await self._catalog.everything()

    async def images_with(self, volume: str) -> list[str]:
        """By tags and by metadata: a merge on another host may have written only the one."""
        found = await self._catalog.entries()
        if volume not in found or not found[volume].known:
            return []
        parents = await self._catalog.parents()
        based = {entry.image for entry in found.values() if entry.known and entry.parent == volume}
        based |= {found[name].image for name, parent in parents.items() if parent == volume}
        own = found[volume].image
        return [own, *sorted(based - {own})]

    async def starts(self, image: str, volumes: Sequence[str], length: int) -> list[bytes]:
        if not volumes:
            return []
        async with self.used(image, *volumes):
            found: list[bytes] = await self._files.call("read_device_starts", [*map(self._device, volumes)], length)
        return found

    async def measure(self, image: str, volume: str) -> tuple[int, int]:
        """The size of the logical volume, twice."""
        size = (await self._entry(volume)).size
        return size, size

    async def lease_of(self, image: str, volume: str) -> tuple[Path, int] | None:
        slot, alignment = (await self._entry(volume)).slot, self._slots.alignment
        if slot is None or alignment is None:
            return None
        return self._lvm.path(self._domain, "leases"), layout.lease_offset(slot, alignment)

    async def parents(self) -> dict[str, str]:
        """What the metadata of each volume say that it is based on."""
        return await self._catalog.parents()

    # making and changing

    async def make_image(self, image: str) -> None:
        """An image is there when a volume is."""

    async def remove_empty_image(self, image: str) -> None:
        """An image without volumes is not there."""

    async def share(self, template: str, volume: str, image: str) -> None:
        """A template is seen in every image whose volumes are based on it."""

    async def create_data(self, image: str, volume: str, data: NewData) -> int:
        return await self._creation.data(part(image), volume, data)

    async def commit(self, image: str, volume: str, metadata: VolumeMetadata) -> None:
        if not await self._creation.commit(part(image), volume, metadata):
            if (await self._entry(volume)).active:
                await self.flush(image, volume)
            await self.write(image, volume, metadata)

    async def write(
        self,
        image: str,
        volume: str,
        metadata: VolumeMetadata,
        *,
        version: int | None = None,
        converting: bool = False,
    ) -> None:
        """The slot first, which counts; then the tag, unless the volume is on its way out.

        What is converted goes to the place of the newer form; the old one stays as it is until then.
        """
        entry = await self._entry(volume)
        if entry.slot is None:
            raise VolumeDoesNotExist(volume)
        await self._slots.write(entry.slot, metadata, 5 if converting else version)
        leaving = metadata.legality is Legality.ILLEGAL
        if metadata.parent != entry.parent and not leaving and self._catalog.epoch() is not None:
            delete, add = [f"{tags.PARENT}{entry.parent}"], [f"{tags.PARENT}{metadata.parent}"]
            await self._lvm.change_tags(self._domain, volume, delete=delete, add=add)

    async def clear_slot(self, slot: int) -> None:
        await self._slots.clear(slot)

    async def renew_lease(self, volume: str) -> None:
        slot = (await self._entry(volume)).slot
        if slot is not None:
            await self._slots.renew_lease(slot, volume)

    async def rename(self, image: str, volume: str, name: str) -> None:
        await self._creation.rename(image, volume, name)

    async def remove(self, image: str, volume: str, *, zero: bool = False, discard: bool = False) -> None:
        await self.removing.volume(image, volume, zero=zero, discard=discard)

    async def hide(self, image: str, *, zero: bool) -> bool:
        await self.removing.hide(part(image), zero=zero)
        return True

    async def delete(self, image: str, *, zero: bool = False, discard: bool = False) -> None:
        await self.removing.image(part(image), zero=zero, discard=discard)

    async def collect_garbage(self, *, volumes: bool) -> None:
        await self.removing.garbage(volumes=volumes)

    # data

    async def read_data(self, image: str, volume: str, start: int, length: int) -> bytes:
        data: bytes = await self._files.call("read_data", self._device(volume), start, length)
        return data

    async def write_data(self, image: str, volume: str, start: int, data: bytes) -> None:
        await self._files.call("write_data", self._device(volume), start, data)

    async def flush(self, image: str, volume: str) -> None:
        await self._files.call("flush_data", self._device(volume))

    # activation

    @asynccontextmanager
    async def used(self, image: str, *volumes: str) -> AsyncIterator[None]:
        names = await self._with_parents(part(image), volumes)
        async with self.activation.used(image, names):
            yield

    async def open(self, image: str) -> Path:
        return await self.activation.open(image, sorted((await self.survey(image)).volumes))

    async def close(self, image: str) -> None:
        found = await self._catalog.entries()
        await self.activation.close(image, [entry.name for entry in found.values() if entry.image == part(image)])

    async def let_go(self, image: str, volumes: Sequence[str]) -> None:
        await self.activation.let_go(part(image), volumes)

    async def _with_parents(self, image: str, volumes: Sequence[str]) -> list[str]:
        """The volumes and all that they are based on; one that is being made is not based on anything yet."""
        found = await self._catalog.entries()
        wanted = set(volumes)
        if any(name in found and found[name].known for name in volumes):
            survey = await self.survey(image)
            for name in volumes:
                wanted |= _below(survey, name)
        for name in wanted:
            if name not in found:
                raise VolumeDoesNotExist(name)
        return sorted(wanted)

    # room

    async def reserve(self, image: str, volume: str, size: int) -> None:
        if (await self._entry(volume)).size < size:
            await self._lvm.extend(self._domain, volume, sizes.in_mib(Size(size)))

    async def trim(self, image: str, volume: str, *, leaf: bool = False) -> None:
        """Never below what is stored, whatever the largest size of a thin volume is."""
        metadata = (await self.survey(image)).volume(volume).metadata
        if metadata.format is not VolumeFormat.COW or metadata.allocation.name == "PREALLOCATED":
            return
        async with self.used(image, volume):
            used = Size(await self._qemu.end(self.path(image, volume)))
            leaf = leaf or metadata.role is VolumeRole.LEAF
            wanted = sizes.optimal_cow(metadata.capacity, used, leaf=leaf, chunk=self._chunk)
            await self._lvm.reduce(self._domain, volume, sizes.in_mib(max(wanted, used.up_to(sizes.EXTENT))))

    async def refresh(self, image: str, volume: str) -> None:
        """Whether it is active here, nobody else can have changed: one `lvs` less for a guest that waits."""
        known = await self._lvm.volumes(self._domain)
        if volume not in known:
            known = await self._lvm.volumes(self._domain, fresh=True)
        if volume in known and known[volume].active:
            await self._lvm.refresh(self._domain, volume)
        self._lvm.invalidate(self._domain)

    async def grow(self, image: str, volume: str, size: int) -> int:
        entry = await self._entry(volume)
        if entry.size >= size:
            return entry.size
        return await self._lvm.extend(self._domain, volume, sizes.in_mib(Size(size)))

    async def _entry(self, volume: str) -> Entry:
        found = await self._catalog.entries()
        if volume not in found:
            raise VolumeDoesNotExist(volume)
        return found[volume]

    def _device(self, volume: str) -> str:
        return str(self._lvm.path(self._domain, volume))


def _below(survey: Image, volume: str) -> set[str]:
    """What a volume is based on, as far as that can be told: whether the chain is whole is somebody else's question."""
    found: set[str] = set()
    while volume in survey.volumes and volume not in found:
        found.add(volume)
        known = survey.volumes[volume]
        volume = known.metadata.parent if known.readable else ""
    return found
