"""A host that wishes: requests go into its mailbox, the SPM's replies come back (spec storage-format 6.2, 6.3).

Without a request nothing is read or written.
"""

from collections import deque
from typing import cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.formats.mailbox import BLANK, Extend
from virgate.node.storage.mailbox.nap import Nap
from virgate.node.storage.mailbox.places import Place
from virgate.node.storage.mailbox.requests import Requests
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.values import Clock
from virgate.run.fence import unfenced

PATIENT = 9
"""Failures in a row after which storage is left alone for REST seconds."""
REST = 60.0


@define(eq=False)
class Sender:
    """The mailbox of this host."""

    log = Logger()

    place: Place
    host: int
    settings: MailboxSettings
    clock: Clock
    _requests: Requests = field(init=False, factory=Requests)
    _written: tuple[str, bytes] = field(init=False, default=("", BLANK))
    """Master and mailbox: a master that is new to us has nothing of ours."""
    _queue: deque[bytes] = field(init=False, factory=deque)
    _askers: dict[bytes, list[Deferred[bool]]] = field(init=False, factory=dict)
    _running: Deferred[None] | None = field(init=False, default=None)
    _nap: Nap = field(init=False)
    _failures: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._nap = Nap(self.clock)

    async def start(self) -> None:
        """What an earlier life of this host asked for is not wanted any more."""
        self._written = self.place.master, BLANK
        await self.place.write_requests(self.host, BLANK)

    async def ask(self, wish: Extend) -> bool:
        """Whether the SPM did it; `CannotExtendVolume` (206) if there is no reply."""
        if self._stopped:
            raise CannotExtendVolume(wish.volume, "this host leaves its pool")
        message, asker = wish.encode(), Deferred[bool]()
        known = message in self._askers
        self._askers.setdefault(message, []).append(asker)
        if not known:
            self._queue.append(message)
        self._wake()
        patience = self.settings.patience
        try:
            return await asker.addTimeout(patience, cast(IReactorTime, self.clock))
        except TimeoutError:
            self._forget(message, asker)
            raise CannotExtendVolume(wish.volume, f"the SPM did not answer within {patience:g} seconds") from None

    async def stop(self) -> None:
        """Empties the mailbox. Those who wait are told that nobody will answer."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()
        self._nap.cut()
        askers, self._askers = self._askers, {}
        for message, waiting in askers.items():
            for asker in waiting:
                asker.errback(CannotExtendVolume(Extend.decode(message).volume, "this host leaves its pool"))
        try:
            await self.place.write_requests(self.host, BLANK)
        except (VirgateError, OSError) as problem:
            self.log.warn("mailbox of host {host} is not emptied: {problem}", host=self.host, problem=problem)

    @property
    def _wanted(self) -> tuple[str, bytes]:
        return self.place.master, self._requests.block

    def _forget(self, message: bytes, asker: Deferred[bool]) -> None:
        waiting = self._askers.get(message, [])
        if asker in waiting:
            waiting.remove(asker)
        if not waiting:
            self._askers.pop(message, None)

    def _wake(self) -> None:
        if self._running is None:
            self._running = unfenced(self._run())
            self._running.addErrback(self._broke).addBoth(self._ended)
        else:
            self._nap.cut()

    def _broke(self, failure: object) -> None:
        if not isinstance(getattr(failure, "value", None), CancelledError):
            self.log.failure("mailbox of host {host} stands still", failure, host=self.host)  # type: ignore[arg-type]

    def _ended(self, _: object) -> None:
        self._running = None
        if self._queue and not self._stopped:
            self._wake()

    async def _run(self) -> None:
        while self._queue or self._requests.active or self._written != self._wanted:
            try:
                await self._turn()
                self._failures = 0
            except (VirgateError, OSError) as problem:
                self._failures += 1
                if self._failures in (1, PATIENT + 1):
                    self.log.warn("mailbox of host {host}: {problem}", host=self.host, problem=problem)
                await self._nap.take(REST if self._failures > PATIENT else self.settings.interval)

    async def _turn(self) -> None:
        """Says what there is to say, waits a little, hears."""
        if not self._requests.active:
            self._requests.rebase(await self.place.read_replies(self.host))
        self._fill()
        if (wanted := self._wanted) != self._written:
            await self.place.write_requests(self.host, wanted[1])
            self._written = wanted
            if self.settings.events:
                await self.place.ring()
        if not self._requests.active:
            return
        await self._nap.take(self.settings.events_interval if self.settings.events else self.settings.interval)
        for answer in self._requests.hear(await self.place.read_replies(self.host)):
            granted = Extend.decode(answer.reply).mib > 0
            for asker in self._askers.pop(answer.request, ()):
                asker.callback(granted)

    def _fill(self) -> None:
        """Takes wishes from the queue; those without a slot wait for one."""
        while self._queue:
            if self._requests.add(self._queue[0]) is None:
                return
            self._queue.popleft()
