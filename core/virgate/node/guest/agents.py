"""The agents of all machines, with one clock for all of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.domxml import metadata, tree
from virgate.node.guest import mapping, places
from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.channel import Channel
from virgate.node.guest.qemu.state import Link
from virgate.node.guest.settings import GuestSettings
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.node.guest.qemu.poller import QemuPoller
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

TICK = 1.0
THERE = frozenset({Status.UP, Status.PAUSED, Status.LEAVING, Status.SAVING})


@define
class _Watched:
    """What belongs together for one machine."""

    machine: "Machine"
    agent: GuestAgent
    channel: Channel | None
    shows: Callable[[], Mapping[str, Any]]


class Agents:
    """Watches the guests of all machines that are ours. `machine.agent` is set while the machine runs."""

    log = Logger()

    def __init__(self, machines: "Machines", settings: GuestSettings) -> None:
        self._machines, self._settings = machines, settings
        self._means = machines.means
        self._watched: dict[str, _Watched] = {}
        self._ends: list[Callable[[], None]] = []
        self._clock = LoopingCall(self._tick)
        self._clock.clock = self._means.reactor
        self._poller: QemuPoller | None = None
        self._next_look = 0.0
        self._looking: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> Iterator[GuestAgent]:
        return iter([watched.agent for watched in self._watched.values()])

    def start(self) -> None:
        """Before machines are recovered: each is met when it is told of."""
        listen = self._means.events.listen
        self._ends = [
            listen("vm.status", self._status),
            listen("vm.adopted", self._status),
            listen("vm.devices", self._devices),
            listen("libvirt.agent", self._linked),
            listen("libvirt.reboot", self._rebooted),
            listen("libvirt.lifecycle", self._lifecycle),
            listen("libvirt.connected", self._reconnected),
        ]
        for machine in self._machines:
            self._status(machine.id)

    def stop(self) -> None:
        for end in self._ends:
            end()
        self._ends = []
        if self._looking is not None:
            self._looking.cancel()
        for vm in tuple(self._watched):
            self._dismiss(vm)

    def get(self, vm: str) -> GuestAgent | None:
        watched = self._watched.get(vm)
        return watched.agent if watched is not None else None

    def rest(self, vm: str) -> None:
        """The guest's memory is on another host already: it must not be talked to from here (post-copy)."""
        if (watched := self._watched.get(vm)) is not None and watched.channel is not None:
            watched.channel.close()

    def resume(self, vm: str) -> None:
        """The guest stays here after all."""
        if (watched := self._watched.get(vm)) is not None and watched.channel is not None:
            watched.channel.open()

    # -- machines come and go

    def _status(self, vm: str, **_: Any) -> None:
        machine = self._machines.get(vm)
        if machine is None or not machine.vitals.alive or machine.vitals.status is Status.POWERING_DOWN:
            self._dismiss(vm)
            if machine is not None and not machine.vitals.alive and not machine.record.external:
                self._sweep(vm)
        elif vm not in self._watched and machine.vitals.status in THERE and not machine.record.external:
            self._welcome(machine)

    def _welcome(self, machine: "Machine") -> None:
        means, record = self._means, machine.record
        agent = GuestAgent(
            machine.id, reactor=means.reactor, monotonic=means.monotonic, wall=means.wall, moved=lambda: _moved(machine)
        )
        root = tree.parse(record.xml or "<domain/>")
        found = places.find(root)
        agent.seed({**metadata.read(root).values, **record.conf})
        agent.qemu.present = found.qemu and self._settings.ask_qemu_agent
        machine.agent = agent
        watched = _Watched(machine, agent, self._channel(agent, found.path), lambda: shown(machine, agent))
        machine.shown.append(watched.shows)
        self._watched[machine.id] = watched
        if not self._clock.running:
            self._clock.start(TICK, now=False)

    def _channel(self, agent: GuestAgent, path: str) -> Channel | None:
        if not path:
            return None
        if not places.allowed(path, (self._folder, *places.LIBVIRTS)):
            self.log.warn("the channel of {vm} is no socket of a guest: {path}", vm=agent.vm, path=path)
            return None
        means = self._means
        timeout = self._settings.timeout
        return Channel(agent, path, reactor=means.reactor, monotonic=means.monotonic, timeout=timeout)

    @property
    def _folder(self) -> Path:
        return Path(self._means.facts().channels)

    def _dismiss(self, vm: str) -> None:
        watched = self._watched.pop(vm, None)
        if watched is None:
            return
        watched.machine.agent = None
        watched.machine.shown.remove(watched.shows)
        if watched.channel is not None:
            watched.channel.close()
        if not self._watched and self._clock.running:
            self._clock.stop()

    def _sweep(self, vm: str) -> None:
        for path in places.left_behind(self._folder, vm):
            with suppress(OSError):
                path.unlink()

    # -- what is told of them

    def _linked(self, uuid: str, state: str, **_: Any) -> None:
        if (agent := self.get(uuid)) is not None and state in ("connected", "disconnected"):
            agent.qemu.linked(Link(state))

    def _rebooted(self, uuid: str, **_: Any) -> None:
        if (agent := self.get(uuid)) is not None:
            agent.rebooted()

    def _lifecycle(self, uuid: str, event: str, detail: str, **_: Any) -> None:
        """A guest that runs on another host while its memory is still here."""
        watched = self._watched.get(uuid)
        if watched is None:
            return
        if event == "resumed":
            self.resume(uuid)
        elif event == "suspended" and detail == "postcopy" and watched.machine.vitals.status is Status.LEAVING:
            self.rest(uuid)

    def _reconnected(self, **_: Any) -> None:
        """Events may have been missed."""
        for agent in self:
            agent.qemu.link = Link.UNKNOWN

    def _devices(self, vm: str, **_: Any) -> None:
        if (watched := self._watched.get(vm)) is not None:
            watched.agent.qemu.plugged = self._means.monotonic()
            mapping.note_names(watched.machine.record.conf.get("devices", ()), watched.agent.disks)

    # -- the clock

    def _tick(self) -> None:
        now = self._means.monotonic()
        for watched in tuple(self._watched.values()):
            try:
                self._one(watched, now)
            except Exception:
                self.log.failure("the agent of {vm} is not looked after", vm=watched.agent.vm)
        if now >= self._next_look and self._looking is None and self._settings.ask_qemu_agent:
            self._next_look = now + self._settings.poll_period
            self._look()

    def _one(self, watched: _Watched, now: float) -> None:
        if watched.channel is not None:
            watched.channel.tick(now)
        agent = watched.agent
        if agent.news:
            agent.news = False
            mapping.note_names(watched.machine.record.conf.get("devices", ()), agent.disks)
            self._means.events.tell("guest.info", vm=agent.vm)

    def _look(self) -> None:
        if self._poller is None:
            from virgate.node.guest.qemu.poller import QemuPoller

            self._poller = QemuPoller(self._means.domains, self._settings, self._means.monotonic)
        there = [one.agent for one in self._watched.values() if one.machine.vitals.status is Status.UP]
        self._looking = Deferred.fromCoroutine(self._poller.look(there))
        self._looking.addBoth(self._looked)

    def _looked(self, result: Any) -> None:
        self._looking = None
        if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
            self.log.failure("QEMU agents were not asked", result)


def shown(machine: "Machine", agent: GuestAgent) -> dict[str, Any]:
    """What the agents add to the machine's statistics."""
    figures = machine.figures
    return agent.shown(int(machine.record.conf.get("memSize") or 0), figures.guest_memory, figures.hash)


def _moved(machine: "Machine") -> None:
    """The status that clients see may be another one: they are told, with what the guest says of itself."""
    event = machine.record.guest
    if event is not None and event.status is Status.POWERING_UP:
        machine.record.guest = None  # it is up for good, also when its agent falls silent
    if machine.agent is not None:
        machine.tell(**shown(machine, machine.agent))
