"""The worker processes that talk to sanlock: one for quick questions, one per domain for what waits for storage."""

import math
from functools import cache
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, ensureDeferred

from virgate.run.helper import Helper
from virgate.run.loop import reactor

CALLS = "virgate_plugins.leases.sanlock.calls"
IDLE = 30.0
"""Seconds after which a worker without work ends: leases change hands rarely, a process is some 10 MiB."""


@define(eq=False)
class Worker:
    """A helper that is there while it has something to do."""

    name: str
    _helper: Helper | None = None
    _calls: int = 0
    _farewell: Any = field(default=None)

    async def call(self, operation: str, *arguments: Any) -> Any:
        """OSError as sanlock gave it; `HelperLost`. Waits for storage as long as sanlock does."""
        if self._farewell is not None:
            self._farewell.cancel()
            self._farewell = None
        if self._helper is None:
            self._helper = Helper(self.name, CALLS)
        self._calls += 1
        try:
            return await self._helper.call(operation, *arguments, timeout=math.inf)
        finally:
            self._calls -= 1
            if not self._calls:
                self._farewell = reactor.callLater(IDLE, self._end)

    def _end(self) -> None:
        helper, self._helper, self._farewell = self._helper, None, None
        if helper is not None:
            ensureDeferred(helper.stop())

    async def stop(self) -> None:
        """Ends it now; the next call starts another one."""
        if self._farewell is not None:
            self._farewell.cancel()
        helper, self._helper, self._farewell = self._helper, None, None
        if helper is not None:
            await helper.stop()


@cache
def service() -> Worker:
    """The worker for calls that touch no storage, shared by all domains."""
    return Worker("sanlock")


def pause(seconds: float) -> Deferred[None]:
    waited: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = reactor.callLater(seconds, waited.callback, None)
    return waited
