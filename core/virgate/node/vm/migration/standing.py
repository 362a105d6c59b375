"""What clients are told of a move, while it lasts and afterwards (spec migration 9)."""

from enum import IntEnum
from typing import Any

from attrs import define

UNDER_WAY = "Migration in progress"
DONE = "Migration done"


class Postcopy(IntEnum):
    NONE = 0
    REQUESTED = 1
    RUNNING = 2


@define
class Standing:
    code: int = 0
    message: str = UNDER_WAY
    progress: int = 0
    downtime: int | None = None
    """Milliseconds the guest stood still; known at the end."""
    postcopy: Postcopy = Postcopy.NONE

    @property
    def members(self) -> dict[str, Any]:
        """`migrationStats`."""
        known = {} if self.downtime is None else {"downtime": self.downtime}
        progress = 100 if self.downtime is not None else self.progress
        return {"status": {"code": self.code, "message": self.message}, "progress": progress, **known}

    def completed(self, job: dict[str, Any]) -> None:
        """libvirt's last figures of the move."""
        name = "downtime" if self.postcopy else "downtime_net"
        found = job.get(name, job.get("downtime"))
        if found is not None:
            self.downtime, self.progress = int(found), 100

    def ended(self, code: int, message: str) -> None:
        self.code, self.message = code, message
