"""What the tags of a logical volume say of the volume in it (spec storage-format 2.4). Pure."""

from collections.abc import Iterable, Mapping

from attrs import frozen

from virgate.node.storage.formats.removal import REMOVED, WIPED
from virgate.node.storage.formats.volume_metadata import BLANK_UUID
from virgate.node.storage.lvm.reports import LogicalVolume

INITIALIZING = "OVIRT_VOL_INITIALIZING"
SLOT, PARENT, IMAGE = "MD_", "PU_", "IU_"


@frozen
class Entry:
    """A logical volume that belongs to an image, once did, or is being made."""

    name: str
    size: int
    active: bool
    image: str = ""
    parent: str | None = None
    slot: int | None = None
    half: bool = False
    """It is being made, or its making ended half way: it occupies no slot."""
    removed: bool = False
    """Its image was deleted; it only has to be removed."""
    zero: bool = False
    """Its data have to be wiped before that."""
    place: int | None = None
    """In version 0: the slot that its first extent has."""

    @property
    def known(self) -> bool:
        """Whether it is a volume for everybody."""
        return bool(self.image) and self.parent is not None and not (self.half or self.removed or self.renamed)

    @property
    def renamed(self) -> bool:
        """Something of a merge, to be removed when that cannot be undone any more."""
        return self.name.startswith(REMOVED)


def entries(volumes: Mapping[str, LogicalVolume]) -> dict[str, Entry]:
    """Those of a volume group that are no special ones, by name."""
    return {name: entry for name, volume in volumes.items() if (entry := _entry(volume)) is not None}


def _entry(volume: LogicalVolume) -> Entry | None:
    images, parents, slots = (_values(volume.tags, prefix) for prefix in (IMAGE, PARENT, SLOT))
    half = INITIALIZING in volume.tags
    if not (images or half):
        return None
    image = images[0] if images else ""
    zero = image.startswith(WIPED) or volume.name.startswith(WIPED)
    plain = image.removeprefix(WIPED).removeprefix(REMOVED)
    slot = int(slots[0]) if slots and slots[0].isdecimal() else None
    parent = parents[0] if parents else None
    return Entry(volume.name, volume.size, volume.active, plain, parent, slot, half, plain != image, zero)


def _values(tags: Iterable[str], prefix: str) -> list[str]:
    return sorted(tag[len(prefix) :] for tag in tags if tag.startswith(prefix))


def occupied(found: Mapping[str, Entry]) -> set[int]:
    """The metadata slots that nobody else may have."""
    return {entry.slot for entry in found.values() if entry.slot is not None and not entry.half}


def member(slot: int, parent: str, image: str) -> frozenset[str]:
    """The tags of a volume that everybody knows."""
    return frozenset((f"{SLOT}{slot}", f"{PARENT}{parent}", f"{IMAGE}{image}"))


def mark(image: str, *, zero: bool) -> str:
    """The tag of a volume whose image is deleted."""
    return f"{IMAGE}{WIPED if zero else REMOVED}{image}"


def of_image(found: Mapping[str, Entry], image: str) -> list[Entry]:
    return [entry for entry in found.values() if entry.known and entry.image == image]


def by_image(found: Mapping[str, Entry]) -> dict[str, list[Entry]]:
    """Every image with its own volumes."""
    own: dict[str, list[Entry]] = {}
    for entry in found.values():
        if entry.known:
            own.setdefault(entry.image, []).append(entry)
    return dict(sorted(own.items()))


def images(found: Mapping[str, Entry]) -> dict[str, list[str]]:
    """Every image with the volumes seen in it, a template in each image that is based on it."""
    seen: dict[str, set[str]] = {}
    for entry in found.values():
        if not entry.known:
            continue
        members = seen.setdefault(entry.image, set())
        members.add(entry.name)
        parent = found.get(entry.parent or BLANK_UUID)
        if parent is not None and parent.known:
            members.add(parent.name)
    return {image: sorted(members) for image, members in sorted(seen.items())}
