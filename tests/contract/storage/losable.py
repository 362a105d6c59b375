"""A lease of a folder that can be lost at a test's word, as one on shared storage can."""

import os
from collections.abc import Callable
from typing import ClassVar

from virgate import hookimpl
from virgate.hookspecs.leases import LeaseSpace
from virgate_plugins.leases.local import LocalLease


class LosableLease(LocalLease):
    made: ClassVar[dict[str, "LosableLease"]] = {}
    """By domain; those of the room made last."""

    def __init__(self, space: LeaseSpace) -> None:
        super().__init__(space)
        self._tells: list[Callable[[str], None]] = []
        type(self).made[space.domain] = self

    def when_lost(self, tell: Callable[[str], None]) -> None:
        self._tells.append(tell)

    def lose(self, reason: str) -> None:
        """Told first, then free for others: as every manager must do it."""
        for tell in self._tells:
            tell(reason)
        if self._file is not None:
            os.close(self._file)
            self._file = None


class LosableLeases:
    __name__ = "losable leases"

    @hookimpl(tryfirst=True)
    def lease_manager(self, name: str) -> type[LosableLease]:
        return LosableLease
