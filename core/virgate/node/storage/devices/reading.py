"""Sense made of what was read from the kernel: which disks are one device, what it is called, who uses it. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from virgate.node.storage.devices.values import Device, DevicePath, Session
from virgate.node.storage.operations.disks import unclaimed

SECTOR = 512
"""Unit of sizes in sysfs, whatever the disk's own sector is."""
ALIVE = ("running", "blocked", "created-blocked")
"""States of a SCSI disk; a blocked one waits for its transport to come back."""
_GUID = re.compile(r"[A-Za-z0-9_.:+@=-]{1,256}", re.ASCII)
_DOMAIN = re.compile(r"(?:[a-f0-9]{8}--(?:[a-f0-9]{4}--){3}[a-f0-9]{12})-", re.ASCII)
"""How the device mapper's name of a volume begins whose group is named by a UUID, as domains are."""
_KINDS = {"naa": "3", "eui": "2", "t10": "1"}
_STATE = re.compile(r"(\d+:\d+) ([AF]) ")


def is_guid(text: object) -> bool:
    """Could it be a device's id? Whether there is such a device is another question."""
    return isinstance(text, str) and _GUID.fullmatch(text) is not None and text.strip(".") != ""


def devices(found: Mapping[str, Any], states: Mapping[str, Mapping[str, bool]] | None = None) -> tuple[Device, ...]:
    """Every usable device, by id. `states`: what multipath thinks of the paths (major:minor) of its maps by name."""
    sessions = {name: session(told) for name, told in found["sessions"].items()}
    disks = {disk["name"]: disk for disk in found["disks"]}
    used = frozenset(found["used"])
    made: dict[str, Device] = {}
    taken: set[str] = set()
    for one in found["maps"]:
        taken.update(one["slaves"])
        members = [disks[name] for name in one["slaves"] if name in disks]
        guid = one["uuid"].removeprefix("mpath-")
        if members and one["sectors"] and is_guid(guid):
            paths = [_path(disk, sessions, (states or {}).get(one["map"], {})) for disk in members]
            made[guid] = _device(guid, one, members, paths, used, mapped=True)
    late = set(unclaimed(dict(found)))
    alone: dict[str, list[Mapping[str, Any]]] = {}
    for name, disk in disks.items():
        if name not in taken | late and disk["sectors"] and is_guid(identity(disk)):
            alone.setdefault(identity(disk), []).append(disk)
    for guid, members in alone.items():
        if guid not in made:
            paths = [_path(disk, sessions, {}) for disk in members]
            leading = next((disk for disk, path in zip(members, paths, strict=True) if path.active), members[0])
            made[guid] = _device(guid, leading, members, paths, used, mapped=False)
    return tuple(made[guid] for guid in sorted(made))


def identity(disk: Mapping[str, Any]) -> str:
    """The world-wide name as udev and multipath spell it; empty if the disk has none."""
    if known := disk["udev"].get("ID_SERIAL"):
        return str(known)
    kind, _, name = disk["wwid"].partition(".")
    return _KINDS[kind] + "_".join(name.split()) if kind in _KINDS and name else ""


def outgrown(found: Mapping[str, Any]) -> list[str]:
    """Maps all of whose disks have become larger than they are; multipath must be told."""
    sizes = {disk["name"]: disk["sectors"] for disk in found["disks"]}
    return [
        one["map"]
        for one in found["maps"]
        if one["slaves"] and all(sizes.get(name, 0) > one["sectors"] > 0 for name in one["slaves"])
    ]


def session(told: Mapping[str, str]) -> Session:
    return Session(
        iqn=told["targetname"],
        host=told["persistent_address"] or told["address"],
        port=told["persistent_port"] or told["port"],
        tpgt=told["tpgt"],
        iface=told["ifacename"] or "default",
        user=told["username"],
        state=told["state"],
    )


def map_states(status: str) -> dict[str, dict[str, bool]]:
    """Which paths of which map are usable, from `dmsetup status --target multipath`."""
    found = {}
    for line in status.splitlines():
        name, colon, rest = line.partition(": ")
        if colon and " multipath " in rest:
            found[name] = {number: state == "A" for number, state in _STATE.findall(rest + " ")}
    return found


def _path(disk: Mapping[str, Any], sessions: Mapping[str, Session], states: Mapping[str, bool]) -> DevicePath:
    used = sessions.get(disk["session"])
    alive = disk["state"] in ALIVE and (used is None or used.up)
    return DevicePath(
        name=disk["name"],
        number=disk["number"],
        size=disk["sectors"] * SECTOR,
        lun=disk["address"].rpartition(":")[2],
        active=states.get(disk["number"], alive),
        session=used,
    )


def _device(
    guid: str,
    block: Mapping[str, Any],
    members: Sequence[Mapping[str, Any]],
    paths: Sequence[DevicePath],
    used: frozenset[str],
    *,
    mapped: bool,
) -> Device:
    """`block` is what is opened: the map, or the disk of a path that works."""
    disk = members[0]
    links = [f"/dev/{link}" for one in (block, *members) for link in one["links"]]
    names = [f"/dev/{one['name']}" for one in (block, *members)]
    if mapped:
        path = f"/dev/mapper/{block['map']}"
    else:
        named = f"/dev/disk/by-id/scsi-{guid}"
        path = named if named in links and len(members) == 1 else names[0]
    return Device(
        guid=guid,
        path=path,
        size=block["sectors"] * SECTOR,
        vendor=_clean(disk["vendor"]),
        product=_clean(disk["model"]),
        serial=_clean(_serial(disk)),
        firmware=_clean(disk["revision"]),
        logical_block=block["logical"],
        physical_block=block["physical"],
        paths=tuple(sorted(paths, key=lambda path: path.name)),
        multipath=mapped,
        foreign=any(_foreign(one, used) for one in (block, *members)),
        aliases=frozenset([path, *links, *names]),
    )


def _clean(text: str) -> str:
    """What a disk says of itself goes to clients as XML."""
    return "".join(sign if sign.isprintable() else "?" for sign in text.strip())


def _serial(disk: Mapping[str, Any]) -> str:
    """As udev's scsi_id writes it: S, the padded vendor and product, the unit's serial number, blanks joined."""
    text = f"S{disk['vendor']:8}{disk['model']:16}{disk['serial']}" if disk["serial"] else ""
    return "_".join(text.split())


def _foreign(block: Mapping[str, Any], used: frozenset[str]) -> bool:
    if block["partitions"] or block["number"] in used or block["name"] in used:
        return True
    return any(
        not (holder.startswith("mpath-") or (holder.startswith("LVM-") and _DOMAIN.match(name)))
        for holder, name in zip(block["holders"], block["holder_names"], strict=True)
    )
