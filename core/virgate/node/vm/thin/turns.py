"""One thing at a time for each disk; what fails is tried again later and later, or when somebody wakes it."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

SLOWEST = 60.0
"""Seconds between two attempts at most."""
Key = tuple[str, str]
Work = Callable[["Machine", str], Awaitable[None]]


class Turns:
    """Keys are a machine's id and a disk's target; an empty target is the machine as a whole."""

    log = Logger()

    def __init__(self, machines: "Machines", reactor: Any, retry: float) -> None:
        self._machines, self._reactor, self._retry = machines, reactor, retry
        self._busy: dict[Key, bool] = {}
        """Work under way; True if it has to be done once more."""
        self._waits: dict[Deferred[None], str] = {}

    def take(self, vm: str, target: str, work: Work) -> None:
        """Begins the work; what happens while it is under way is looked at after."""
        key = vm, target
        if key in self._busy:
            self._busy[key] = True
            return
        Deferred.fromCoroutine(self._run(key, work))

    async def _run(self, key: Key, work: Work) -> None:
        again = True
        while again:
            self._busy[key] = False
            try:
                machine = self._machines.get(key[0])
                if machine is not None and machine.vitals.alive:
                    await work(machine, key[1])
            except (DomainNotFound, CancelledError):
                pass
            except VirgateError as problem:
                self.log.warn("{vm} disk {target}: {problem}", vm=key[0], target=key[1], problem=problem)
            except Exception:
                self.log.failure("{vm} disk {target} is not watched", vm=key[0], target=key[1])
            again = self._busy.pop(key)

    def delays(self) -> Iterator[float]:
        """Seconds without end, each twice as long as the one before, up to a minute."""
        seconds = self._retry
        while True:
            yield min(seconds, SLOWEST)
            seconds *= 2

    async def wait(self, vm: str, seconds: float) -> None:
        wait: Deferred[None] = Deferred()
        alarm = self._reactor.callLater(seconds, wait.callback, None)
        self._waits[wait] = vm
        try:
            await wait
        finally:
            self._waits.pop(wait, None)
            if alarm.active():
                alarm.cancel()

    def wake(self, vm: str | None = None) -> None:
        """Whoever waits for its next attempt makes it now; None: of all machines."""
        for wait, whose in tuple(self._waits.items()):
            if vm in (None, whose) and wait in self._waits:
                wait.callback(None)

    def cancel(self) -> None:
        for wait in tuple(self._waits):
            wait.cancel()
