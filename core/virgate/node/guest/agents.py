"""The agents of all machines, with one clock for all of them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from virgate.node.guest import places
from virgate.node.guest.qemu.looks import Looks
from virgate.node.guest.qemu.state import Link
from virgate.node.guest.settings import GuestSettings
from virgate.node.guest.wires import Wires
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.node.guest.agent import GuestAgent
    from virgate.node.guest.watch import Watch
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

TICK = 1.0
"""Seconds between two looks at all channels."""
THERE = frozenset({Status.UP, Status.PAUSED, Status.LEAVING, Status.SAVING})


class Agents:
    """Watches the guests of all machines that are ours. `machine.agent` is set while the machine runs."""

    log = Logger()

    def __init__(self, machines: "Machines", settings: GuestSettings) -> None:
        self._machines, self._settings = machines, settings
        self._means = machines.means
        self._watched: dict[str, Watch] = {}
        self._end = self._means.events.listen_all({})
        self._clock = LoopingCall(self._tick)
        self._clock.clock = self._means.reactor
        self._looks = Looks(self._means, settings)
        self._wires = Wires(self._means.reactor)

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> "Iterator[GuestAgent]":
        return iter([watch.agent for watch in self._watched.values()])

    def start(self) -> None:
        """Before machines are recovered: each is met when it is told of."""
        self._end = self._means.events.listen_all(
            {
                "vm.status": self._status,
                "vm.adopted": self._status,
                "vm.devices": self._devices,
                "libvirt.agent": self._linked,
                "libvirt.reboot": self._rebooted,
                "libvirt.lifecycle": self._lifecycle,
                "libvirt.connected": self._reconnected,
            }
        )
        for machine in self._machines:
            self._status(machine.id)

    def stop(self) -> None:
        self._end()
        self._looks.stop()
        for vm in tuple(self._watched):
            self._dismiss(vm)

    def get(self, vm: str) -> "GuestAgent | None":
        watch = self._watched.get(vm)
        return watch.agent if watch is not None else None

    # -- machines come and go

    def _status(self, vm: str, **_: Any) -> None:
        machine = self._machines.get(vm)
        if machine is None or not machine.vitals.alive or machine.vitals.status is Status.POWERING_DOWN:
            self._dismiss(vm)
            if machine is not None and not machine.vitals.alive and not machine.record.external:
                self._sweep(vm)
        elif vm not in self._watched and machine.vitals.status in THERE and not machine.record.external:
            self._watch(machine)

    def _watch(self, machine: "Machine") -> None:
        from virgate.node.guest.watch import Watch

        folders = (self._folder, *places.LIBVIRTS)
        self._watched[machine.id] = Watch(machine, self._settings, folders, self._wires)
        if not self._clock.running:
            self._clock.start(TICK, now=False)

    def _dismiss(self, vm: str) -> None:
        watch = self._watched.pop(vm, None)
        if watch is not None:
            watch.end()
        if not self._watched and self._clock.running:
            self._clock.stop()

    @property
    def _folder(self) -> Path:
        return Path(self._means.facts().channels)

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
        """A guest that runs on another host while its memory is still here is not talked to from here."""
        watch = self._watched.get(uuid)
        if watch is None or watch.channel is None:
            return
        if event == "resumed":
            watch.channel.open()
        elif event == "suspended" and detail == "postcopy" and watch.machine.vitals.status is Status.LEAVING:
            watch.channel.close()

    def _reconnected(self, **_: Any) -> None:
        """Events may have been missed."""
        for agent in self:
            agent.qemu.link = Link.UNKNOWN

    def _devices(self, vm: str, **_: Any) -> None:
        if (watch := self._watched.get(vm)) is not None:
            watch.agent.qemu.plugged = self._means.monotonic()
            watch.note_disks()

    # -- the clock

    def _tick(self) -> None:
        now = self._means.monotonic()
        for watch in tuple(self._watched.values()):
            try:
                watch.tick(now)
            except Exception:
                self.log.failure("the agent of {vm} is not looked after", vm=watch.machine.id)
        self._looks.tick(now, (watch.agent for watch in self._watched.values() if watch.may_be_asked))
