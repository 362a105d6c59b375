"""Which disk of the machine the guest calls /dev/vdb (spec guest-agent 4.4). Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

SHOWN = 20
"""Characters of a serial that a guest gets to see of a virtio disk."""


def merged(said: Mapping[str, str], by_qemu: Mapping[str, str]) -> dict[str, str]:
    """Names by serial from both agents; QEMU's is believed where they differ."""
    return {**said, **by_qemu}


def names(devices: Iterable[Mapping[str, Any]], mapping: Mapping[str, str]) -> dict[str, str]:
    """The guest's name of each disk, by the disk's own name."""
    found = {}
    for device in devices:
        identity = str(device.get("imageID") or device.get("GUID") or device.get("serial") or "")[:SHOWN]
        if device.get("type") != "disk" or not identity:
            continue
        for serial, name in mapping.items():
            if identity in serial:
                found[str(device.get("name"))] = name
    return found


def note_names(devices: Iterable[dict[str, Any]], mapping: Mapping[str, str]) -> bool:
    """Writes the guest's names into a configuration; True if that changed it."""
    devices = list(devices)
    found, changed = names(devices, mapping), False
    for device in devices:
        name = found.get(str(device.get("name"))) if device.get("type") == "disk" else None
        if name is not None and device.get("guestName") != name:
            device["guestName"], changed = name, True
    return changed


def hashed(devices: str, mapping: Mapping[str, str]) -> str:
    """The member `hash` of the statistics: other than before when the devices' hash or the mapping is."""
    if not mapping:
        return devices
    from hashlib import md5

    return md5((devices + json.dumps(mapping, sort_keys=True)).encode(), usedforsecurity=False).hexdigest()
