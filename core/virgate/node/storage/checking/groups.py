"""Whether the volume group of a block domain has what belongs there and nothing else (spec storage-format 2)."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from virgate.node.storage.block.tags import Entry
from virgate.node.storage.checking.findings import Finding, error, note, warning
from virgate.node.storage.checking.trees import SPM_CLEANS, Shape
from virgate.node.storage.formats import layout
from virgate.node.storage.lvm.reports import LogicalVolume, VolumeGroup
from virgate.units import MiB

NEWEST = 5
"""Its special volumes may be in older domains, too: an upgrade that did not end, and is done again, made them."""
SCARCE = 20
"""Per cent of a group's metadata area below which new volumes may soon be impossible."""
MANAGER_REPAIRS = "nothing: metadata count, and the SPM repairs the tag when it changes the volume"


def examine(
    group: VolumeGroup, volumes: Mapping[str, LogicalVolume], shape: Shape, found: Mapping[str, Entry]
) -> Iterator[Finding]:
    """The group itself, its special volumes, and the tags of all others, which are `found`."""
    yield from _health(group)
    yield from _special(volumes, shape)
    special = layout.special_volumes_mib(NEWEST, shape.alignment)
    for name in sorted(set(volumes) - set(found) - set(special)):
        yield warning(name, "it has no tags: it belongs to no image", "remove it with lvremove if nobody needs it")
    for entry in found.values():
        yield from _entry(entry)
    yield from _slots(found, shape.version)


def examine_parents(found: Collection[Entry], parents: Mapping[str, str]) -> Iterator[Finding]:
    """`parents` holds what the metadata of each volume say."""
    for entry in found:
        said = parents.get(entry.name, entry.parent)
        if entry.known and said != entry.parent:
            what = f"its tag says that it is based on {entry.parent}, its metadata say {said}"
            yield note(f"{entry.image}/{entry.name}", what, MANAGER_REPAIRS)


def _health(group: VolumeGroup) -> Iterator[Finding]:
    if group.partial:
        yield error("volume group", "a device of it is missing", "bring the device back; see getVGInfo")
    if group.attr[2:3] == "x":
        yield error("volume group", "it is exported", "vgimport it")
    if group.attr[:1] == "r":
        yield warning("volume group", "it is read-only", "vgchange --permission rw")
    if group.mda_size and group.mda_free * 100 < group.mda_size * SCARCE:
        left = group.mda_free * 100 // group.mda_size
        what = f"{left} per cent of the room for its metadata are left"
        yield warning("volume group", what, "delete images, or move some to another domain")


def _special(volumes: Mapping[str, LogicalVolume], shape: Shape) -> Iterator[Finding]:
    wanted = layout.special_volumes_mib(shape.version, shape.alignment)
    for name, mib in wanted.items():
        volume = volumes.get(name)
        if volume is None:
            yield error(name, "it is missing", "restore the volume group: vgcfgrestore")
        elif volume.size < mib * MiB:
            yield error(name, f"it has {volume.size} bytes and needs {mib * MiB}", f"lvextend it to {mib} MiB")


def _entry(entry: Entry) -> Iterator[Finding]:
    place = f"{entry.image}/{entry.name}" if entry.image else entry.name
    if entry.half:
        yield warning(entry.name, "its making did not end", "remove it with lvremove if no task is running")
    elif entry.removed or entry.renamed:
        yield note(place, "a deletion did not end", SPM_CLEANS)
    else:
        for tag, value in (("MD_", entry.slot), ("PU_", entry.parent)):
            if value is None:
                yield error(place, f"it has no tag {tag}", "restore the volume group: vgcfgrestore")


def _slots(found: Mapping[str, Entry], version: int) -> Iterator[Finding]:
    users: dict[int, list[str]] = defaultdict(list)
    for entry in found.values():
        if entry.slot is not None and not entry.half:
            users[entry.slot].append(entry.name)
    for slot, names in sorted(users.items()):
        if len(names) > 1:
            said = ", ".join(sorted(names))
            yield error(f"metadata slot {slot}", f"several volumes have it: {said}", "copy their data away at once")
        last = layout.MAX_SLOT if version else slot
        if not layout.first_slot(version) <= slot <= last:
            yield error(f"{names[0]}", f"its metadata slot {slot} is none", "copy the volume to another image")
