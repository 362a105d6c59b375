"""The lease manager of one shared domain (spec storage-format 5.2 to 5.4). Read the package's docstring first."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseOwner, LeasePlace, LeaseSpace
from virgate.node.storage.errors.leases import (
    HostIdNotAcquired,
    HostIdNotReleased,
    LeaseNotAcquired,
    LeaseNotReleased,
    LeasesNotMade,
    LeaseUnknown,
)
from virgate.node.storage.formats import sanlock as records
from virgate.node.storage.formats.layout import sdm_offset
from virgate.run.fence import unfenced
from virgate_plugins.leases.sanlock import chosen
from virgate_plugins.leases.sanlock.holding import Guard
from virgate_plugins.leases.sanlock.holdings import Holdings, told
from virgate_plugins.leases.sanlock.reasons import reason
from virgate_plugins.leases.sanlock.workers import Worker, pause, service

POLL = 0.5
"""Seconds between two looks at a host id that is being joined or left; a look asks the service only."""

VALUE = 512


class SanlockLease:
    """This host's part in the leases of one domain."""

    log = Logger()

    volume_leases: ClassVar[bool] = True

    def __init__(self, space: LeaseSpace) -> None:
        self._space = space
        self._spm = LeasePlace(records.SDM, space.leases, sdm_offset(space.alignment))
        self._worker = Worker(f"sanlock:{space.domain}")
        # Looks do not wait behind an acquisition, which may watch another host for a minute and more.
        self._looker = Worker(f"sanlock:{space.domain}#look")
        self._writer = Worker(f"sanlock:{space.domain}#write", fenced=True)
        self._host: int | None = None
        self._mine = Holdings(space.domain, self._worker, self._lost)
        self._tell: Callable[[str], None] = lambda _: None
        self._others: list[Callable[[str], Awaitable[None]]] = []
        self._watch = LoopingCall(lambda: ensureDeferred(self._look()))

    @property
    def joined(self) -> int | None:
        return self._host

    @property
    def held(self) -> bool:
        return self._spm in self._mine.leases

    @property
    def _geometry(self) -> tuple[int, int]:
        return self._space.block_size, self._space.alignment

    async def initialize(self) -> None:
        space, timeout = self._space, chosen.settings.io_timeout
        try:
            paths = str(space.ids), str(space.leases)
            await self._worker.call("make", space.domain, *paths, records.SDM, *self._geometry, timeout)
        except (OSError, VirgateError) as problem:
            raise LeasesNotMade(space.domain, reason(problem)) from None

    async def join(self, host: int) -> None:
        """sanlock is asked in any case: it may have lost the host id, or have kept it over a restart of the daemon."""
        domain, ids = self._space.domain, str(self._space.ids)
        if self._host not in (None, host):
            raise HostIdNotAcquired(domain, host, f"this host is {self._host} there")
        try:
            there = await service().call("joined", domain, host, ids)
            if there is False:
                self._host = None
                await service().call("begin_join", domain, host, ids, chosen.settings.io_timeout)
                there = None
            while there is None:
                await pause(POLL)
                there = await service().call("joined", domain, host, ids)
        except (OSError, VirgateError) as problem:
            raise HostIdNotAcquired(domain, host, reason(problem)) from None
        if not there:
            raise HostIdNotAcquired(
                domain,
                host,
                "sanlock could not take it: another host uses the same id, or storage does not answer"
                " (sanlock's log says which)",
            )
        self._host = host
        if not self._watch.running:
            self._watch.start(chosen.settings.check_interval, now=False)

    async def leave(self) -> None:
        """Whoever holds a lease here keeps the host id: `HostIdNotReleased` (662)."""
        host, domain, ids = self._host, self._space.domain, str(self._space.ids)
        if host is None:
            return
        if held := self._mine.leases:
            raise HostIdNotReleased(domain, host, f"{len(held)} leases are held with it")
        try:
            self._mine.end()
            await service().call("begin_leave", domain, host, ids)
            while await service().call("joined", domain, host, ids) is not False:
                await pause(POLL)
        except (OSError, VirgateError) as problem:
            raise HostIdNotReleased(domain, host, reason(problem)) from None
        self._forget()

    async def acquire(self) -> None:
        await self._acquire(self._spm)

    async def release(self) -> None:
        """After a loss this is the word that nothing writes here any more: now sanlock may let others have it."""
        await self._release(self._spm)

    async def inquire(self) -> LeaseOwner | None:
        return await self.inquire_other(self._spm)

    async def lives(self, host: int) -> bool:
        try:
            return bool(await self._looker.call("lives", self._space.domain, host))
        except (OSError, VirgateError) as problem:
            raise LeaseUnknown(self._space.domain, f"host {host}", reason(problem)) from None

    def when_lost(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def fresh(self, name: str) -> bytes:
        sector, align = self._geometry
        return records.resource(self._space.domain, name, sector, align)[: 2 * sector]

    async def acquire_other(self, lease: LeasePlace, *, value: bool = False) -> None:
        await self._acquire(lease, value=value)

    async def release_other(self, lease: LeasePlace) -> None:
        await self._release(lease)

    def when_others_lost(self, tell: Callable[[str], Awaitable[None]]) -> Callable[[], None]:
        self._others.append(tell)
        return lambda: self._others.remove(tell)

    async def inquire_other(self, lease: LeasePlace) -> LeaseOwner | None:
        place = told(lease)
        try:
            found = await self._looker.call("owner", self._space.domain, *place, *self._geometry)
        except (OSError, VirgateError) as problem:
            raise LeaseUnknown(self._space.domain, lease.name, reason(problem)) from None
        return LeaseOwner(*found) if found else None

    async def write_other(self, lease: LeasePlace, name: str) -> None:
        """A free lease of that name (`""`: none) at the place of another one, which nobody may hold."""
        place = name, str(lease.path), lease.offset
        try:
            await self._writer.call("write", self._space.domain if name else "", *place, *self._geometry)
        except (OSError, VirgateError) as problem:
            raise LeasesNotMade(self._space.domain, reason(problem)) from None

    async def change_value(self, lease: LeasePlace, change: Callable[[bytes], bytes]) -> None:
        """Takes a lease, replaces the bytes kept with it by what `change` makes of them, and gives it back."""
        place = told(lease)
        await self._acquire(lease, value=True)
        try:
            found = await self._worker.call("read_value", self._space.domain, *place, VALUE)
            await self._writer.call("write_value", self._space.domain, *place, change(found))
        except OSError as problem:
            raise LeaseUnknown(self._space.domain, lease.name, reason(problem)) from None
        finally:
            await self._release(lease)

    async def guard(self, machine: str, leases: Sequence[LeasePlace]) -> Guard:
        domain, holding = self._space.domain, None
        if self._host is None:
            raise LeaseNotAcquired(domain, "this host has no id there")
        guard = Guard(machine)
        try:
            await guard.ready()
            for holding in leases:
                await self._worker.call("acquire", domain, *told(holding), guard.pid, False)
        except (OSError, VirgateError) as problem:
            guard.end()
            why = reason(problem) if holding is None else await self._why(holding, problem)
            raise LeaseNotAcquired(domain, why) from None
        except BaseException:
            guard.end()
            raise
        return guard

    async def unguard(self, machine: str, lease: LeasePlace) -> None:
        """Gives back one lease of a machine that runs on without it. `LeaseNotReleased` (660)."""
        try:
            await self._worker.call("release_guarded", self._space.domain, *told(lease), machine)
        except (OSError, VirgateError) as problem:
            raise LeaseNotReleased(self._space.domain, reason(problem)) from None

    async def _acquire(self, lease: LeasePlace, *, value: bool = False) -> None:
        domain = self._space.domain
        if self._host is None:
            raise LeaseNotAcquired(domain, "this host has no id there")
        try:
            await self._mine.take(lease, value=value)
        except LeaseNotAcquired:
            raise
        except (OSError, VirgateError) as problem:
            raise LeaseNotAcquired(domain, await self._why(lease, problem)) from None

    async def _why(self, lease: LeasePlace, problem: Exception) -> str:
        """Names the host that holds it, if that can be said."""
        try:
            owner = await self.inquire_other(lease)
        except VirgateError:
            owner = None
        told = reason(problem)
        return f"host id {owner.host} holds {lease.name}; {told}" if owner else told

    async def _release(self, lease: LeasePlace) -> None:
        try:
            await self._mine.give(lease)
        except (OSError, VirgateError) as problem:
            raise LeaseNotReleased(self._space.domain, reason(problem)) from None

    def _forget(self) -> None:
        """This host has no id there any more; whoever needs one joins anew."""
        self._host = None
        if self._watch.running:
            self._watch.stop()

    async def _look(self) -> None:
        """What sanlock does not list is lost. A question without an answer says nothing: the holder still lives."""
        host, holder, held = self._host, self._mine.holder, set(self._mine.leases)
        if host is None:
            return
        try:
            there = await service().call("joined", self._space.domain, host, str(self._space.ids))
            found = await service().call("held_by", holder.pid) if holder and there else []
        except (OSError, VirgateError) as problem:
            self.log.warn("leases of {domain}: {why}", domain=self._space.domain, why=reason(problem))
            return
        now = self._host, self._mine.holder, self._mine.leases
        same = now == (host, holder, held)  # else the answer may be older than they
        if same and there is not None:
            listed = {(name, path, offset) for space, name, _, disks in found for path, offset in disks}
            gone = [lease.name for lease in held if told(lease) not in listed]
            if gone:
                self._lost(f"sanlock does not list {gone[0]} any more")
            elif not there:
                self.log.warn("host id {host} in {domain} is lost", host=host, domain=self._space.domain)
                self._forget()

    def _lost(self, how: str) -> None:
        """The holder stays until `release` says that nothing writes: the SPM lease is not given back before."""
        spm = self.held
        self._mine.leases.clear()
        self._forget()
        self.log.error("leases of {domain} are lost: {how}", domain=self._space.domain, how=how)
        for tell in tuple(self._others):
            unfenced(self._stop(tell, how))
        if spm:
            self._tell(how)
        else:
            self._mine.end()

    async def _stop(self, tell: Callable[[str], Awaitable[None]], how: str) -> None:
        with self._mine.writing():
            try:
                await tell(how)
            except Exception:
                self.log.failure("what worked with leases of {domain} did not end well", domain=self._space.domain)
