"""How hosts before convergence schedules decided (spec migration 6.3). Pure; for sources whose clients want it so."""

PER_GIB = 64
"""Seconds that a move of one GiB may take."""
WITHOUT_PROGRESS = 240.0
DELAY = 100
"""Seconds per GiB over which the downtime grows."""
LONGEST_WAIT = 60


def most_time(memory: int) -> int:
    """Seconds that the move of a machine with so many MiB may take."""
    return (PER_GIB * memory + 1023) // 1024


def step_wait(memory: int, steps: int, *, by_iterations: bool = True) -> int:
    """Seconds between two steps of the downtime."""
    if by_iterations:
        return min(DELAY * memory // (1024 * steps), LONGEST_WAIT)
    return (DELAY * max(memory, 2048) + 1023) // 1024


class Patience:
    """Hears what is left to send and says when to give up."""

    def __init__(self, memory: int) -> None:
        self._most = most_time(memory)
        self._low: int | None = None
        self._before: int | None = None
        self._moved_on = 0.0
        self.stepping = False
        """Whether the downtime should begin to grow."""

    def sample(self, elapsed: float, remaining: int) -> str | None:
        """Why the move is to be given up, if it is. `elapsed`: seconds since its start."""
        if self._most and elapsed > self._most:
            return f"it takes more than {self._most} s"
        if self._low is None or remaining < self._low:
            self._low, self._moved_on = remaining, elapsed
        elif elapsed - self._moved_on > WITHOUT_PROGRESS:
            return f"nothing moved on for more than {WITHOUT_PROGRESS:g} s"
        self.stepping = self.stepping or (self._before is not None and remaining > self._before)
        self._before = remaining
        return None
