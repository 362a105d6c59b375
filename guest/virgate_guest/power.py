"""Turning off, starting anew, sleeping (spec guest-agent 6.5)."""

import os

from virgate_guest import log, orders
from virgate_guest.errands import Errands, program
from virgate_guest.loop import Loop, Timer

PATIENCE = 60.0
SYSTEMD = "/run/systemd/system"
SLEEP = {"disk": ("hibernate", "pm-hibernate"), "mem": ("suspend", "pm-suspend")}
STATE = "/sys/power/state"


class Power:
    """Only programs of the system, with arguments made here."""

    def __init__(self, loop: Loop, errands: Errands) -> None:
        self._loop = loop
        self._errands = errands
        self._waiting: Timer | None = None

    def shutdown(self, arguments: "dict[str, object]") -> None:
        """Hands the order to `shutdown`, which warns people and can be cancelled by root."""
        wanted = orders.shutdown(arguments)
        path = program("shutdown")
        log.info("the host asks: shutdown {}", " ".join(wanted))
        if path is not None:
            self._errands.run([path, *wanted], _told, PATIENCE)
            return
        if self._waiting is not None:
            self._waiting.cancel()
        name = "reboot" if wanted[0] == "-r" else "poweroff"
        self._waiting = self._loop.after(orders.seconds(arguments.get("timeout")), lambda: self._at_once(name))

    def _at_once(self, name: str) -> None:
        """A system without `shutdown`, as small ones are."""
        path = program(name)
        if path is None:
            log.error("there is neither shutdown nor {}", name)
            return
        self._errands.run([path], _told, PATIENCE)

    def sleep(self, arguments: "dict[str, object]") -> None:
        """Raises orders.Refused."""
        state = orders.sleep_state(arguments)
        log.info("the host asks: sleep ({})", state)
        of_systemd, of_tools = SLEEP[state]
        systemctl, tool = program("systemctl"), program(of_tools)
        if systemctl is not None and os.path.isdir(SYSTEMD):
            self._errands.run([systemctl, of_systemd], _told, PATIENCE)
        elif tool is not None:
            self._errands.run([tool], _told, PATIENCE)
        else:
            with open(STATE, "wb", buffering=0) as file:
                file.write(state.encode())


def _told(code: "int | None", output: bytes) -> None:
    if code:
        log.error("the order failed with {}", code)
