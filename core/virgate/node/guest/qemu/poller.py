"""Asks the QEMU guest agents of all machines, a few at a time (spec guest-agent 10.2, 10.4)."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.logger import Logger

from virgate.domxml import tree
from virgate.errors import VirgateError
from virgate.libvirt import agent as hypervisor
from virgate.libvirt.errors import DomainNotFound, HypervisorAway
from virgate.node.guest import places
from virgate.node.guest.qemu import replies, schedule
from virgate.node.guest.qemu.state import Link

if TYPE_CHECKING:
    from virgate.libvirt.domains import Domains
    from virgate.node.guest.agent import GuestAgent
    from virgate.node.guest.settings import GuestSettings


class QemuPoller:
    """One look at all machines at a time. A machine whose agent hangs holds one of the few places for some seconds."""

    log = Logger()

    def __init__(self, domains: "Domains", settings: "GuestSettings", monotonic: Callable[[], float]) -> None:
        self._domains, self._settings, self._monotonic = domains, settings, monotonic
        self._places = DeferredSemaphore(settings.at_once)

    async def look(self, agents: "Iterable[GuestAgent]") -> None:
        """Asks whatever is due. `agents` are those of machines that run."""
        asked = [self._in_turn(agent) for agent in agents if self._worth(agent)]
        await gatherResults([Deferred.fromCoroutine(one) for one in asked])

    def _worth(self, agent: "GuestAgent") -> bool:
        qemu = agent.qemu
        if qemu.present and qemu.link is Link.UNKNOWN:
            return True
        now, settings = self._monotonic(), self._settings
        return not schedule.quiet(qemu, now, settings) and (
            schedule.wants_abilities(qemu, now, settings) or schedule.anything(qemu, now, settings)
        )

    async def _in_turn(self, agent: "GuestAgent") -> None:
        await self._places.acquire()
        try:
            await self._ask(agent)
        except (DomainNotFound, HypervisorAway):
            return  # not the agent's fault
        except VirgateError as problem:
            agent.qemu.fail(self._monotonic())
            tell = self.log.info if agent.qemu.failures == 1 else self.log.debug
            tell("the QEMU agent of {vm} does not answer: {problem}", vm=agent.vm, problem=str(problem))
        except Exception:
            agent.qemu.fail(self._monotonic())
            self.log.failure("the QEMU agent of {vm} was not asked", vm=agent.vm)
        finally:
            self._places.release()

    async def _ask(self, agent: "GuestAgent") -> None:
        qemu, settings = agent.qemu, self._settings
        if qemu.link is Link.UNKNOWN:
            await self._find_link(agent)
        now = self._monotonic()
        if schedule.quiet(qemu, now, settings):
            return
        if schedule.wants_abilities(qemu, now, settings):
            await self._abilities(agent, now)
        if not qemu.version:
            return
        before = dict(qemu.members), qemu.mapping
        questions = schedule.questions(qemu, now, settings)
        for one in questions:
            if not one.bit:
                await ASK[one.name](self, agent)
        if mask := sum(one.bit for one in questions):
            await self._bulk(agent, mask)
        qemu.failures = 0
        if before != (qemu.members, qemu.mapping):
            agent.changed()

    async def _find_link(self, agent: "GuestAgent") -> None:
        found = places.qemu_link(tree.parse(await self._domains.xml(agent.vm)))
        if agent.qemu.link is Link.UNKNOWN:  # no event was faster
            agent.qemu.linked(Link(found))

    async def _abilities(self, agent: "GuestAgent", now: float) -> None:
        qemu = agent.qemu
        qemu.asked[schedule.ABILITIES] = now
        version, commands = replies.abilities(await self._command(agent, "guest-info"))
        if (version, commands) != (qemu.version, qemu.commands):
            self.log.info("{vm} has QEMU agent {version}", vm=agent.vm, version=version)
            qemu.members.setdefault("appsList", replies.applications(version))
        first = not qemu.version
        qemu.version, qemu.commands = version, commands
        if first:
            agent.up()

    async def _command(self, agent: "GuestAgent", name: str) -> Any:
        return replies.answer(await hypervisor.command(self._domains, agent.vm, name, self._settings.command_timeout))

    async def _processors(self, agent: "GuestAgent") -> None:
        given = await hypervisor.processors(self._domains, agent.vm, self._settings.command_timeout)
        agent.qemu.members["guestCPUCount"] = replies.processors(given)

    async def _drivers(self, agent: "GuestAgent") -> None:
        agent.qemu.members["pci_devices"] = replies.drivers(await self._command(agent, "guest-get-devices"))

    async def _addresses(self, agent: "GuestAgent") -> None:
        given = await hypervisor.addresses(self._domains, agent.vm, self._settings.command_timeout)
        agent.qemu.members |= {"netIfaces": replies.interfaces(given), "guestIPs": ""}

    async def _bulk(self, agent: "GuestAgent", mask: int) -> None:
        qemu = agent.qemu
        given = await hypervisor.information(self._domains, agent.vm, mask, self._settings.command_timeout)
        qemu.members |= replies.members(given, qemu.version)
        found = replies.mapping(given, by_disks="guest-get-disks" in qemu.commands)
        if found is not None:
            qemu.mapping = found


ASK: dict[str, Callable[[QemuPoller, "GuestAgent"], Awaitable[None]]] = {
    schedule.PROCESSORS: QemuPoller._processors,
    schedule.DRIVERS: QemuPoller._drivers,
    schedule.ADDRESSES: QemuPoller._addresses,
}
