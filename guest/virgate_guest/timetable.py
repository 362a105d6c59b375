"""When periodic messages are due. Pure: the clock is the caller's."""

EARLY = 0.05
"""Seconds a turn may be early, so that periods which meet are served by one wake-up."""


class Timetable:
    """Names with their periods, served in the order given here when several are due at once."""

    def __init__(self, periods: "list[tuple[str, float]]") -> None:
        self._periods = [(name, seconds) for name, seconds in periods if seconds > 0]
        self._due: dict[str, float] = {}

    def start(self, now: float) -> None:
        """The first turn comes one second before its period is over, as hosts know it: heartbeats at 4, 9, 14 s."""
        for name, seconds in self._periods:
            self._due[name] = now + max(seconds - 1, 0.5)

    def stop(self) -> None:
        self._due.clear()

    def next(self) -> "float | None":
        return min(self._due.values()) if self._due else None

    def due(self, now: float) -> "list[str]":
        """What is due now. Turns that were missed (the guest slept) are not made up for."""
        found = []
        for name, seconds in self._periods:
            when = self._due.get(name)
            if when is None or now < when - EARLY:
                continue
            found.append(name)
            missed = int(max(0.0, now - when + EARLY) // seconds)
            self._due[name] = when + (missed + 1) * seconds
        return found
