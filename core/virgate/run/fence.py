"""Work that may be forbidden from one moment on.

Who enters a fence works behind it with all he starts from there on, however many coroutines that are: the fence is
in their context. Once it is lowered, helpers and programs begin nothing more for them, and what they have running
there can be killed. Others, who never entered it, are not concerned.
"""

from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

from virgate.run.outcome import Outcome

T = TypeVar("T")


class Fenced(Protocol):
    """A program or a helper that has something running behind a fence."""

    def fence_fell(self, fence: "Fence") -> Iterable[Outcome[None]]:
        """Kill it. Answers the ends of all processes of it that are killed and perhaps not dead yet."""


@define(eq=False)
class Fence:
    problem: Exception | None = None
    """Why nothing is allowed any more; raised wherever work goes on nevertheless."""
    outer: "Fence | None" = None
    """What is behind this one is behind that one as well."""
    _running: set[Fenced] = field(factory=set)
    _dying: list[Outcome[None]] = field(factory=list)

    def enter(self) -> None:
        """The caller's coroutine works behind the fence from now on, and whatever it starts."""
        _here.set(self)

    def lower(self, problem: Exception) -> None:
        """From now on nothing is begun behind the fence."""
        if self.problem is None:
            self.problem = problem

    def kill(self) -> None:
        """Kills what still runs behind a lowered fence, whoever waits for it or not."""
        for fenced in tuple(self._running):
            self._dying += fenced.fence_fell(self)
        self._running.clear()

    async def emptied(self) -> None:
        """Comes back when all of it is dead: a process that hangs in the kernel may write when it comes out of it."""
        for end in self._dying:
            await end.wait()

    @property
    def fallen(self) -> Exception | None:
        """The problem, also that of a fence around this one."""
        return self.problem or (self.outer.fallen if self.outer else None)

    def fence_fell(self, fence: "Fence") -> Iterable[Outcome[None]]:
        self.kill()
        return tuple(self._dying)

    def add(self, fenced: Fenced) -> None:
        self._running.add(fenced)

    def discard(self, fenced: Fenced) -> None:
        self._running.discard(fenced)


_here: ContextVar[Fence | None] = ContextVar("fence", default=None)


def admitted() -> Fence | None:
    """The fence that the caller works behind, if any; raises its problem once it is lowered."""
    fence = _here.get()
    if fence is not None and fence.fallen is not None:
        raise fence.fallen
    return fence


@contextmanager
def inner() -> Iterator[Fence]:
    """Inside the block the caller's coroutine, and whatever it starts, works behind one more fence."""
    outer = admitted()
    made = Fence(outer=outer)
    if outer is not None:
        outer.add(made)
    _here.set(made)
    try:
        yield made
    finally:
        _here.set(outer)
        if outer is not None:
            outer.discard(made)


def leave() -> None:
    """The caller's coroutine is not behind a fence any more."""
    _here.set(None)


def unfenced(work: Coroutine[Any, Any, T]) -> "Deferred[T]":
    """Starts work that outlives, or cleans up after, what is behind the caller's fence."""
    context = copy_context()
    context.run(_here.set, None)
    return context.run(Deferred.fromCoroutine, work)
