"""Reader/writer locks on named resources, first come first served (spec xmlrpc-storage 6).

They order the tasks of one process; between hosts only leases do. A hold takes all its resources in sorted order,
so two holds never wait for each other; a task that takes a second hold while it has one must keep that order
itself: pool and domains (`storage`), then images, then volumes.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from virgate.node.tasks.errors import InvalidLockName, LockTimeout

TIMEOUT = 120.0
STORAGE = "00_storage"

_NAME = re.compile(r"[\w.-]+", re.ASCII)


def _valid(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidLockName(name)
    return name


@frozen(order=True)
class Request:
    """A wish to use one resource, alone (`exclusive`) or together with other shared users."""

    namespace: str = field(converter=_valid)
    name: str = field(converter=_valid)
    exclusive: bool = False

    @property
    def resource(self) -> str:
        return f"{self.namespace}.{self.name}"


def storage(name: str, *, exclusive: bool = False) -> Request:
    """A pool, a domain or another thing of the storage level."""
    return Request(STORAGE, name, exclusive)


def image(domain: str, name: str, *, exclusive: bool = False) -> Request:
    return Request(f"01_img_{domain}", name, exclusive)


def volume(domain: str, name: str, *, exclusive: bool = False) -> Request:
    return Request(f"02_vol_{domain}", name, exclusive)


@define(eq=False)
class _Resource:
    """One lock: how many hold it, and who waits, in the order of arrival."""

    holders: int = 0
    exclusive: bool = False
    waiting: "deque[tuple[bool, Deferred[None]]]" = field(factory=deque)

    @property
    def idle(self) -> bool:
        return not self.holders and not self.waiting

    def admits(self, exclusive: bool) -> bool:
        return not self.holders or not (exclusive or self.exclusive)

    def enter(self, exclusive: bool) -> None:
        self.holders += 1
        self.exclusive = exclusive

    def take(self, exclusive: bool) -> "Deferred[None] | None":
        """None when the lock is taken at once. A shared wish never overtakes a waiting exclusive one."""
        if not self.waiting and self.admits(exclusive):
            self.enter(exclusive)
            return None
        turn: Deferred[None] = Deferred(self._give_up)
        self.waiting.append((exclusive, turn))
        return turn

    def leave(self) -> None:
        self.holders -= 1
        self._admit()

    def _give_up(self, turn: "Deferred[None]") -> None:
        self.waiting = deque(entry for entry in self.waiting if entry[1] is not turn)
        self._admit()

    def _admit(self) -> None:
        while self.waiting and self.admits(self.waiting[0][0]):
            exclusive, turn = self.waiting.popleft()
            self.enter(exclusive)
            turn.callback(None)


class Locks:
    """All locks of a node."""

    def __init__(self, clock: IReactorTime, timeout: float = TIMEOUT) -> None:
        self._clock: Any = clock  # zope interfaces are no types for mypy
        self._timeout = timeout
        self._resources: dict[str, _Resource] = {}

    @asynccontextmanager
    async def hold(self, *requests: Request, within: float | None = None) -> AsyncIterator[None]:
        """Holds every resource until the block ends. LockTimeout if they were not all free `within` so many seconds.

        A resource asked for twice is held once, exclusively if either asked so. Cancelling while waiting, and an
        error, give back what was taken.
        """
        patience = self._timeout if within is None else within
        deadline = self._clock.seconds() + patience
        taken: list[str] = []
        try:
            for request in _merged(requests):
                await self._take(request, deadline, patience)
                taken.append(request.resource)
            yield
        finally:
            for resource in reversed(taken):
                self._leave(resource)

    def busy(self, request: Request) -> bool:
        """Whether taking it would have to wait now."""
        found = self._resources.get(request.resource)
        return found is not None and not (not found.waiting and found.admits(request.exclusive))

    async def _take(self, request: Request, deadline: float, patience: float) -> None:
        lock = self._resources.setdefault(request.resource, _Resource())
        turn = lock.take(request.exclusive)
        if turn is None:
            return
        turn.addTimeout(max(0.0, deadline - self._clock.seconds()), self._clock)
        try:
            await turn
        except TimeoutError:
            raise LockTimeout(request.resource, patience) from None
        finally:
            self._forget(request.resource, lock)

    def _leave(self, resource: str) -> None:
        lock = self._resources[resource]
        lock.leave()
        self._forget(resource, lock)

    def _forget(self, resource: str, lock: _Resource) -> None:
        # Whoever was let in a moment ago may have left already and put a new lock in this place.
        if lock.idle and self._resources.get(resource) is lock:
            del self._resources[resource]


def _merged(requests: Iterable[Request]) -> list[Request]:
    wanted: dict[tuple[str, str], Request] = {}
    for request in sorted(requests):
        wanted[request.namespace, request.name] = request  # exclusive sorts last and wins
    return [wanted[key] for key in sorted(wanted)]
