"""Election of the SPM by the hosts themselves: whoever sees none for long enough contends through the lease.

Nothing is agreed upon between hosts. The lease admits one; who comes too late sees an SPM again and waits.
"""

from collections.abc import Callable
from random import random
from typing import Protocol

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.errors import VirgateError
from virgate.node.storage.pools.settings import SpmSettings
from virgate.node.storage.values import Clock
from virgate.run.fence import unfenced

QUICKEST = 1.0
"""Seconds between two looks at least: each reads a sector of the lease."""


@define
class Patience:
    """Decides when to contend, from what is seen at which time."""

    after: float
    spread: float
    priority: int = 5
    chance: Callable[[], float] = random
    _due: float | None = None

    def seen(self, free: bool, now: float) -> bool:
        """Whether to contend now. `free`: the role is had by nobody, and this host could take it."""
        if not free:
            self._due = None
            return False
        if self._due is None:
            self._due = now + self.after + self.chance() * self.spread * (11 - self.priority) / 10
        if now < self._due:
            return False
        self._due = None  # whatever comes of it: the next attempt waits as long
        return True


class Candidate(Protocol):
    """This host in its pool."""

    async def free(self) -> bool:
        """Whether nobody is SPM, as far as can be seen from here, and this host may become it."""

    async def contend(self) -> None:
        """Tries to become it; raises if another host was faster."""


@define(eq=False)
class Election:
    log = Logger()

    candidate: Candidate
    settings: SpmSettings
    clock: Clock
    interval: float = 10.0
    chance: Callable[[], float] = random
    _running: "Deferred[None] | None" = None

    def start(self) -> None:
        if self._running is None and self.settings.election_after and self.settings.priority:
            self._running = unfenced(self._run())
            self._running.addErrback(self._ended)

    def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    @property
    def pause(self) -> float:
        """Seconds between two looks: a quarter of what is waited, and no more often than domains are looked at."""
        return min(self.interval, max(QUICKEST, self.settings.election_after / 4))

    async def _run(self) -> None:
        settings = self.settings
        patience = Patience(settings.election_after, settings.election_spread, settings.priority, self.chance)
        while True:
            await deferLater(self.clock, self.pause)  # type: ignore[arg-type]
            if patience.seen(await self._free(), self.clock.seconds()):
                await self._contend()

    async def _free(self) -> bool:
        try:
            return await self.candidate.free()
        except (VirgateError, OSError) as problem:
            self.log.debug("no look at the SPM: {problem}", problem=problem)
            return False

    async def _contend(self) -> None:
        try:
            await unfenced(self.candidate.contend())
        except (VirgateError, OSError) as problem:
            self.log.info("this host does not become SPM: {problem}", problem=problem)

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):  # type: ignore[no-untyped-call]
            self.log.failure("the election ended", failure)
