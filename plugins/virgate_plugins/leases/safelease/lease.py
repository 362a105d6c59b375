"""The lease manager of one domain of version 0 or 2. A host id is only the name that its owner writes."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseOwner, LeasePlace, LeaseSpace
from virgate.node.storage.errors.leases import HostIdNotAcquired, LeaseNotAcquired, LeaseNotReleased, LeaseUnknown
from virgate.node.storage.formats.safelease import FREE, Tag, patience_ms, replace_tag
from virgate.run.helper import Helper
from virgate.run.loop import reactor

CALLS = "virgate_plugins.leases.safelease.calls"
RENEWAL = 2.0
"""Seconds between two renewals while all goes well."""
NO_LEASES = "domains of version 0 and 2 have no leases but the SPM's"


class SafeLease:
    """Its worker process is there while the lease is wanted or held."""

    log = Logger()

    volume_leases: ClassVar[bool] = False

    def __init__(self, space: LeaseSpace) -> None:
        self._space = space
        self._host: int | None = None
        self._tag: Tag | None = None
        self._renewed = 0.0
        self._timer: Any = None
        self._acquiring = False
        self._helper: Helper | None = None
        self._tell: Callable[[str], None] = lambda reason: None

    @property
    def joined(self) -> int | None:
        return self._host

    @property
    def held(self) -> bool:
        return self._tag is not None

    @property
    def _lease(self) -> float:
        """Seconds an owner may go without a renewal."""
        return float(self._space.parameters.lease)

    async def lives(self, host: int) -> bool:
        """Only the holder of the lease writes anything, and not who he is."""
        return host == self._host

    async def initialize(self) -> None:
        await self._once("write_record", FREE.ljust(512, b"\0"))

    async def join(self, host: int) -> None:
        if self._host not in (None, host):
            raise HostIdNotAcquired(self._space.domain, host, f"this host is {self._host} there")
        self._host = host

    async def leave(self) -> None:
        self._host = None

    async def acquire(self) -> None:
        """One who does not renew it any more loses it; that is watched for longer than he may take for it."""
        if self._tag is not None:
            return
        if self._host is None:
            raise LeaseNotAcquired(self._space.domain, "this host has no id there")
        self._acquiring = True
        try:
            await self._acquire(str(self._host))
        except (OSError, VirgateError) as problem:
            if isinstance(problem, LeaseNotAcquired):
                raise
            raise LeaseNotAcquired(self._space.domain, str(problem)) from None
        finally:
            self._acquiring = False
            await self._rest()

    async def _acquire(self, owner: str) -> None:
        parameters = self._space.parameters
        found = await self._call("read_record")
        if not _is_free(found):
            await _pause(patience_ms(parameters.lease * 1000, parameters.io_timeout * 1000) / 1000)
            again = await self._call("read_record")
            if again[:32] != found[:32] and not _is_free(again):
                raise LeaseNotAcquired(self._space.domain, f"host {_owner(again)} has it")
            found = again
        tag = await self._write(found, owner)
        await _pause(2.0 * parameters.io_timeout)  # who began at the same time has written his name by then
        if (await self._call("read_record"))[:32] != tag.encode():
            raise LeaseNotAcquired(self._space.domain, "another host was faster")
        self._tag = tag
        await self._renew()

    async def _write(self, found: bytes, owner: str) -> Tag:
        tag = Tag(owner, int(time.time() * 1_000_000))
        began = time.monotonic()
        await self._call("write_record", replace_tag(found, tag.encode()))
        self._renewed = began
        return tag

    async def _renew(self) -> None:
        """Once, and from then on. What was not renewed in time is lost, and so is what another one's name is on."""
        self._timer, held = None, self._tag
        if held is None:
            return
        lost = ""
        try:
            found = await self._call("read_record")
            if found[:32] != held.encode():
                lost = "another host's name is on it"
            elif self._tag is held:
                tag = await self._write(found, held.owner)
                held = self._tag = tag if self._tag is held else None  # it may have been given back meanwhile
        except (OSError, VirgateError) as problem:
            self.log.warn("lease of {domain} is not renewed: {problem}", domain=self._space.domain, problem=problem)
            if time.monotonic() - self._renewed >= self._lease:
                lost = f"it could not be renewed for {self._lease:g} seconds"
        if self._tag is None or self._tag is not held:
            return
        if lost:
            self._tag = None
            self._tell(lost)
        else:
            self._timer = reactor.callLater(min(RENEWAL, self._lease / 10), self._renew_again)

    def _renew_again(self) -> None:
        Deferred.fromCoroutine(self._renew())

    async def release(self) -> None:
        held, self._tag = self._tag, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            if held is None:
                return
            found = await self._call("read_record")
            if _owner(found) == held.owner:
                await self._call("write_record", replace_tag(found, FREE))
        except (OSError, VirgateError) as problem:
            raise LeaseNotReleased(self._space.domain, str(problem)) from None
        finally:
            await self._rest()

    async def inquire(self) -> LeaseOwner | None:
        """Who has written his name, also if he is gone since; old hosts keep no count of owners."""
        try:
            found = await self._once("read_record")
            return None if _is_free(found) else LeaseOwner(int(_owner(found)), 0)
        except (OSError, ValueError, VirgateError) as problem:
            raise LeaseUnknown(self._space.domain, "SDM", str(problem)) from None

    def when_lost(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def fresh(self, name: str) -> bytes:
        return b""

    async def acquire_other(self, lease: LeasePlace) -> None:
        raise LeaseNotAcquired(self._space.domain, NO_LEASES)

    async def release_other(self, lease: LeasePlace) -> None:
        """Nothing is held."""

    async def inquire_other(self, lease: LeasePlace) -> LeaseOwner | None:
        return None

    async def _once(self, operation: str, *arguments: Any) -> Any:
        try:
            return await self._call(operation, *arguments)
        finally:
            await self._rest()

    async def _call(self, operation: str, *arguments: Any) -> Any:
        """A call that hangs fails within an io timeout; its worker is replaced."""
        if self._helper is None:
            self._helper = Helper(f"safelease:{self._space.domain}", CALLS)
        limit = max(1.0, float(self._space.parameters.io_timeout))
        return await self._helper.call(operation, str(self._space.leases), *arguments, timeout=limit)

    async def _rest(self) -> None:
        """Ends the worker unless the lease is held or about to be."""
        if self._tag is None and not self._acquiring:
            helper, self._helper = self._helper, None
            if helper is not None:
                await helper.stop()


def _is_free(record: bytes) -> bool:
    """A record that nobody ever wrote is as free as one that was given back."""
    return record[:32] == FREE or not any(record[:32])


def _owner(record: bytes) -> str:
    return Tag.decode(record).owner


async def _pause(seconds: float) -> None:
    await deferLater(reactor, seconds)
