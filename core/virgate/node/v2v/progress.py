"""What virt-v2v says while it works (spec engine-logic 8.5), as values."""

import json
import re

from attrs import define, field

STARTING, COPYING = "starting", "copying_disk"

_DISK = re.compile(r"Copying disk (\d{1,4})/(\d{1,4})", re.ASCII)
_PERCENT = re.compile(r"\s+\((\d{1,3}).*|.+ (\d{1,3})% \[[*-]+\].*", re.ASCII | re.DOTALL)


@define
class Progress:
    """Fed line by line; a line ends with LF or CR."""

    status: str = STARTING
    description: str = ""
    percent: int = 0
    problem: str = ""
    """The last error that was said in the form for machines."""
    _disks: int = field(default=1)

    def feed(self, line: str) -> bool:
        """Whether the line changed anything."""
        before = (self.status, self.description, self.percent, self.problem)
        if found := _DISK.search(line):
            self.status, self.description = COPYING, found[0]
            self._disks = max(1, int(found[2]))
            self._reach(0)
        elif line.startswith("{"):
            self._machine(line)
        elif self.status == COPYING and (found := _PERCENT.fullmatch(line)):
            self._reach(min(100, int(found[1] or found[2])))
        return before != (self.status, self.description, self.percent, self.problem)

    def _reach(self, percent: int) -> None:
        """Counts all disks but the last as copied, as old clients are used to, and never goes back."""
        self.percent = max(self.percent, ((self._disks - 1) * 100 + percent) // self._disks)

    def _machine(self, line: str) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(said, dict) and said.get("type") == "error":
            self.problem = str(said.get("message", ""))[:500]
