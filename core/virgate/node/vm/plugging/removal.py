"""Waiting until a guest has let go of a device: by the hypervisor's event, and by looks, should that be lost."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from virgate.domxml import tree
from virgate.node.vm.errors import NoSuchMachine
from virgate.node.vm.plugging.errors import Refused, StillThere
from virgate.node.vm.plugging.steps import is_there

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


class Removal:
    """One device on its way out. Listens before anybody asks the guest, so that no answer is missed."""

    def __init__(self, machine: "Machine", alias: str) -> None:
        self._machine, self._alias = machine, alias
        self._outcome = ""
        self._waiting: Deferred[None] | None = None

    async def run(self, ask: Callable[[], Awaitable[Any]]) -> None:
        """Comes back when the device is gone. `Refused`, `StillThere` after the time-out, or what `ask` raises."""
        events = self._machine.means.events
        ends = [
            events.listen("libvirt.device_removed", self._heard("removed")),
            events.listen("libvirt.device_removal_failed", self._heard("refused")),
            events.listen("vm.status", self._status),
        ]
        try:
            await ask()
            await self._until_gone()
        finally:
            for end in ends:
                end()

    def _heard(self, outcome: str) -> Callable[..., None]:
        def heard(uuid: str, alias: str, **_: Any) -> None:
            if (uuid, alias) == (self._machine.id, self._alias):
                self._wake(outcome)

        return heard

    def _status(self, vm: str, **_: Any) -> None:
        if vm == self._machine.id and not self._machine.vitals.alive:
            self._wake("down")

    def _wake(self, outcome: str) -> None:
        self._outcome = self._outcome or outcome
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def _until_gone(self) -> None:
        means = self._machine.means
        settings, clock = means.settings, means.monotonic
        deadline = clock() + settings.unplug_timeout
        while True:
            await self._pause(min(settings.unplug_check, max(deadline - clock(), 0.0)))
            if self._outcome == "removed":
                return
            if self._outcome == "refused":
                raise Refused(self._alias)
            if self._outcome == "down" or not self._machine.vitals.alive:
                raise NoSuchMachine(self._machine.id)
            if not is_there(tree.parse(await means.domains.xml(self._machine.id)), self._alias):
                return
            if clock() >= deadline:
                raise StillThere(self._alias, settings.unplug_timeout)

    async def _pause(self, seconds: float) -> None:
        if self._outcome:
            return
        waiting = self._waiting = Deferred()
        timer = self._machine.means.reactor.callLater(seconds, self._wake, "")
        await waiting
        if timer.active():
            timer.cancel()
