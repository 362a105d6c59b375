"""How far a move is, from libvirt's statistics of its job (spec migration 6.4). Pure."""

from collections.abc import Mapping
from typing import Any

OUT = 5
"""libvirt's number of the operation "migration out"."""


def percent(remaining: int, total: int) -> int:
    if remaining == 0 and total > 0:
        return 100
    if total <= 0:
        return 0
    return max(0, min(99, 100 - 100 * remaining // total))


def is_outgoing(job: Mapping[str, Any]) -> bool:
    """Whether libvirt tells of a guest that leaves."""
    return bool(job.get("type", 0)) and job.get("operation") == OUT


class Progress:
    """What was seen so far. The per cent never go down."""

    def __init__(self) -> None:
        self.percent = 0
        self.low_mark: int | None = None

    def take(self, job: Mapping[str, Any], *, postcopy: bool = False) -> bool:
        """Notes a sample; answers whether less is left to send than ever before."""
        remaining, total = int(job.get("data_remaining", 0)), int(job.get("data_total", 0))
        self.percent = max(self.percent, percent(remaining, total))
        if postcopy:
            return True
        if self.low_mark is None or remaining < self.low_mark:
            self.low_mark = remaining
            return True
        return False
