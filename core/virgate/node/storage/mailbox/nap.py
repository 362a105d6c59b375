"""A wait that somebody may cut short."""

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from virgate.node.storage.values import Clock


@define(eq=False)
class Nap:
    """One sleeper at a time."""

    clock: Clock
    _sleeper: Deferred[None] | None = None
    _alarm: Any = None

    async def take(self, seconds: float) -> None:
        self._sleeper = Deferred(lambda _: self._silence())
        self._alarm = self.clock.callLater(seconds, self.cut)
        await self._sleeper

    def cut(self) -> None:
        """Wakes the sleeper now; nothing happens without one."""
        sleeper, self._sleeper = self._sleeper, None
        self._silence()
        if sleeper is not None and not sleeper.called:
            sleeper.callback(None)

    def _silence(self) -> None:
        alarm, self._alarm = self._alarm, None
        if alarm is not None and alarm.active():
            alarm.cancel()
