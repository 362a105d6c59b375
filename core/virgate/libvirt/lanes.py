"""One call at a time about each domain, so that a domain that hangs holds one thread and not all of them.

libvirt would let such calls wait for each other anyway, thirty seconds each, in its own few places per client.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field
from twisted.internet.defer import DeferredLock


@define
class _Lane:
    lock: DeferredLock = field(factory=DeferredLock)
    users: int = 0


class Lanes:
    """Turns by domain, first come first served. Nothing is kept of a domain that nobody calls."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @asynccontextmanager
    async def turn(self, uuid: str) -> AsyncIterator[None]:
        """Inside, nobody else is in the lane of `uuid`. An empty one is no lane: everybody passes."""
        if not uuid:
            yield
            return
        lane = self._lanes.setdefault(uuid, _Lane())
        lane.users += 1
        try:
            await lane.lock.acquire()
            try:
                yield
            finally:
                lane.lock.release()
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[uuid]
