"""The kernel's table of mounts, as /proc/self/mountinfo tells it. Pure.

A folder may be mounted over several times: the last entry of a mount point is the one that is seen.
"""

import posixpath
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from attrs import frozen

from virgate.node.storage.formats.mount_name import normalize

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_FIELDS = 6
"""Fields before the optional ones, which end with a dash."""


@frozen
class Mount:
    """One entry. `root` is the part of the file system that is seen, `device` the number that tells it from others."""

    point: str
    source: str
    type: str
    device: str
    root: str = "/"
    options: str = ""
    """Those of the file system."""


def parse(table: bytes) -> list[Mount]:
    """Every entry in the order of the table; lines nobody can read are left out."""
    return [mount for line in table.split(b"\n") if (mount := _parse_line(line)) is not None]


def _parse_line(line: bytes) -> Mount | None:
    fields = line.split(b" ")
    try:
        dash = fields.index(b"-", _FIELDS)
        type, source, options = fields[dash + 1 : dash + 4]
    except ValueError:
        return None
    return Mount(_text(fields[4]), _text(source), _text(type), _text(fields[2]), _text(fields[3]), _text(options))


def _text(field: bytes) -> str:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field).decode(errors="surrogateescape")


def seen_at(mounts: Iterable[Mount], point: str) -> Mount | None:
    """What is mounted at a folder."""
    return next((mount for mount in reversed(list(mounts)) if mount.point == point), None)


def holding(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount in which a path lies."""
    folders = {path, *map(str, PurePosixPath(path).parents)}
    inside = [mount for mount in mounts if mount.point in folders]
    deepest = max((len(mount.point) for mount in inside), default=0)
    return next((mount for mount in reversed(inside) if len(mount.point) == deepest), None)


def bound(mounts: Iterable[Mount], mount: Mount, folder: str) -> bool:
    """Whether a mount shows this folder of another mount, as `mount --bind` makes it.

    Most file systems tell the folder as `root`, NFS adds it to the source.
    """
    below = holding((other for other in mounts if other is not mount), folder)
    if below is None or below.device != mount.device:
        return False
    inside = posixpath.relpath(folder, below.point)
    if mount.source != below.source:
        return mount.root == below.root and mount.source == posixpath.normpath(posixpath.join(below.source, inside))
    return mount.root == posixpath.normpath(posixpath.join(below.root, inside))


def same_source(mount: Mount, remote: str) -> bool:
    """Whether `remote` names what is mounted; FUSE file systems may write a volume with or without a slash."""
    found, wanted = normalize(mount.source), normalize(remote)
    if found == wanted:
        return True
    return mount.type.startswith("fuse.") and found.replace(":/", ":", 1) == wanted.replace(":/", ":", 1)


def same_type(mount: Mount, file_system: str) -> bool:
    """Whether this may have come from mounting with `file_system`: the kernel calls some of them otherwise."""
    if file_system in ("", "auto", "none"):
        return True
    found = mount.type.removeprefix("fuse.").removeprefix("fuseblk.")
    if found == "fuseblk":
        return True
    return found.removesuffix("4") == file_system.removeprefix("fuse.").removesuffix("4")
