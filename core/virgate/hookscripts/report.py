"""What a manager is told about the installed scripts: the key `hooks` of the host's capabilities (spec hooks 4.1)."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from twisted.logger import Logger

from virgate.hookscripts.discovery import scripts_of

Checksums = dict[str, str]

_STRUCTURE = frozenset("{}=,")
"""The manager's parser takes these for structure, so a name with one of them cannot be reported."""

log = Logger()


class Report:
    """Remembers the checksum of a file for as long as it stays the very same file."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int, int], Checksums] = {}

    def installed(self, directories: Iterable[Path]) -> dict[str, dict[str, Checksums]] | None:
        """`{POINT: {SCRIPT: {"md5": ..., "checksum": ...}}}`; None when no directory can be read.

        Folders that are no hook point are reported, too; their scripts never run. Of two scripts with one name in one
        point the first directory's is told.
        """
        roots = {root: names for root in directories if (names := _folders(root)) is not None}
        if not roots:
            return None
        found: dict[str, dict[str, Checksums]] = {}
        known = {}
        for root, names in roots.items():
            for point in names:
                for script in scripts_of(point, [root]):
                    name = os.path.basename(script)  # noqa: PTH119
                    if _STRUCTURE & {*point, *name}:
                        log.warn("hook script {script} cannot be reported: its name has one of {{}}=,", script=script)
                        continue
                    identity, sums = self._checksums(script)
                    known[identity] = sums
                    found.setdefault(point, {}).setdefault(name, sums)
        self._known = known
        return found

    def _checksums(self, script: str) -> tuple[tuple[str, int, int, int, int], Checksums]:
        import hashlib

        try:
            there = os.stat(script)  # noqa: PTH116
            identity = (script, there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns)
            if identity in self._known:
                return identity, self._known[identity]
            content = Path(script).read_bytes()
        except OSError:
            return (script, 0, 0, 0, 0), {"md5": "", "checksum": ""}
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return identity, {"md5": md5, "checksum": hashlib.sha256(content).hexdigest()}


def _folders(root: Path) -> list[str] | None:
    try:
        with os.scandir(root) as entries:
            return sorted(_directories(entries))
    except OSError:
        return None


def _directories(entries: Iterable["os.DirEntry[str]"]) -> Iterator[str]:
    return (entry.name for entry in entries if entry.is_dir() and ".." not in entry.name)
