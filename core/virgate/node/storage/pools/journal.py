"""The files of the journal: in the master's `tasks`, through the master's helper, wherever the master moves to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field
from twisted.internet.defer import DeferredLock

from virgate.node.storage.domains.domain import Domain


@define(eq=False)
class MasterFiles:
    """A helper as the journal wants it. Tasks wait with what they want to write while the master moves."""

    master: Domain
    _moving: DeferredLock = field(factory=DeferredLock)

    async def call(self, operation: str, *args: Any) -> Any:
        await self._moving.acquire()
        try:
            return await self.master.files.call(operation, *args)
        finally:
            self._moving.release()

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """From the copy of the journal until the pool's links show the new master nothing is written."""
        await self._moving.acquire()
        try:
            yield
        finally:
            self._moving.release()
