"""A value that comes once and may be awaited by many."""

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed

Value = TypeVar("Value")


class Outcome(Generic[Value]):
    """What a Deferred is not: awaited any number of times, before and after, each waiter cancelled for itself."""

    def __init__(self) -> None:
        self.known = False
        self._value: Value
        self._waiters: list[Deferred[Value]] = []

    def tell(self, value: Value) -> None:
        """The first value stays; later ones are ignored."""
        if self.known:
            return
        self.known, self._value = True, value
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(value)

    def wait(self) -> Deferred[Value]:
        if self.known:
            return succeed(self._value)
        waiter: Deferred[Value] = Deferred(self._forget)
        self._waiters.append(waiter)
        return waiter

    def _forget(self, waiter: Deferred[Value]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
