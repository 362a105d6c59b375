"""What the kernel and udev know of SCSI disks, read as it is; `devices/reading.py` makes sense of it.

Reading the attributes of a disk that just died may wait for the kernel to give it up.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

DISK = "0"
"""SCSI peripheral type."""
MULTIPATHD = ("/org/kernel/linux/storage/multipathd", "/run/multipathd.socket")
SESSION = re.compile(r"session\d+", re.ASCII)
PAUSE = 0.1


def scan_devices(root: str = "/") -> dict[str, Any]:
    """Every SCSI disk, multipath map and iSCSI session. `root` is where sys, proc and run are."""
    place = Path(root)
    found: dict[str, Any] = {"disks": [], "maps": [], "multipathd": multipathd_runs(root)}
    for block in _children(place / "sys/block"):
        with suppress(FileNotFoundError):  # it may go while we look
            if _text(block / "dm/uuid").startswith("mpath-"):
                found["maps"].append(_map(block, place))
            elif _text(block / "device/type") == DISK and _text(block / "removable") != "1":
                found["disks"].append(_disk(block, place))
    found["sessions"] = scan_sessions(root)
    found["used"] = _mounted(place) + _swapped(place)
    return found


def scan_sessions(root: str = "/", secrets: bool = False) -> dict[str, dict[str, str]]:
    """iSCSI sessions by their kernel name. With `secrets` the password is told, too."""
    found = {}
    for session in _children(Path(root, "sys/class/iscsi_session")):
        names = ["targetname", "tpgt", "ifacename", "username", "state", *(["password"] if secrets else [])]
        told = {name: _known(session / name) for name in names}
        connection = Path(root, "sys/class/iscsi_connection", session.name.replace("session", "connection") + ":0")
        for name in ("address", "port", "persistent_address", "persistent_port"):
            told[name] = _known(connection / name)
        found[session.name] = told
    return found


def wait_for_maps(wanted: float, root: str = "/") -> list[str]:
    """Waits until multipath has taken the disks it lays claim to; answers which it has not taken in time."""
    end = time.monotonic() + wanted
    while True:
        late = unclaimed(scan_devices(root))
        if not late or time.monotonic() >= end:
            return late
        time.sleep(PAUSE)


def unclaimed(found: dict[str, Any]) -> list[str]:
    """Disks that multipath wants and does not have yet."""
    if not found["multipathd"]:
        return []
    taken = {slave for one in found["maps"] for slave in one["slaves"]}
    return [
        disk["name"]
        for disk in found["disks"]
        if disk["name"] not in taken and disk["udev"].get("DM_MULTIPATH_DEVICE_PATH") == "1"
    ]


def multipathd_runs(root: str = "/") -> bool:
    sockets = _text(Path(root, "proc/net/unix"))
    return any(name in sockets for name in MULTIPATHD)


def scan_hosts(root: str = "/") -> list[str]:
    """Lets the adapters of Fibre Channel and SAS look for disks; answers which did not do it."""
    failed = []
    for kind in ("fc_host", "sas_host"):
        for host in _children(Path(root, "sys/class", kind)):
            try:
                Path(root, "sys/class/scsi_host", host.name, "scan").write_text("- - -")
            except OSError:
                failed.append(host.name)
    return failed


def _disk(block: Path, place: Path) -> dict[str, Any]:
    device = (block / "device").resolve()
    return {
        **_block(block, place),
        "vendor": _raw(device / "vendor"),
        "model": _raw(device / "model"),
        "revision": _text(device / "rev"),
        "state": _text(device / "state"),
        "wwid": _text(device / "wwid"),
        "serial": _serial(device / "vpd_pg80"),
        "address": device.name,
        "session": next((name for name in device.parts if SESSION.fullmatch(name)), ""),
    }


def _map(block: Path, place: Path) -> dict[str, Any]:
    return {
        **_block(block, place),
        "map": _text(block / "dm/name"),
        "uuid": _text(block / "dm/uuid"),
        "slaves": [slave.name for slave in _children(block / "slaves")],
    }


def _block(block: Path, place: Path) -> dict[str, Any]:
    number = _text(block / "dev")
    properties, links = _udev(place / f"run/udev/data/b{number}")
    holders = _children(block / "holders")
    return {
        "name": block.name,
        "number": number,
        "sectors": int(_text(block / "size") or 0),
        "logical": int(_text(block / "queue/logical_block_size") or 512),
        "physical": int(_text(block / "queue/physical_block_size") or 512),
        "holders": [_text(holder / "dm/uuid") or holder.name for holder in holders],
        "holder_names": [_text(holder / "dm/name") for holder in holders],
        "partitions": [child.name for child in block.iterdir() if (child / "partition").exists()],
        "udev": properties,
        "links": links,
    }


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _udev(file: Path) -> tuple[dict[str, str], list[str]]:
    """Properties and links of udev's record of a device."""
    properties, links = {}, []
    for line in _text(file).splitlines():
        kind, _, rest = line.partition(":")
        if kind == "E":
            name, _, value = rest.partition("=")
            properties[name] = value
        elif kind == "S":
            links.append(rest)
    return properties, links


def _mounted(place: Path) -> list[str]:
    """major:minor of everything that is mounted."""
    lines = _text(place / "proc/self/mountinfo").splitlines()
    return sorted({fields[2] for fields in map(str.split, lines) if len(fields) > 2})


def _swapped(place: Path) -> list[str]:
    """Names of disks that are swapped to."""
    lines = _text(place / "proc/swaps").splitlines()[1:]
    return [line.split()[0].removeprefix("/dev/") for line in lines if line.startswith("/dev/")]


def _serial(page: Path) -> str:
    """The unit serial number of vital product data page 0x80."""
    try:
        return page.read_bytes()[4:].decode("ascii", "replace").strip(" \0")
    except OSError:
        return ""


def _known(file: Path) -> str:
    text = _text(file)
    return "" if text in ("(null)", "<NULL>", "<empty>") else text


def _text(file: Path) -> str:
    return _raw(file).strip()


def _raw(file: Path) -> str:
    try:
        return file.read_text(errors="replace").rstrip("\n")
    except OSError:  # attributes vanish with their disk, and some answer EIO while it dies
        return ""


OPERATIONS: tuple[Callable[..., Any], ...] = (scan_devices, scan_sessions, wait_for_maps, scan_hosts)
