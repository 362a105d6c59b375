"""Making a volume known: half made until its tags are changed in one step, the last of all (spec 2.4, 2.6)."""

from attrs import define, field

from virgate.errors import InvalidParameter
from virgate.node.storage.block import tags
from virgate.node.storage.block.activation import Activation
from virgate.node.storage.block.catalog import Catalog
from virgate.node.storage.block.slots import Slots
from virgate.node.storage.block.wiping import Wiper
from virgate.node.storage.domains.store import NewData
from virgate.node.storage.errors import CannotCreateVolume, IncorrectFormat, VolumeExists
from virgate.node.storage.formats import sizes
from virgate.node.storage.formats.qcow2_empty import empty
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat, VolumeMetadata
from virgate.node.storage.images.qemu_img import NAMES, compat
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.values import Files
from virgate.units import Size

PAGE = 4096


@define(eq=False)
class Creation:
    """Only on the SPM. Metadata and lease are written before the tags tell of the volume: what a crash leaves is
    either half made, and garbage, or whole."""

    group: str
    lvm: Lvm
    files: Files
    catalog: Catalog
    slots: Slots
    activation: Activation
    wiper: Wiper
    chunk: Size = sizes.CHUNK
    _making: dict[str, str] = field(factory=dict)
    """The image of each volume that is being made by this daemon."""

    def is_making(self, volume: str, besides: str = "") -> bool:
        """Whether the half made volume is somebody's, another image's than `besides`."""
        return self._making.get(volume, besides) != besides

    def forget(self, volume: str) -> None:
        self._making.pop(volume, None)

    async def data(self, image: str, volume: str, data: NewData) -> int:
        """See `ImageStore.create_data`."""
        room = self._room(volume, data)
        await self.activation.settle()
        found = await self.catalog.entries()
        if volume in found and (not found[volume].half or volume in self._making):
            raise VolumeExists(volume)
        if volume in await self.lvm.volumes(self.group):
            if volume not in found:  # a special volume
                raise VolumeExists(volume)
            await self.lvm.remove(self.group, volume)
        self._making[volume] = image
        raw = data.format is VolumeFormat.RAW
        made = await self.lvm.create(self.group, volume, sizes.in_mib(room), [tags.INITIALIZING], zero=raw)
        path = self.lvm.path(self.group, volume)
        if raw:
            if made.size > data.size:  # a copy is what was copied and zeros, not what somebody else left there
                await self.wiper.zero(path, made.size, data.size // PAGE * PAGE)
            return max(data.size, made.size)
        await self.files.call("write_blocks", str(path), 0, self._empty(volume, data))
        return data.size

    def _room(self, volume: str, data: NewData) -> Size:
        if data.format is VolumeFormat.RAW and data.allocation is not Allocation.PREALLOCATED:
            raise IncorrectFormat(f"{data.format.name} and {data.allocation.name} on a block domain")
        initial = None if data.initial is None else Size(data.initial)
        try:
            room = sizes.first_size(Size(data.size), data.format, data.allocation, initial, self.chunk)
        except InvalidParameter as problem:
            raise CannotCreateVolume(volume, str(problem)) from problem
        return max(room, sizes.EXTENT)

    def _empty(self, volume: str, data: NewData) -> bytes:
        """A qcow2 file as far as it is not what happens to lie on the device."""
        try:
            made = empty(data.size, compat(self.slots.version), data.parent or "", NAMES.get(data.parent_format, ""))
        except InvalidParameter as problem:
            raise CannotCreateVolume(volume, f"qcow2 cannot hold it: {problem}") from problem
        content = bytearray(-(-made.length // PAGE) * PAGE)
        for offset, piece in made.pieces:
            content[offset : offset + len(piece)] = piece
        return bytes(content)

    async def commit(self, image: str, volume: str, metadata: VolumeMetadata) -> bool:
        """Makes a half made volume known; False if it is no half made one."""
        found = await self.catalog.entries()
        if volume not in found or not found[volume].half:
            return False
        if found[volume].active:
            await self.files.call("flush_data", str(self.lvm.path(self.group, volume)))
        slot = self.slots.reserve(found, volume)
        try:
            await self.slots.enroll(slot, volume, metadata)
            add = tags.member(slot, metadata.parent, image)
            await self.lvm.change_tags(self.group, volume, delete=[tags.INITIALIZING], add=add)
        finally:
            self.slots.release(volume)
        self.forget(volume)
        await self.activation.rest_soon(volume)
        return True

    async def rename(self, image: str, volume: str, name: str) -> None:
        """Nothing happens if there is no such volume; what was half made stays it."""
        entry = (await self.catalog.entries()).get(volume)
        if entry is None:
            return
        await self.lvm.rename(self.group, volume, name)
        if volume in self._making:
            self._making[name] = self._making.pop(volume)
        await self.activation.forget(entry.image or image, volume)
