"""The lease manager of `safelease.py`. All reading and writing is done by a worker process of the domain's own."""

import time
from collections.abc import Callable
from typing import ClassVar

from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseOwner, LeasePlace, LeaseSpace
from virgate.node.storage.errors import HostIdNotAcquired, LeaseNotAcquired, LeaseNotReleased
from virgate.node.storage.errors.leases import LeasesNotMade, LeaseUnknown
from virgate.node.storage.formats import safelease
from virgate.node.storage.formats.safelease import Tag
from virgate.node.storage.manager import OPERATIONS
from virgate.run.helper import Helper
from virgate.run.loop import reactor

BLOCK = 4096
RENEWAL = 1.0
"""Seconds between two renewals."""


class SafeLease:
    """One host id per process: it is only a name here."""

    log = Logger()

    volume_leases: ClassVar[bool] = False
    second: ClassVar[float] = 1.0
    """How long one is; tests have short ones."""

    def __init__(self, space: LeaseSpace) -> None:
        self._space, self._times = space, space.parameters
        self._helper: Helper | None = None
        self._host: int | None = None
        self._held = False
        self._renewed = 0.0
        self._tell: Callable[[str], None] = lambda _: None
        self._changing = DeferredLock()

    @property
    def joined(self) -> int | None:
        return self._host

    @property
    def held(self) -> bool:
        return self._held

    async def initialize(self) -> None:
        try:
            record = safelease.FREE.ljust(BLOCK, b"\0")
            await self._call("write_data", str(self._space.leases), 0, record)
            await self._call("flush_data", str(self._space.leases))
        except (OSError, VirgateError) as problem:
            raise LeasesNotMade(self._space.domain, str(problem)) from None
        await self._rest()

    async def join(self, host: int) -> None:
        if self._host not in (None, host):
            raise HostIdNotAcquired(self._space.domain, host, f"this host is {self._host} there")
        self._host = host

    async def leave(self) -> None:
        self._host = None

    async def acquire(self) -> None:
        """Takes 2 io timeouts; with a tag of somebody else one lease time and 6 io timeouts more."""
        await self._changing.acquire()
        try:
            if not self._held:
                await self._contend()
                self._held = True
                ensureDeferred(self._renew())
        except (OSError, VirgateError) as problem:
            if isinstance(problem, LeaseNotAcquired):
                raise
            raise LeaseNotAcquired(self._space.domain, str(problem)) from None
        finally:
            self._changing.release()
            if not self._held:
                await self._rest()

    async def release(self) -> None:
        await self._changing.acquire()
        try:
            if self._held:
                self._held = False
                if (await self._read()).owner == str(self._host):
                    await self._write(safelease.FREE)
        except (OSError, VirgateError) as problem:
            raise LeaseNotReleased(self._space.domain, str(problem)) from None
        finally:
            self._changing.release()
            await self._rest()

    async def inquire(self) -> LeaseOwner | None:
        try:
            found = await self._read()
        except (OSError, VirgateError) as problem:
            raise LeaseUnknown(self._space.domain, "SDM", str(problem)) from None
        finally:
            if not self._held:
                await self._rest()
        if found.free:
            return None
        return LeaseOwner(int(found.owner) if found.owner.isdecimal() else 0, 0)

    def when_lost(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def fresh(self, name: str) -> bytes:
        return b""

    async def acquire_other(self, lease: LeasePlace) -> None:
        """Domains so old have one lock only."""

    async def release_other(self, lease: LeasePlace) -> None:
        """Nothing was taken."""

    async def inquire_other(self, lease: LeasePlace) -> LeaseOwner | None:
        return None

    async def _contend(self) -> None:
        if self._host is None:
            raise LeaseNotAcquired(self._space.domain, "this host has no id there")
        found = await self._read()
        if not found.free:
            patience = safelease.patience_ms(self._times.lease * 1000, self._times.io_timeout * 1000) / 1000
            await self._pause(patience)
            again = await self._read()
            if again != found and not again.free:
                raise LeaseNotAcquired(self._space.domain, f"host id {again.owner} holds it and renews it")
        mine = self._tag()
        await self._write(mine.encode())
        await self._pause(2 * self._times.io_timeout)
        found = await self._read()
        if found != mine:
            raise LeaseNotAcquired(self._space.domain, f"host id {found.owner} was faster")
        await self._write(self._tag().encode())
        self._renewed = reactor.seconds()

    async def _renew(self) -> None:
        """Until it is released, or lost: to another host, or because storage did not answer for the lease time."""
        while self._held:
            await self._pause(RENEWAL)
            await self._changing.acquire()
            try:
                if self._held:
                    await self._renew_once()
            except (OSError, VirgateError) as problem:
                if reactor.seconds() - self._renewed >= self._times.lease * self.second:
                    self._lose(f"not renewed for {self._times.lease} seconds: {problem}")
            finally:
                self._changing.release()

    async def _renew_once(self) -> None:
        began = reactor.seconds()
        found = await self._read()
        if found.owner != str(self._host):
            self._lose(f"host id {found.owner} took it")
            return
        await self._write(self._tag().encode())
        self._renewed = began

    def _lose(self, how: str) -> None:
        self._held = False
        self.log.error("the lock of {domain} is lost: {how}", domain=self._space.domain, how=how)
        self._tell(how)

    def _tag(self) -> Tag:
        return Tag(str(self._host), time.time_ns() // 1000)

    async def _read(self) -> Tag:
        return Tag.decode((await self._call("read_data", str(self._space.leases), 0, BLOCK))[: safelease.RECORD])

    async def _write(self, tag: bytes) -> None:
        path = str(self._space.leases)
        block = (await self._call("read_data", path, 0, BLOCK)).ljust(BLOCK, b"\0")
        record = safelease.replace_tag(block[: safelease.RECORD], tag)
        await self._call("write_data", path, 0, record + block[safelease.RECORD :])

    def _call(self, operation: str, *arguments: object) -> Deferred[bytes]:
        """A worker that does not answer within the io timeout is replaced."""
        if self._helper is None:
            self._helper = Helper(f"lock of {self._space.domain}", OPERATIONS)
        return self._helper.call(operation, *arguments, timeout=self._times.io_timeout)

    async def _rest(self) -> None:
        """Ends the worker: a lock that is not held needs none."""
        helper, self._helper = self._helper, None
        if helper is not None:
            await helper.stop()

    def _pause(self, seconds: float) -> Deferred[None]:
        waited: Deferred[None] = Deferred(lambda _: timer.cancel())
        timer = reactor.callLater(seconds * self.second, waited.callback, None)
        return waited
