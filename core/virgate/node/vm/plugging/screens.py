"""What becomes of a guest whose screen nobody looks at any more: locked, unless the client wished otherwise.

Spec guest-agent 5. The wish came with the ticket (`tickets.py`) and is kept with the machine's displays.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.events import EventBus
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

PATIENCE = 2.0
"""Seconds within which a client that comes back was never away."""
USUAL = "LOCK_SCREEN"
STAYING = frozenset({Status.UP, Status.POWERING_UP})
MESSAGES = {"REBOOT": "Scheduled reboot on disconnect", "SHUTDOWN": "Scheduled shutdown on disconnect"}
ORDERS = {"LOCK_SCREEN": "lock-screen", "LOGOUT": "log-off"}


class Screens:
    """Listens until `close`. Only who was let in can leave: a client with a wrong password does nothing."""

    log = Logger()

    def __init__(self, machines: "Iterable[Machine]", events: EventBus, reactor: Any) -> None:
        self._machines, self._reactor = machines, reactor
        self._clients: dict[str, str] = {}
        self._timers: dict[str, Any] = {}
        self._end: Callable[[], None] = events.listen("libvirt.graphics", self._heard)

    def close(self) -> None:
        self._end()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _heard(self, uuid: str, phase: str, client: str = "", **_: Any) -> None:
        if phase == "initialize":
            self._clients[uuid] = client
            if (timer := self._timers.pop(uuid, None)) is not None:
                timer.cancel()
        elif phase == "disconnect" and uuid in self._clients and client in ("", self._clients[uuid]):
            del self._clients[uuid]
            machine = next((one for one in self._machines if one.id == uuid), None)
            if machine is not None:
                self._wait(machine)

    def _wait(self, machine: "Machine") -> None:
        if (timer := self._timers.pop(machine.id, None)) is not None:
            timer.cancel()
        self._timers[machine.id] = self._reactor.callLater(PATIENCE + _delay(machine), self._left, machine)

    def _left(self, machine: "Machine") -> None:
        del self._timers[machine.id]
        if machine.status not in STAYING:
            return  # a guest that moves takes its clients with it, and one that ends needs no lock
        wish = str(_display(machine).get("disconnectAction", USUAL))
        try:
            self._act(machine, wish)
        except VirgateError as problem:
            self.log.warn("{vm} was left, but not {wish}: {why}", vm=machine.id, wish=wish, why=str(problem))

    def _act(self, machine: "Machine", wish: str) -> None:
        if wish in ORDERS and machine.agent is not None:
            machine.agent.send(ORDERS[wish])
        elif wish in MESSAGES:
            from virgate.node.vm.powerdown import power_down

            power_down(machine, reboot=wish == "REBOOT", force=True, message=MESSAGES[wish])


def _delay(machine: "Machine") -> float:
    """Minutes that the client gives itself to come back before a shutdown."""
    display = _display(machine)
    try:
        minutes = float(display.get("disconnectDelay") or 0)
    except ValueError:
        return 0.0
    return max(minutes, 0.0) * 60 if display.get("disconnectAction") == "SHUTDOWN" else 0.0


def _display(machine: "Machine") -> Mapping[str, Any]:
    return next((one for one in machine.record.conf.get("devices", ()) if one.get("type") == "graphics"), {})
