"""The connection to libvirt: opened, kept, opened again.

The daemon starts whether libvirt is there or not, and lives on when libvirt goes: calls fail with HypervisorAway until
the connection is back. Both changes are told on the bus, once each:

    libvirt.connected(uri)             the state of every machine should be looked at afresh
    libvirt.disconnected(uri, reason)

While connected nothing is polled; a keep-alive message every few seconds finds a libvirt that hangs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any, TypeVar

import libvirt
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.events import EventBus
from virgate.libvirt import domain_events, eventloop
from virgate.libvirt.errors import HypervisorAway, translate
from virgate.libvirt.lanes import Lanes
from virgate.libvirt.words import CLOSE_REASONS, word
from virgate.run.errors import PoolClosed
from virgate.run.loop import reactor
from virgate.run.thread import ThreadPool

Result = TypeVar("Result")

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts to connect; the last one repeats."""

FAREWELL = 2.0
"""Seconds that stopping waits for the connection to close."""

FIRST_ATTEMPT = 5.0
"""Seconds that starting waits for the first attempt; it goes on behind it when libvirt accepts and says nothing."""


class Hypervisor:
    """One libvirt, by its URI."""

    log = Logger()

    def __init__(
        self,
        uri: str,
        events: EventBus,
        *,
        threads: int = 8,
        keepalive: tuple[int, int] = (5, 3),
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.uri = uri
        self._events = events
        self._keepalive = keepalive
        self._pauses = pauses
        self._lanes = Lanes()
        self._connection: _Connection | None = None
        self._connecting: Deferred[None] | None = None
        self._away = "no answer yet"
        self._told_away = False
        self._calls = ThreadPool("libvirt", threads)
        self._opening = ThreadPool("libvirt-open", 1)
        self._stopped = False

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def waiting(self) -> int:
        """Calls that wait for a free thread: a figure to watch."""
        return self._calls.waiting

    async def start(self) -> None:
        """Waits for the first attempt only; never fails because libvirt is away."""
        eventloop.install()
        first: Deferred[None] = Deferred()
        self._connect(first)
        try:
            await first.addTimeout(FIRST_ATTEMPT, reactor)
        except TimeoutError:
            self._tell_away(self._away)

    async def stop(self) -> None:
        """Closes the connection; running calls end by themselves, unheard."""
        self._stopped = True
        self._away = "stopped"
        if self._connecting:
            self._connecting.cancel()
        connection, self._connection = self._connection, None
        if connection:
            with suppress(TimeoutError):
                await self._opening.call(connection.close).addTimeout(FAREWELL, reactor)
        self._calls.close()
        self._opening.close()

    async def call(self, function: Callable[..., Result], *args: Any, uuid: str = "", beside: bool = False) -> Result:
        """Runs `function(connection, *args)` in a thread; libvirt's errors arrive as ours.

        `uuid` is the domain the call is about, for the error. Calls about one domain wait for each other, but for
        those that may go on `beside` another. Cancelling forgets the answer, not the call.
        """
        async with self._lanes.turn("" if beside else uuid):
            return await self._call(function, args, uuid)

    async def _call(self, function: Callable[..., Result], args: Sequence[Any], uuid: str) -> Result:
        connection = self._connection
        if connection is None:
            raise HypervisorAway(self.uri, self._away)
        try:
            return await self._calls.call(self._in_thread, connection, uuid, function, *args)
        except HypervisorAway as problem:
            self._lose(connection, problem.detail)
            raise
        except CancelledError:
            if self._stopped:
                raise HypervisorAway(self.uri, self._away) from None
            raise

    def _in_thread(self, connection: "_Connection", uuid: str, function: Callable[..., Result], *args: Any) -> Result:
        with connection.kept_open() as kept:
            if not kept:
                raise HypervisorAway(self.uri, self._away)
            try:
                return function(connection.libvirt, *args)
            except libvirt.libvirtError as problem:
                raise translate(problem, self.uri, uuid, connection.alive) from problem

    def _connect(self, first: Deferred[None] | None = None) -> None:
        self._connecting = Deferred.fromCoroutine(self._keep_trying(first))
        self._connecting.addErrback(self._given_up)

    def _given_up(self, failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            self.log.failure("connecting to {uri} broke", failure, uri=self.uri)

    async def _keep_trying(self, first: Deferred[None] | None) -> None:
        for pause in chain(self._pauses, repeat(self._pauses[-1])):
            try:
                self._adopt(await self._opening.call(self._open))
            except libvirt.libvirtError as problem:
                self._tell_away(problem.get_error_message() or str(problem))
            if first and not first.called:
                first.callback(None)
            if self.connected or self._stopped:
                return
            await deferLater(reactor, pause)

    def _open(self) -> "_Connection":
        """In a thread: connects and registers for everything, so that nothing that follows goes unseen."""
        connection = _Connection(libvirt.open(self.uri))
        connection.prepare(self._keepalive, self._closed, self._events)
        if self._stopped:
            connection.close()
        return connection

    def _adopt(self, connection: "_Connection") -> None:
        if not connection.alive:
            self._forget(connection)
            self._tell_away("it was lost at once")
            return
        self._connection, self._away, self._told_away = connection, "", False
        self.log.info("connected to {uri}", uri=self.uri)
        self._events.tell("libvirt.connected", uri=self.uri)

    def _closed(self, connection: "_Connection", reason: int) -> None:
        """From whatever thread noticed: inside libvirt, so nothing of libvirt may be called here."""
        reactor.callFromThread(self._lose, connection, f"closed ({word(CLOSE_REASONS, reason)})")

    def _lose(self, connection: "_Connection", reason: str) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        self._forget(connection)
        self._tell_away(reason)
        self._connect()

    def _forget(self, connection: "_Connection") -> None:
        with suppress(PoolClosed):
            self._opening.call(connection.close).addErrback(lambda failure: None)

    def _tell_away(self, reason: str) -> None:
        self._away = reason
        if not self._told_away:
            self._told_away = True
            self.log.warn("no connection to {uri}: {reason}", uri=self.uri, reason=reason)
            self._events.tell("libvirt.disconnected", uri=self.uri, reason=reason)


class _Connection:
    """A libvirt connection with what was registered on it. Blocks; used in threads."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self.libvirt = connection
        self._registered: list[int] = []
        self._users: set[object] = set()
        self._ending = False
        self._unclosed = [connection]  # popped by whoever closes it

    @contextmanager
    def kept_open(self) -> Iterator[bool]:
        """While a thread is inside, the connection is not closed; False when it is too late for that.

        libvirt frees a connection when it is closed, under the feet of a thread that still calls it: that thread then
        hangs in a lock that is no more, or closes descriptors that are somebody else's by now.
        """
        user = object()
        self._users.add(user)  # before the look at the flag; `close` sets the flag before it looks at the users
        try:
            yield not self._ending
        finally:
            self._users.discard(user)
            self._close_if_unused()

    @property
    def alive(self) -> bool:
        """A look at the socket's state, without a word to the other side."""
        with suppress(libvirt.libvirtError):
            return bool(self.libvirt.isAlive())
        return False

    def prepare(
        self, keepalive: tuple[int, int], closed: Callable[["_Connection", int], None], events: EventBus
    ) -> None:
        # A driver inside our own process has no other side that could hang or close; it refuses both.
        with suppress(libvirt.libvirtError):
            self.libvirt.setKeepAlive(*keepalive)
        with suppress(libvirt.libvirtError):
            self.libvirt.registerCloseCallback(lambda _, reason, __: closed(self, reason), None)
        self._registered = domain_events.register(self.libvirt, events)

    def close(self) -> None:
        """Lets everything go when the last thread has left it."""
        self._ending = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._ending or self._users:
            return
        with suppress(IndexError):
            self._unclosed.pop()
            self._close()

    def _close(self) -> None:
        """Libvirt keeps a connection as long as a callback is registered."""
        for number in self._registered:
            with suppress(libvirt.libvirtError):
                self.libvirt.domainEventDeregisterAny(number)
        with suppress(libvirt.libvirtError):
            self.libvirt.unregisterCloseCallback()
        with suppress(libvirt.libvirtError):
            self.libvirt.close()
