"""The shutdown and reboot chain (specs xmlrpc-host-vm 2.3, guest-agent 9): QEMU's agent in the guest, the oVirt agent,
the ACPI button, force. Each step that could be taken waits for the guest; one that fails leads to the next at once.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.guest.errors import NotResponsive
from virgate.node.vm.errors import NoSuchMachine, NoWayDown
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

LONGEST = 1e6
"""Seconds; a reactor cannot wait for as long as clients can write."""


MESSAGE = "System going down"
"""What users inside the guest are told unless the client says something else."""


@frozen
class Wish:
    """What a client asks for."""

    reboot: bool
    force: bool
    delay: int
    """Seconds that the oVirt agent gives its users."""
    timeout: float
    """Seconds that each step gets."""
    message: str = MESSAGE


@frozen
class Step:
    act: Callable[[], Awaitable[None]]
    patience: float


class Powerdown:
    """One request to go down or to reboot."""

    log = Logger()

    def __init__(self, machine: "Machine", wish: Wish) -> None:
        self._machine = machine
        self._wish = wish
        self._over = False
        self._waiting: Deferred[None] | None = None

    def begin(self) -> None:
        """Starts the steps in the background. Raises `NoWayDown` without any, `NoSuchMachine` for a dead guest."""
        machine = self._machine
        if not machine.vitals.alive:
            raise NoSuchMachine(machine.id)
        steps = self._steps()
        if not steps:
            raise NoWayDown(machine.id)
        if machine.powerdown is not None:
            machine.powerdown.over()
        machine.powerdown = self
        machine.guest_does(Status.REBOOTING if self._wish.reboot else Status.POWERING_DOWN)
        Deferred.fromCoroutine(self._run(steps))

    def rebooted(self) -> None:
        """The guest rebooted, which is the end of a reboot and nothing to a shutdown."""
        if self._wish.reboot:
            self.over()

    def over(self) -> None:
        """The guest did what was asked, is gone, or another request takes this one's place."""
        self._over = True
        if self._machine.powerdown is self:
            self._machine.powerdown = None
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _steps(self) -> list[Step]:
        """What can be tried, as far as is known now."""
        wish, agent = self._wish, self._machine.agent
        steps = []
        if agent is not None and agent.qemu.perhaps:
            steps.append(Step(self._by_qemu, wish.timeout))
        if agent is not None and agent.responsive:
            steps.append(Step(self._by_agent, wish.delay + wish.timeout))
        if self._machine.acpi:
            steps.append(Step(self._press, wish.timeout))
        if wish.force:
            steps.append(Step(self._pull, wish.timeout))
        return steps

    async def _run(self, steps: list[Step]) -> None:
        for step in steps:
            try:
                await step.act()
            except VirgateError as failure:
                self.log.warn("{vm}: {why}", vm=self._machine.id, why=str(failure))
                if self._over:
                    return
                continue
            await self._patience(step.patience)
            if self._over:
                return
        self.over()

    async def _by_qemu(self) -> None:
        """Delay and message are more than this agent knows."""
        from virgate.libvirt import agent

        ask = agent.restart if self._wish.reboot else agent.shut_down
        await ask(self._machine.means.domains, self._machine.id)

    async def _by_agent(self) -> None:
        wish, agent = self._wish, self._machine.agent
        reboot = str(wish.reboot)  # agents know the words, not the truth values
        if agent is None or not agent.send("shutdown", timeout=wish.delay, message=wish.message, reboot=reboot):
            raise NotResponsive(self._machine.id)

    async def _press(self) -> None:
        domains, machine = self._machine.means.domains, self._machine
        if self._wish.reboot:
            await domains.reboot(machine.id)
        else:
            machine.record.asked_down = True
            await domains.shutdown(machine.id)

    async def _pull(self) -> None:
        domains, machine = self._machine.means.domains, self._machine
        if self._wish.reboot:
            await domains.reset(machine.id)
        else:
            machine.record.asked_down = True
            await domains.destroy(machine.id, graceful=True)

    async def _patience(self, seconds: float) -> None:
        if self._over:
            return
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        timer = self._machine.means.reactor.callLater(seconds, self._expired)
        await waiting
        if timer.active():
            timer.cancel()

    def _expired(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)


def power_down(
    machine: "Machine", *, reboot: bool, force: bool, delay: Any = None, timeout: Any = None, message: Any = None
) -> None:
    """The shutdown verb. What is missing, empty or zero means the setting. Raises as `Powerdown.begin`."""
    settings = machine.means.settings
    wish = Wish(
        reboot=reboot,
        force=force,
        delay=int(_seconds("delay", delay) if delay else settings.shutdown_delay),
        timeout=_seconds("timeout", timeout) if timeout else settings.shutdown_timeout,
        message=str(message) if message else MESSAGE,
    )
    Powerdown(machine, wish).begin()


def _seconds(name: str, given: Any) -> float:
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        raise InvalidParameter(name, given) from None
    if not 0 <= seconds <= LONGEST:
        raise InvalidParameter(name, given)
    return seconds
