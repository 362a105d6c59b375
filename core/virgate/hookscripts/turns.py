"""The order of one machine's events.

A point that a flow of the daemon waits for starts at once: the flow itself keeps the order, and a script of an earlier
point may be the very one that asked for the verb (spec hooks 1.9, G6). A point that an event of the hypervisor fires
waits until every earlier point of the same machine is through. Different machines know nothing of each other.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from virgate.run.outcome import Outcome


class Turns:
    def __init__(self) -> None:
        self._under_way: dict[str, list[Outcome[None]]] = {}

    @asynccontextmanager
    async def turn(self, machine: str, *, waits: bool) -> AsyncIterator[None]:
        """The place of a point is taken when the block is entered, before it waits."""
        here = self._under_way.setdefault(machine, [])
        earlier = tuple(here) if waits else ()
        mine: Outcome[None] = Outcome()
        here.append(mine)
        try:
            for other in earlier:
                await other.wait()
            yield
        finally:
            here.remove(mine)
            if not here:
                del self._under_way[machine]
            mine.tell(None)
