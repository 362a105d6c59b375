"""File systems and how full they are, and which disk has which serial number (spec guest-agent 3.1, 6.4)."""

import json
import os
import re
import stat
from fnmatch import fnmatchcase

from virgate_guest.errands import Errands
from virgate_guest.sources import content
from virgate_guest.wire import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Usage = dict[str, "str | int"]

MOUNTS = "/proc/self/mounts"
REMOTE = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "9p",
    "virtiofs",
    "gfs2",
)
OCTAL = re.compile(rb"\\([0-7]{3})")
PATIENCE = 10.0
NOT_DISKS = ("loop", "ram", "zram", "dm-", "md", "fd", "sr", "nbd")


def mounts(listing: bytes, ignored: "list[str]") -> "list[tuple[bytes, str]]":
    """Mount point and type of what counts. A later mount on the same place hides the earlier one."""
    found: dict[bytes, str] = {}
    for line in listing.splitlines():
        parts = line.split(b" ")
        if len(parts) < 3:
            continue
        path = OCTAL.sub(lambda match: bytes((int(match.group(1), 8) & 255,)), parts[1])
        kind = text(parts[2])
        found.pop(path, None)
        if not any(fnmatchcase(kind, pattern) for pattern in ignored):
            found[path] = kind
    return list(found.items())


def is_remote(kind: str) -> bool:
    """Whether asking for its size may hang."""
    return kind in REMOTE or kind.startswith("fuse")


def usage(mounted: "list[tuple[bytes, str]]", ignore_zero_size: bool) -> "list[Usage]":
    """Sizes in bytes. A mount that cannot be read is left out, it spoils no other."""
    found: list[Usage] = []
    for path, kind in mounted:
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                continue
            size = os.statvfs(path)
        except OSError:
            continue
        total = size.f_bsize * size.f_blocks
        used = total - size.f_bsize * size.f_bfree
        if ignore_zero_size and not total and not used:
            continue
        found.append({"path": text(path), "fs": kind, "total": total, "used": used})
    return found


def serials(sys: str = "/sys", run: str = "/run") -> "dict[str, dict[str, str]]":
    """Device nodes by serial number: as udev knows them, else as the kernel does."""
    found = {}
    try:
        names = sorted(os.listdir(sys + "/block"))
    except OSError:
        return {}
    for name in names:
        if name.startswith(NOT_DISKS):
            continue
        serial = _of_udev(sys, run, name) or _of_kernel(sys, name)
        if serial:
            found[serial] = {"name": "/dev/" + name.replace("!", "/")}
    return found


def _of_udev(sys: str, run: str, name: str) -> str:
    number = text(content(f"{sys}/block/{name}/dev")).strip()
    for line in content(f"{run}/udev/data/b{number}").splitlines() if number else ():
        if line.startswith(b"E:ID_SERIAL="):
            return text(line[len(b"E:ID_SERIAL=") :]).strip()
    return ""


def _of_kernel(sys: str, name: str) -> str:
    for place in ("serial", "device/serial"):
        serial = text(content(f"{sys}/block/{name}/{place}")).strip("\0 \n")
        if serial:
            return serial
    page = content(f"{sys}/block/{name}/device/vpd_pg80")
    return text(page[4 : 4 + int.from_bytes(page[2:4], "big")]).strip("\0 \n")


class Disks:
    """Local file systems are asked at once; those that may hang by a child, and told as they were last known."""

    def __init__(self, errands: Errands, ignored: "list[str]", ignore_zero_size: bool) -> None:
        self._errands = errands
        self._ignored = ignored
        self._ignore_zero_size = ignore_zero_size
        self._remote: list[Usage] = []
        self._asking = False

    def mounted(self) -> "list[tuple[bytes, str]]":
        return mounts(content(MOUNTS, 8 << 20), self._ignored)

    def read(self, changed: "Callable[[], None]") -> "list[Usage]":
        """`changed` is called later when the remote ones turn out to be other than told now."""
        mounted = self.mounted()
        remote = [one for one in mounted if is_remote(one[1])]
        if not remote:
            self._remote = []
        elif not self._asking:
            self._ask(remote, changed)
        return usage([one for one in mounted if not is_remote(one[1])], self._ignore_zero_size) + self._remote

    def _ask(self, remote: "list[tuple[bytes, str]]", changed: "Callable[[], None]") -> None:
        self._asking = True

        def answer() -> bytes:
            return json.dumps(usage(remote, self._ignore_zero_size)).encode()

        def done(code: "int | None", output: bytes) -> None:
            self._asking = False
            told = json.loads(output.decode()) if code == 0 else []
            if told != self._remote:
                self._remote = told
                changed()

        self._errands.ask(answer, done, PATIENCE)
