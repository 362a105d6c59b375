"""The in-process event bus: rooms tell what happened, others listen, neither knows the other.

Topics are dotted words (`vm.status`, `storage.domain`, `libvirt.lifecycle`). Listeners are plain functions and must
not block; one that raises is logged and does not stop the others.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger

Listener = Callable[..., None]


class EventBus:
    log = Logger()

    def __init__(self) -> None:
        self._listeners: defaultdict[str, list[Listener]] = defaultdict(list)

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Calls `listener(**fields)` for every event of `topic`; the answer ends it, and may be called again."""
        self._listeners[topic].append(listener)
        listening = [listener]

        def end() -> None:
            while listening:
                self._listeners[topic].remove(listening.pop())

        return end

    def listen_all(self, listeners: Mapping[str, Listener]) -> Callable[[], None]:
        """The same for many topics; the answer ends all of them."""
        ends = [self.listen(topic, listener) for topic, listener in listeners.items()]

        def end() -> None:
            for one in ends:
                one()

        return end

    def tell(self, topic: str, **fields: Any) -> None:
        for listener in tuple(self._listeners.get(topic, ())):
            try:
                listener(**fields)
            except Exception:
                self.log.failure("listener of {topic} failed", topic=topic)
