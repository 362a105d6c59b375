"""The SPM's post office: reads what hosts wish, lets volumes grow, replies (spec storage-format 6.2 to 6.4)."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from attrs import Factory, define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.errors import VirgateError
from virgate.node.storage.formats import mailbox
from virgate.node.storage.mailbox.nap import Nap
from virgate.node.storage.mailbox.places import Place
from virgate.node.storage.mailbox.postbox import Postbox, Wish
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.values import Clock

Extend = Callable[[str, str, int], Awaitable[None]]
"""Gives a volume of a domain so many MiB at least; raises if it cannot."""


@define(eq=False)
class Office:
    """Open from `start` to `stop`; then nothing is written any more, whatever is still under way."""

    log = Logger()

    place: Place
    extend: Extend
    settings: MailboxSettings
    clock: Clock
    hosts: int = field(default=Factory(lambda self: self.settings.hosts, takes_self=True))
    """Mailboxes it reads: those of hosts with ids below this."""
    _box: Postbox = field(init=False)
    _nap: Nap = field(init=False)
    _running: Deferred[None] | None = field(init=False, default=None)
    _ring: UUID | None = field(init=False, default=None)
    _read_at: float = field(init=False, default=float("-inf"))
    _master: str = field(init=False, default="")
    _unwritten: set[int] = field(init=False, factory=set)
    _whole: bool = field(init=False, default=True)
    _failing: bool = field(init=False, default=False)
    _bad: frozenset[int] = field(init=False, default=frozenset())

    def __attrs_post_init__(self) -> None:
        self._box, self._nap = Postbox(self.hosts), Nap(self.clock)

    @property
    def is_open(self) -> bool:
        return self._running is not None

    async def start(self) -> None:
        """Empties the outbox, so that nobody takes an old reply for a new one; raises if that fails."""
        self._master = self.place.master
        await self.place.write_replies(0, self._box.outbox)
        self._whole = False
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._broke)

    def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def _broke(self, failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            self.log.failure("the SPM's mailbox stands still", failure)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
                self._failing = False
            except (VirgateError, OSError) as problem:
                if not self._failing:
                    self.log.warn("the SPM's mailbox: {problem}", problem=problem)
                self._failing = True
                await self._nap.take(self.settings.interval)
            else:
                await self._nap.take(self.settings.events_interval if self.settings.events else self.settings.interval)

    async def _look(self) -> None:
        if self._master != self.place.master:
            self._master, self._whole = self.place.master, True
        due = self.clock.seconds() - self._read_at >= self.settings.interval
        if await self._rings() or due:
            self._read_at = self.clock.seconds()
            await self._read()
        await self._flush()

    async def _rings(self) -> bool:
        if not self.settings.events:
            return False
        ring = mailbox.decode_event(await self.place.read_ring())
        rings, self._ring = ring is not None and ring != self._ring, ring
        return rings

    async def _read(self) -> None:
        found = self._box.read(await self.place.read_requests(self.hosts))
        self._whole = self._whole or found.whole
        self._unwritten |= set(found.hosts)
        if news := frozenset(found.bad) - self._bad:
            self.log.warn("mailboxes of hosts {hosts} make no sense", hosts=sorted(news))
        self._bad = frozenset(found.bad)
        for wish in found.wishes:
            granting = Deferred.fromCoroutine(self._grant(wish))
            granting.addErrback(lambda failure: self.log.failure("a wish for a larger volume got no reply", failure))

    async def _grant(self, wish: Wish) -> None:
        wanted = wish.extend
        try:
            await self.extend(wanted.domain, wanted.volume, wanted.mib)
            granted = True
        except (VirgateError, OSError) as problem:
            granted = False
            self.log.warn(
                "volume {volume} stays as it is, as host {host} shall know: {problem}",
                volume=wanted.volume,
                host=wish.host,
                problem=problem,
            )
        except Exception:
            granted = False
            self.log.failure("volume {volume} stays as it is", volume=wanted.volume)
        if self._box.reply(wish, granted) is None:
            return
        self._unwritten.add(wish.host)
        try:
            await self._flush()
        except (VirgateError, OSError):
            self._nap.cut()  # the next look tries again

    async def _flush(self) -> None:
        """Writes what was not written yet; what fails stays unwritten."""
        if self._whole and self.is_open:
            self._whole = False
            try:
                await self.place.write_replies(0, self._box.outbox)
            except (VirgateError, OSError):
                self._whole = True
                raise
        while self._unwritten and self.is_open:
            host = min(self._unwritten)
            self._unwritten.discard(host)
            try:
                await self.place.write_replies(host, self._box.mailbox(host))
            except (VirgateError, OSError):
                self._unwritten.add(host)
                raise
