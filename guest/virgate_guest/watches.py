"""Changes that the kernel tells of: addresses, mounts, the host name. Nothing is polled for them."""

import os
import select

from virgate_guest.loop import Loop
from virgate_guest.sources import disks, network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SETTLED = 1.0
"""Seconds from a first change to the news of it; what follows within them is told with it."""
RARELY = 10.0
"""The same for mounts: containers make many."""
HOST_NAME = "/proc/sys/kernel/hostname"


class Watches:
    """`changed` gets the name of the message that has become untrue."""

    def __init__(self, loop: Loop, changed: "Callable[[str], None]") -> None:
        self._loop = loop
        self._changed = changed
        self._listener = network.listener()

    def start(self) -> None:
        listener = self._listener
        if listener is not None:
            self._watch(
                listener.fileno(), select.POLLIN, SETTLED, lambda: network.forget(listener), "network-interfaces"
            )
        for path, message, delay in ((disks.MOUNTS, "disks-usage", RARELY), (HOST_NAME, "host-name", SETTLED)):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            self._watch(descriptor, select.POLLPRI, delay, _nothing, message)

    def _watch(self, descriptor: int, events: int, delay: float, forget: "Callable[[], None]", message: str) -> None:
        """From a change until it is told, the descriptor is not looked at: a storm of changes costs one wake-up."""

        def happened(seen: int) -> None:
            self._loop.unwatch(descriptor)
            self._loop.after(delay, settled)

        def settled() -> None:
            forget()
            self._loop.watch(descriptor, events, happened)
            self._changed(message)

        self._loop.watch(descriptor, events, happened)


def _nothing() -> None:
    pass
