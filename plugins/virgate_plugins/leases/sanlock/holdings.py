"""The leases that this host holds in one domain, and the process that sanlock knows to hold them."""

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.defer import DeferredLock

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeasePlace
from virgate.node.storage.errors.leases import LeaseNotAcquired
from virgate_plugins.leases.sanlock.holding import Holder, Lost
from virgate_plugins.leases.sanlock.workers import Worker


def told(lease: LeasePlace) -> tuple[str, str, int]:
    """As sanlock is told of a lease, and tells of it."""
    return lease.name, str(lease.path), lease.offset


class Holdings:
    """One holder for all leases, there as long as there is one; `lost(how)` when it cannot hold them any longer."""

    def __init__(self, domain: str, worker: Worker, lost: Lost) -> None:
        self.leases: set[LeasePlace] = set()
        self.holder: Holder | None = None
        self._domain, self._worker, self._lost = domain, worker, lost
        self._leaving: list[Holder] = []
        self._writing = 0
        self._changing = DeferredLock()

    async def take(self, lease: LeasePlace, *, value: bool) -> None:
        """OSError as sanlock gives it, `LeaseNotAcquired` when it is lost at once."""
        await self._changing.acquire()
        try:
            if lease in self.leases:
                return
            holder = await self._present()
            await self._worker.call("acquire", self._domain, *told(lease), holder.pid, value)
            if holder.over:
                raise LeaseNotAcquired(self._domain, "it was lost at once")
            self.leases.add(lease)
        except (OSError, VirgateError):
            self._end_without_leases()
            raise
        finally:
            self._changing.release()

    async def give(self, lease: LeasePlace) -> None:
        """OSError as sanlock gives it: then it may still be held."""
        await self._changing.acquire()
        try:
            if lease in self.leases and self.holder is not None:
                await self._worker.call("release", self._domain, *told(lease), self.holder.pid)
                self.leases.discard(lease)
            self._end_without_leases()
        finally:
            self._changing.release()

    def end(self) -> None:
        """Nobody writes under these leases any more, but who is inside `writing`."""
        holder, self.holder = self.holder, None
        if holder is not None:
            self._leaving.append(holder)
        self._let_go()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, somebody who had a lease may still write: its holder stays."""
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1
            self._let_go()

    async def _present(self) -> Holder:
        if self.holder is not None and self.holder.over:
            self.end()
        if self.holder is None:
            holder = self.holder = Holder(f"leases of {self._domain}", self._lost)
            try:
                await holder.ready()
            except BaseException:
                self.holder = None
                raise
        return self.holder

    def _end_without_leases(self) -> None:
        if not self.leases:
            self.end()

    def _let_go(self) -> None:
        while self._leaving and not self._writing:
            self._leaving.pop().end()
