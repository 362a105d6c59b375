"""The shutdown and reboot chain (spec xmlrpc-host-vm 2.3): guest agent, ACPI button, force; each waits for the guest.

The step through the guest agent comes with the agent's channel; until then it counts as not responsive.
"""

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.vm.errors import NoSuchMachine, NoWayDown
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

LONGEST = 1e6
"""Seconds; a reactor cannot wait for as long as clients can write."""


class Powerdown:
    """One request to go down or to reboot."""

    log = Logger()

    def __init__(self, machine: "Machine", *, reboot: bool, timeout: float, force: bool) -> None:
        self._machine = machine
        self._reboot = reboot
        self._timeout = timeout
        self._force = force
        self._over = False
        self._waiting: Deferred[None] | None = None

    def begin(self) -> None:
        """Starts the steps in the background. Raises `NoWayDown` without any, `NoSuchMachine` for a dead guest."""
        machine = self._machine
        if not machine.vitals.alive:
            raise NoSuchMachine(machine.id)
        if not (machine.acpi or self._force):
            raise NoWayDown(machine.id)
        if machine.powerdown is not None:
            machine.powerdown.over()
        machine.powerdown = self
        machine.guest_does(Status.REBOOTING if self._reboot else Status.POWERING_DOWN)
        Deferred.fromCoroutine(self._run())

    def rebooted(self) -> None:
        """The guest rebooted, which is the end of a reboot and nothing to a shutdown."""
        if self._reboot:
            self.over()

    def over(self) -> None:
        """The guest did what was asked, is gone, or another request takes this one's place."""
        self._over = True
        if self._machine.powerdown is self:
            self._machine.powerdown = None
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    async def _run(self) -> None:
        machine = self._machine
        steps = ([self._press] if machine.acpi else []) + ([self._pull] if self._force else [])
        for step in steps:
            try:
                await step()
            except VirgateError as failure:
                self.log.warn("{vm}: {why}", vm=machine.id, why=str(failure))
                continue
            await self._patience()
            if self._over:
                return
        self.over()

    async def _press(self) -> None:
        domains, machine = self._machine.means.domains, self._machine
        if self._reboot:
            await domains.reboot(machine.id)
        else:
            machine.record.asked_down = True
            await domains.shutdown(machine.id)

    async def _pull(self) -> None:
        domains, machine = self._machine.means.domains, self._machine
        if self._reboot:
            await domains.reset(machine.id)
        else:
            machine.record.asked_down = True
            await domains.destroy(machine.id, graceful=True)

    async def _patience(self) -> None:
        if self._over:
            return
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        timer = self._machine.means.reactor.callLater(self._timeout, self._expired)
        await waiting
        if timer.active():
            timer.cancel()

    def _expired(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)


def power_down(machine: "Machine", *, reboot: bool, timeout: Any, force: bool) -> None:
    """The shutdown verb. A missing, empty or zero `timeout` means the setting. Raises as `Powerdown.begin`."""
    seconds = _seconds(timeout) if timeout else machine.means.settings.shutdown_timeout
    Powerdown(machine, reboot=reboot, timeout=seconds, force=force).begin()


def _seconds(given: Any) -> float:
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        raise InvalidParameter("timeout", given) from None
    if not 0 <= seconds <= LONGEST:
        raise InvalidParameter("timeout", given)
    return seconds
