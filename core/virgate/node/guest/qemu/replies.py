"""What answers of a QEMU guest agent mean to clients (spec guest-agent 10.3, 10.5). Pure.

Answers come as libvirt gives them: a flat mapping of its bulk question, or JSON text. They are a guest's words and are
believed no further than their type.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from virgate.node.guest.errors import BadMessage
from virgate.node.guest.messages import LONGEST_TEXT, MOST, filtered

LONGEST = 1 << 20
ADDRESSES = 100
"""Of one interface that are kept."""
ARCHITECTURES = {name: name for name in ("ppc", "ppcle", "ppc64", "ppc64le", "x86", "x86_64")}
ARCHITECTURES |= dict.fromkeys(("i386", "i586", "i686"), "x86")
PARTITION = re.compile(r"(/dev/[hsv]d[a-z]+)\d+")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def answer(text: str) -> Any:
    """What stands under `return`. Raises `BadMessage` for an error, and for what is no answer."""
    if len(text) > LONGEST:
        raise BadMessage("an answer of more than 1 MiB")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("no JSON") from None
    if not isinstance(found, dict) or "return" not in found:
        raise BadMessage("an error instead of an answer")
    return filtered(found["return"])


def abilities(found: Any) -> tuple[str, frozenset[str]]:
    """Version and the commands that are enabled, of the answer to `guest-info`."""
    if not isinstance(found, dict) or not isinstance(found.get("version"), str):
        raise BadMessage("guest-info without a version")
    listed = found.get("supported_commands")
    commands = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = (one.get("name") for one in commands[:MOST] if one.get("enabled"))
    return found["version"][:LONGEST_TEXT], frozenset(name for name in names if isinstance(name, str))


def applications(version: str, kernel: str = "", *, windows: bool = False) -> list[str]:
    """What can be told of the installed software."""
    return ([f"kernel-{kernel}"] if kernel and not windows else []) + [f"qemu-guest-agent-{version}"]


def members(given: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The members of the statistics that a bulk answer tells."""
    info: Mapping[str, Any] = filtered(dict(given))
    found: dict[str, Any] = {}
    if "hostname" in info:
        found["guestName"] = found["guestFQDN"] = _text(info, "hostname")
    if any(name.startswith("os.") for name in info):
        found |= _system(info, version)
    if "timezone.offset" in info:
        zone = _text(info, "timezone.name") or "unknown"
        found["guestTimezone"] = {"offset": _number(info, "timezone.offset") // 60, "zone": zone}
    if "user.count" in info:
        found["username"] = ", ".join(_users(info))
    if "fs.count" in info:
        found["disksUsage"] = list(_filesystems(info))
    return found


def _system(info: Mapping[str, Any], version: str) -> dict[str, Any]:
    windows = info.get("os.id") == "mswindows"
    kernel, pretty = _text(info, "os.kernel-release"), _text(info, "os.pretty-name")
    arch = ARCHITECTURES.get(_text(info, "os.machine"), "unknown")
    if windows:
        shown = {"type": "windows", "arch": arch, "kernel": "", "distribution": "", "codename": pretty}
        shown["version"] = _text(info, "os.kernel-version")
    else:
        shown = {"type": "linux", "arch": arch, "kernel": kernel, "distribution": _text(info, "os.name")}
        shown |= {"version": _text(info, "os.version-id"), "codename": _text(info, "os.variant")}
    return {
        "guestOs": pretty if windows else kernel,
        "guestOsInfo": shown,
        "appsList": applications(version, kernel, windows=windows),
    }


def _users(info: Mapping[str, Any]) -> Iterator[str]:
    for place in _places(info, "user"):
        domain = _text(info, f"{place}domain")
        yield _text(info, f"{place}name") + (f"@{domain}" if domain else "")


def _filesystems(info: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for place in _places(info, "fs"):
        if f"{place}total-bytes" in info and f"{place}used-bytes" in info:
            yield {
                "path": _text(info, f"{place}mountpoint"),
                "total": str(_number(info, f"{place}total-bytes")),
                "used": str(_number(info, f"{place}used-bytes")),
                "fs": _text(info, f"{place}fstype"),
            }


def mapping(given: Mapping[str, Any], *, by_disks: bool) -> dict[str, str] | None:
    """Guest names by serial; None when this answer does not tell. One source only: two would contradict each other."""
    info: Mapping[str, Any] = filtered(dict(given))
    if by_disks:
        return dict(_disks(info)) if "disk.count" in info else None
    return dict(_disks_of_filesystems(info)) if "fs.count" in info else None


def _disks(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for place in _places(info, "disk"):
        name, serial = _text(info, f"{place}name"), _text(info, f"{place}serial")
        if name and serial:
            yield serial, name


def _disks_of_filesystems(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for filesystem in _places(info, "fs"):
        for place in _places(info, f"{filesystem}disk"):
            device, serial = _text(info, f"{place}device"), _text(info, f"{place}serial")
            if device and serial:
                whole = PARTITION.fullmatch(device)
                yield serial, whole[1] if whole else device


def interfaces(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`netIfaces` of the addresses that the agent told, the loopback included."""
    return [
        {
            "name": filtered(name[:LONGEST_TEXT]),
            "hw": filtered(str(one.get("hwaddr") or "")[:LONGEST_TEXT]),
            "inet": _addresses(one, 0),
            "inet6": _addresses(one, 1),
        }
        for name, one in islice(given.items(), MOST)
    ]


def _addresses(interface: Mapping[str, Any], kind: int) -> list[str]:
    known = (interface.get("addrs") or ())[:ADDRESSES]
    return [filtered(str(one.get("addr", ""))[:LONGEST_TEXT]) for one in known if one.get("type") == kind]


def processors(given: Mapping[str, Any]) -> int:
    """How many CPUs are online ("0-1,3" is three), -1 if that is not told."""
    listed, count = given.get("online"), 0
    if not isinstance(listed, str):
        return -1
    for part in listed.split(","):
        first, _, last = part.strip().partition("-")
        try:
            count += int(last or first) - int(first) + 1
        except ValueError:
            return -1
    return count


def drivers(found: Any) -> list[dict[str, Any]]:
    """`pci_devices` of the answer to `guest-get-devices`, of both its forms, each device once."""
    if not isinstance(found, list):
        raise BadMessage("guest-get-devices without a list")
    devices: dict[str, dict[str, Any]] = {}
    for one in found[:MOST]:
        if isinstance(one, dict) and (ids := _pci(one)) is not None:
            device = {
                **ids,
                "driver_date": _day(one.get("driver-date")),
                "driver_name": str(one.get("driver-name", ""))[:LONGEST_TEXT],
                "driver_version": str(one.get("driver-version", ""))[:LONGEST_TEXT],
            }
            devices[repr(device)] = device
    return list(devices.values())


def _pci(one: Mapping[str, Any]) -> dict[str, int] | None:
    place = one.get("id")
    if not isinstance(place, dict):
        address = one.get("address")
        place = address.get("data") if isinstance(address, dict) and address.get("type") == "pci" else None
    elif place.get("type") != "pci":
        return None
    if not isinstance(place, dict):
        return None
    ids = place.get("device-id"), place.get("vendor-id")
    if not all(isinstance(id, int) and 0 <= id < 1 << 16 for id in ids):
        return None
    return {"device_id": int(ids[0]), "vendor_id": int(ids[1])}  # type: ignore[arg-type]


def _day(given: Any) -> str:
    """Nanoseconds since 1970 in the new form, a day in the old one."""
    if isinstance(given, str):
        return given if DAY.fullmatch(given) else ""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(given / 1e9, UTC).strftime("%Y-%m-%d")
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def _places(info: Mapping[str, Any], kind: str) -> list[str]:
    count = _number(info, f"{kind}.count")
    return [f"{kind}.{number}." for number in range(min(max(count, 0), MOST))]


def _text(info: Mapping[str, Any], name: str) -> str:
    found = info.get(name, "")
    return found[:LONGEST_TEXT] if isinstance(found, str) else ""


def _number(info: Mapping[str, Any], name: str) -> int:
    found = info.get(name, 0)
    return int(found) if isinstance(found, int) else 0
