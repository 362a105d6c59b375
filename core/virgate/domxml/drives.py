"""Disks of a device list: which target each gets, what storage must prepare, what files a payload carries."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from virgate.domxml.errors import CannotCreate
from virgate.domxml.facts import DiskRequest, PayloadRequest
from virgate.domxml.names import disk_name, first_free, prefix
from virgate.domxml.values import Conf, flag, integer, safe_component, safe_path, struct, text

SHARED = {"true": "shared", "false": "none", "": "none"}


def place(disks: Iterable[Conf], iface: str) -> None:
    """Gives every disk its iface, index and target name, in place. Wanted indexes first, then the gaps.

    Buses that share a prefix share its numbers, as two targets of one name cannot be.
    """
    disks = list(disks)
    taken: dict[str, set[int]] = {}
    for disk in disks:
        disk["iface"] = text(disk, "iface") or text(disk, "if") or ("fdc" if disk.get("device") == "floppy" else iface)
        if disk.get("index") not in (None, ""):
            disk["index"] = integer(disk, "index")
            if disk["index"] < 0:
                raise CannotCreate(f"Index of a disk is negative: {disk['index']}")
            taken.setdefault(prefix(disk["iface"]), set()).add(disk["index"])
    for disk in disks:
        if disk.get("index") in (None, ""):
            used = taken.setdefault(prefix(disk["iface"]), set())
            disk["index"] = first_free(used)
            used.add(disk["index"])
        disk["name"] = disk_name(disk["iface"], disk["index"])


def sharing(disk: Mapping[str, Any]) -> str:
    """none, exclusive, shared or transient, from that or from a boolean."""
    given = str(disk.get("shared", "")).lower()
    return SHARED.get(given, given)


def is_payload(disk: Conf) -> bool:
    return isinstance(struct(disk, "specParams").get("vmPayload"), dict)


def check_paths(disk: Conf) -> None:
    """Refuses ids and paths that would leave the repository."""
    for name in ("poolID", "domainID", "imageID", "volumeID", "GUID", "UUID"):
        safe_component(name, disk.get(name))
    safe_path("disk", disk.get("path"))


def disk_request(disk: Conf) -> DiskRequest:
    """What storage must prepare for one placed disk."""
    return DiskRequest(
        target=str(disk["name"]),
        device=text(disk, "device", "disk"),
        format=text(disk, "format", "raw"),
        pool_id=text(disk, "poolID"),
        domain_id=text(disk, "domainID"),
        image_id=text(disk, "imageID"),
        volume_id=text(disk, "volumeID"),
        guid=text(disk, "GUID"),
        uuid=text(disk, "UUID"),
        path=text(disk, "path") or text(struct(disk, "specParams"), "path"),
        disk_type=text(disk, "diskType"),
        read_only=flag(disk.get("readonly")),
        shared=sharing(disk),
    )


def decode_files(target: str, files: object) -> dict[str, bytes]:
    """The files of a payload by name, from base64; names stay below the drive's root."""
    if not isinstance(files, dict):
        raise CannotCreate(f"Payload of {target} has no files")
    found = {}
    for name, content in files.items():
        if not safe_path("a payload file", name) or str(name).startswith("/"):
            raise CannotCreate(f"Payload of {target} has a file of a bad name: {name!r}")
        try:
            # Clients break their lines; anything else that is not base64 is a mistake.
            found[str(name)] = base64.b64decode("".join(str(content).split()), validate=True)
        except (binascii.Error, ValueError):
            raise CannotCreate(f"Payload file {name} is not base64") from None
    return found


def payload_request(disk: Conf) -> PayloadRequest:
    """What the drive of one placed payload disk must hold."""
    payload = struct(struct(disk, "specParams"), "vmPayload")
    kind: Literal["cdrom", "floppy"] = "floppy" if disk.get("device") == "floppy" else "cdrom"
    files = decode_files(str(disk["name"]), payload.get("file"))
    return PayloadRequest(str(disk["name"]), kind, text(payload, "volId"), files)


def requests(disks: Sequence[Conf]) -> tuple[tuple[DiskRequest, ...], tuple[PayloadRequest, ...]]:
    return (
        tuple(disk_request(disk) for disk in disks if not is_payload(disk)),
        tuple(payload_request(disk) for disk in disks if is_payload(disk)),
    )
