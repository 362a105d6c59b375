"""The volumes of a block domain as tags and metadata slots tell them (spec storage-format 2.4, 2.5)."""

import math
from collections.abc import Callable, Iterable, Mapping

from attrs import define

from virgate.errors import VirgateError
from virgate.node.storage.block import tags
from virgate.node.storage.block.slots import Slots
from virgate.node.storage.block.tags import Entry
from virgate.node.storage.errors import NoSuchImage
from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.errors import InvalidMetadata
from virgate.node.storage.formats.volume_metadata import VolumeMetadata
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.lvm.lvm import Lvm
from virgate.run.fence import admitted


@define(eq=False)
class Catalog:
    """Reads; nothing here changes storage.

    Who works for the SPM is told what is remembered of the group: nobody else changes it in his term. Others, who may
    be on any host, are told what is read now. `term` answers the present term when this host is the SPM,
    `values` the domain's metadata.
    """

    group: str
    lvm: Lvm
    slots: Slots
    term: Callable[[], object | None] = lambda: None
    values: Callable[[], Mapping[str, str]] = dict
    _trusted: object | None = None

    def epoch(self) -> object | None:
        """The same object as long as no other host can have changed the group; raises once the term is over."""
        return admitted() or self.term()

    async def entries(self, *, fresh: bool = False) -> dict[str, Entry]:
        """Image volumes of every kind, by name; one `lvs` process, or none."""
        epoch = self.epoch()
        known = epoch is not None and epoch is self._trusted  # what was read in this term, not before
        found = await self.lvm.volumes(self.group, fresh=fresh or not known, age=math.inf)
        self._trusted = epoch
        if self.slots.version:
            return tags.entries(found)
        from virgate.node.storage.block import first_version

        return await first_version.entries(self.lvm, self.group, self.values(), found)

    async def survey(self, image: str) -> Image:
        """`NoSuchImage` (268)."""
        found = await self.entries()
        own = tags.of_image(found, image)
        if not own:
            raise NoSuchImage(image, self.group)
        return (await self._surveyed(found, {image: own}))[image]

    async def everything(self) -> dict[str, Image]:
        """Every image, with one `lvs` and one call of the helper however many volumes there are."""
        found = await self.entries()
        return await self._surveyed(found, tags.by_image(found))

    async def parents(self) -> dict[str, str]:
        """The parent of each volume whose metadata can be read: what they say wins over the tag."""
        found = await self.entries()
        read = await self._told(found, (entry for entry in found.values() if entry.known))
        return {name: told.parent for name, told in read.items() if isinstance(told, VolumeMetadata)}

    async def _surveyed(self, found: dict[str, Entry], images: dict[str, list[Entry]]) -> dict[str, Image]:
        known = {entry.name: entry for own in images.values() for entry in own}
        likely = [found[entry.parent] for entry in known.values() if entry.parent in found and entry.parent]
        told = await self._told(found, {entry.name: entry for entry in (*known.values(), *likely)}.values())
        parents = {meta.parent for meta in told.values() if isinstance(meta, VolumeMetadata)}
        if late := [found[name] for name in parents - set(told) if name in found]:
            told |= await self._told(found, late)  # a merge on another host wrote the parent and no tag
        whole = {}
        for image, own in images.items():
            members = {entry.name: entry for entry in own}
            for entry in own:
                metadata = told[entry.name]
                parent = found.get(metadata.parent) if isinstance(metadata, VolumeMetadata) else None
                if parent is not None and parent.known:
                    members[parent.name] = parent
            volumes = {name: Volume(name, told[name], entry.size, entry.size) for name, entry in members.items()}
            whole[image] = Image(self.group, image, volumes)
        return whole

    async def _told(self, found: dict[str, Entry], wanted: Iterable[Entry]) -> dict[str, VolumeMetadata | VirgateError]:
        """The metadata of each volume, or why they cannot be read."""
        names = [entry.name for entry in wanted]
        data = await self.slots.read(found[name] for name in names)
        return {name: _decoded(found[name], data.get(name, b"")) for name in names}


def _decoded(entry: Entry, data: bytes) -> VolumeMetadata | VirgateError:
    """A slot that still holds what a deleted volume left says nothing about this one."""
    try:
        metadata = volume_metadata.decode(data)
    except VirgateError as problem:
        return problem
    return metadata if metadata.image == entry.image else InvalidMetadata("IMAGE", metadata.image)
