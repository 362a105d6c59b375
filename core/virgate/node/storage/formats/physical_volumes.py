"""Keys `PV<n>` of a block domain: which extents each physical volume holds (spec storage-format 2.3).

Written in every version, needed only to find the metadata slots of version 0.
"""

import re
from collections.abc import Iterable, Mapping

from attrs import evolve, frozen

from virgate.node.storage.formats.errors import InvalidMetadata

_KEY = re.compile(r"PV(\d+)")

FIRST_SLOT = 4
"""The text of a domain of version 0 takes the room of those before it."""


@frozen
class PhysicalVolume:
    """`guid` is the device's base name, `uuid` LVM's own; extents are counted through all volumes in number order."""

    guid: str
    uuid: str
    extents: int
    first: int = 0


def encode(volumes: Mapping[int, PhysicalVolume]) -> dict[str, str]:
    """Number -> volume as metadata keys."""
    return {
        f"PV{number}": f"pv:{pv.guid},uuid:{pv.uuid},pestart:0,pecount:{pv.extents},mapoffset:{pv.first}"
        for number, pv in volumes.items()
    }


def decode(values: Mapping[str, str]) -> dict[int, PhysicalVolume]:
    """All `PV<n>` keys among a domain's metadata."""
    found = {}
    for key in values:
        if match := _KEY.fullmatch(key):
            found[int(match[1])] = _decode_one(key, values[key])
    return dict(sorted(found.items()))


def refresh(old: Mapping[int, PhysicalVolume], present: Iterable[PhysicalVolume]) -> dict[int, PhysicalVolume]:
    """The map after an extend, resize or reduce: known volumes keep their number, new ones get the next ones.

    The first of `present` must be the one that holds LV `metadata` when there is no old map.
    """
    numbers = {pv.uuid: number for number, pv in old.items()}
    numbered: dict[int, PhysicalVolume] = {}
    following = len(old)
    for pv in present:
        if pv.uuid in numbers:
            numbered[numbers[pv.uuid]] = pv
        else:
            while following in old:  # one before it was taken out: its number is the next one's
                following += 1
            numbered[following] = pv
            following += 1
    placed, first = {}, 0
    for number in sorted(numbered):
        placed[number] = evolve(numbered[number], first=first)
        first += numbered[number].extents
    return placed


def slot(volumes: Mapping[int, PhysicalVolume], uuid: str, device: str, extent: int) -> int | None:
    """The metadata slot, in version 0, of a logical volume that begins at an extent of a device.

    The device is known by LVM's id of it, or by its name where that is not known. None when the map has no such place,
    or when the text of the domain's metadata is there.
    """
    known = [pv for pv in volumes.values() if pv.uuid == uuid] if uuid else []
    for pv in known or [pv for pv in volumes.values() if pv.guid == device.rpartition("/")[2]]:
        if 0 <= extent < pv.extents and pv.first + extent >= FIRST_SLOT:
            return pv.first + extent
    return None


def _decode_one(key: str, text: str) -> PhysicalVolume:
    fields = dict(part.split(":", 1) for part in text.split(",") if ":" in part)
    try:
        return PhysicalVolume(fields["pv"], fields["uuid"], int(fields["pecount"]), int(fields["mapoffset"]))
    except (KeyError, ValueError):
        raise InvalidMetadata(key, text) from None
