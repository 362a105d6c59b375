"""Who is subscribed to what. One map for all connections: a message goes to every subscriber of its destination."""

from collections.abc import Callable, Iterator

from attrs import define, field, frozen

JSON = "application/json"


@frozen
class Message:
    """What is sent to a destination."""

    destination: str
    body: bytes = field(repr=False)
    kind: str = JSON


@define(eq=False)
class Subscription:
    """`deliver(subscription, message)` belongs to the connection that subscribed."""

    id: str
    destination: str
    deliver: "Callable[[Subscription, Message], None]"
    ack: str = "auto"


class Subscriptions:
    def __init__(self) -> None:
        self._of: dict[str, dict[Subscription, None]] = {}
        self._watched: dict[str, Callable[[bool], None]] = {}

    def watch(self, destination: str, notice: Callable[[bool], None]) -> None:
        """Calls `notice(True)` when the first subscriber of a destination comes, `notice(False)` after the last."""
        self._watched[destination] = notice

    def add(self, made: Subscription) -> None:
        before = self._heard()
        self._of.setdefault(made.destination, {})[made] = None
        self._compare(before)

    def remove(self, gone: Subscription) -> None:
        before = self._heard()
        there = self._of.get(gone.destination, {})
        there.pop(gone, None)
        if not there:
            self._of.pop(gone.destination, None)
        self._compare(before)

    def send(self, message: Message) -> int:
        """How many subscribers got it."""
        found = list(self._covering(message.destination))
        for one in found:
            one.deliver(one, message)
        return len(found)

    def _covering(self, destination: str) -> Iterator[Subscription]:
        """The subscribers of a destination and of its dotted parents: those of `a.b` hear what is sent to `a.b.c`."""
        while destination:
            yield from self._of.get(destination, ())
            destination = destination.rpartition(".")[0]

    def _heard(self) -> set[str]:
        return {each for each in self._watched if any(True for _ in self._covering(each))}

    def _compare(self, before: set[str]) -> None:
        now = self._heard()
        for each in before ^ now:
            self._watched[each](each in now)
