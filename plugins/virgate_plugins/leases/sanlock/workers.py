"""The worker processes that talk to sanlock: one for quick questions, one per domain for what waits for storage."""

import math
from functools import cache
from typing import Any

from twisted.internet.defer import Deferred

from virgate.run.helper import Helper
from virgate.run.loop import reactor

CALLS = "virgate_plugins.leases.sanlock.calls"
IDLE = 30.0
"""Seconds after which a worker without work ends: leases change hands rarely, a process is some 10 MiB."""


class Worker(Helper):
    """Waits for storage as long as sanlock does. What is `fenced` ends with the SPM role that asked for it."""

    def __init__(self, name: str, *, fenced: bool = False) -> None:
        super().__init__(name, CALLS, fenced=fenced, idle=IDLE)

    def call(self, operation: str, *args: Any, timeout: float | None = math.inf) -> Deferred[Any]:
        """OSError as sanlock gave it; `HelperLost`."""
        return super().call(operation, *args, timeout=timeout)


@cache
def service() -> Worker:
    """The worker for calls that touch no storage, shared by all domains."""
    return Worker("sanlock")


def pause(seconds: float) -> Deferred[None]:
    waited: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = reactor.callLater(seconds, waited.callback, None)
    return waited
