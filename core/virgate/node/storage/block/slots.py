"""Where the metadata and the leases of a block domain's volumes lie (spec storage-format 2.5, 5.3)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define, field

from virgate.node.storage.block import tags
from virgate.node.storage.block.tags import Entry
from virgate.node.storage.errors import CannotCreateVolume
from virgate.node.storage.formats import layout, volume_metadata
from virgate.node.storage.formats.volume_metadata import VolumeMetadata
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.values import Files

METADATA, LEASES = "metadata", "leases"


@define(eq=False)
class Slots:
    """The special volumes `metadata` and `leases` of one domain; `alignment` is None where volumes have no leases."""

    group: str
    lvm: Lvm
    files: Files
    version: int
    alignment: int | None = None
    fresh: Callable[[str], bytes] = lambda name: b""
    _reserved: dict[str, int] = field(factory=dict)
    """By the name of a volume that is just being made known."""

    async def read(self, entries: Iterable[Entry]) -> dict[str, bytes]:
        """What each volume's slot holds, all at once; nothing for one whose tags name no slot."""
        wanted = [entry for entry in entries if entry.slot is not None]
        offsets = [layout.metadata_offset(entry.slot or 0, self.version) for entry in wanted]
        data: list[bytes] = await self._call("read_slots", self._path(METADATA), offsets) if offsets else []
        return {entry.name: found for entry, found in zip(wanted, data, strict=True)}

    async def write(self, slot: int, metadata: VolumeMetadata, version: int | None = None) -> None:
        """`version` is the form, and with it the place, that an upgrade asks for."""
        wanted = self.version if version is None else version
        await self.write_bytes(slot, volume_metadata.encode_slot(metadata, wanted), wanted)

    async def write_bytes(self, slot: int, data: bytes, version: int | None = None) -> None:
        offset = layout.metadata_offset(slot, self.version if version is None else version)
        await self._call("write_slot", self._path(METADATA), offset, data)

    async def clear(self, slot: int) -> None:
        """Nobody takes what was in the slot for metadata any more."""
        await self.write_bytes(slot, volume_metadata.CLEARED[: layout.SLOT_TEXT])

    async def enroll(self, slot: int, name: str, metadata: VolumeMetadata) -> None:
        """Writes what a volume needs before its tags may say that it is there."""
        lease = b"" if self.alignment is None else self.fresh(name)
        await self._call(
            "enroll_volume",
            self._path(METADATA),
            layout.metadata_offset(slot, self.version),
            volume_metadata.encode_slot(metadata, self.version),
            self._path(LEASES),
            layout.lease_offset(slot, self.alignment or 0),
            lease,
            (self.alignment or 0) if lease else 0,
        )

    async def renew_lease(self, slot: int, name: str) -> None:
        """A free lease in the place of whatever is there."""
        if self.alignment is not None and (lease := self.fresh(name)):
            place = layout.lease_offset(slot, self.alignment)
            await self._call("write_blocks", self._path(LEASES), place, lease.ljust(self.alignment, b"\0"))

    def reserve(self, found: dict[str, Entry], name: str) -> int:
        """A slot that no other volume gets until `release`. `CannotCreateVolume` (205) when all are taken."""
        if name not in self._reserved:
            taken = tags.occupied(found) | set(self._reserved.values())
            slot = layout.free_slot(taken, self.version) if self.version else found[name].place
            if slot is None and self.version:
                raise CannotCreateVolume(name, f"all {layout.MAX_SLOT} metadata slots of {self.group} are taken")
            if slot is None or slot in taken:
                raise CannotCreateVolume(name, f"the metadata slot that its place gives it ({slot}) is none or taken")
            self._reserved[name] = slot
        return self._reserved[name]

    def release(self, name: str) -> None:
        self._reserved.pop(name, None)

    def _path(self, name: str) -> str:
        return str(self.lvm.path(self.group, name))

    async def _call(self, operation: str, *arguments: Any) -> Any:
        try:
            return await self.files.call(operation, *arguments)
        except FileNotFoundError:  # nobody used the domain since this host started
            await self.lvm.activate(self.group, *self._special())
            return await self.files.call(operation, *arguments)

    def _special(self) -> Sequence[str]:
        return (METADATA,) if self.alignment is None else (METADATA, LEASES)
