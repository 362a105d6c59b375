"""How many moves at a time (spec migration 4), and how long things may take on a loaded host (3, 7). Pure."""

from collections import deque

from twisted.internet.defer import Deferred


class Slots:
    """A counting semaphore whose bound may change while it is used.

    Lowering the bound takes effect as holders release; the free places may be fewer than none meanwhile.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._free = bound
        self._waiting: deque[Deferred[None]] = deque()

    @property
    def held(self) -> int:
        return self.bound - self._free

    def resize(self, bound: int) -> None:
        """Sets a new bound; who waits may come in at once."""
        self._free += bound - self.bound
        self.bound = bound
        self._admit()

    def try_take(self) -> bool:
        """Takes a place if one is free."""
        if self._free <= 0 or self._waiting:
            return False
        self._free -= 1
        return True

    def take_anyway(self) -> None:
        """For a move that is under way already when it is found."""
        self._free -= 1

    async def take(self) -> None:
        """Waits for a place, first come first served. Cancelling gives the turn up."""
        if self.try_take():
            return
        turn: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        await turn

    def give_back(self) -> None:
        """Raises ValueError when nobody holds a place."""
        if self.held <= 0:
            raise ValueError("more places are given back than were taken")
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        while self._free > 0 and self._waiting:
            self._free -= 1
            self._waiting.popleft().callback(None)


def preparation_time(machines: int, mapped_disks: int, base: float, per_disk: float, most: float) -> float:
    """Seconds a source waits for an arrival to be prepared on a host with so many machines."""
    return min(base * (5 + machines) / 5 + per_disk * mapped_disks, most)


def lock_time(machines: int, base: float = 60.0) -> float:
    """Seconds to wait for whoever changes a machine."""
    return base * (20 + machines) / 20
