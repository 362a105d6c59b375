"""Hypervisor events become inputs of machines' lives. Nothing here waits: what takes time is queued per machine."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml import tree
from virgate.events import EventBus
from virgate.libvirt.errors import DomainNotFound
from virgate.node.vm import ending
from virgate.node.vm.exits import after_stop
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.node.vm.registry import Machines


BOOT = ("started", "resumed", "suspended")
TOPICS = ("lifecycle", "reboot", "rtc", "io_error", "watchdog", "graphics", "balloon", "job_completed", "connected")


class Happenings:
    """Listens to the bus on behalf of all machines.

    `unknown(uuid)` hears of started domains that nobody knows, `reconnected()` that events may have been missed.
    """

    log = Logger()

    def __init__(
        self,
        machines: "Machines",
        events: EventBus,
        unknown: Callable[[str], None],
        reconnected: Callable[[], None],
    ) -> None:
        self._machines = machines
        self._unknown = unknown
        self._reconnect = reconnected
        self._end = events.listen_all({f"libvirt.{topic}": getattr(self, f"_{topic}") for topic in TOPICS})

    def close(self) -> None:
        self._end()

    def _lifecycle(self, uuid: str, event: str, detail: str, **_: Any) -> None:
        machine = self._machines.get(uuid)
        if event == "started" and (machine is None or not machine.vitals.alive):
            self._unknown(uuid)  # somebody else's, or a machine that is Down and that somebody else started again
        if machine is None:
            return
        if machine.boot_ends_with and event in BOOT:
            if event == machine.boot_ends_with:
                machine.boot_ends_with = ""
        elif any(way is not None and way.hears(event, detail) for way in (machine.launch, machine.departure)):
            return
        elif event == "resumed":
            self._resumed(machine, detail)
        elif event == "suspended":
            self._suspended(machine, detail)
        elif event == "stopped":
            self._stopped(machine, detail)
        elif event == "undefined" and machine.vitals.alive and machine.launch is None:
            self.log.info("{vm} was undefined by somebody else", vm=uuid)

    def _resumed(self, machine: Machine, detail: str) -> None:
        machine.record.io_error = None
        machine.life.running()
        if detail == "unpaused":
            machine.hook_lane.put(lambda: _after(machine, "after_vm_cont"))

    def _suspended(self, machine: Machine, detail: str) -> None:
        machine.life.halted("EOTHER" if detail == "ioerror" else "NOERR")
        if detail in ("paused", "ioerror"):
            machine.hook_lane.put(lambda: _after(machine, "after_vm_pause"))

    def _stopped(self, machine: Machine, detail: str) -> None:
        if not machine.vitals.alive:
            return
        exit = after_stop(detail, asked=machine.record.asked_down)
        background(ending.finish(machine, exit), self.log, "{vm} was not released", vm=machine.id)

    def _job_completed(self, uuid: str, figures: dict[str, Any], **_: Any) -> None:
        machine = self._machines.get(uuid)
        if machine is not None and machine.departure is not None:
            machine.departure.completed(figures)

    def _connected(self, **_: Any) -> None:
        self._reconnect()

    def _reboot(self, uuid: str, **_: Any) -> None:
        if (machine := self._machines.get(uuid)) is not None:
            machine.guest_does(Status.REBOOTING)
            if machine.powerdown is not None:
                machine.powerdown.rebooted()

    def _rtc(self, uuid: str, offset: int, **_: Any) -> None:
        if (machine := self._machines.get(uuid)) is not None:
            machine.record.clock_drift = offset
            machine.hook_lane.put(lambda: _clock(machine, offset))

    def _io_error(self, uuid: str, alias: str, action: str, reason: str, path: str = "", **_: Any) -> None:
        machine = self._machines.get(uuid)
        if machine is None or action != "pause":
            return
        machine.record.io_error = {"alias": alias} | ({"path": path} if path else {})
        machine.life.halted(reason.upper() or "EOTHER")

    def _watchdog(self, uuid: str, action: str, **_: Any) -> None:
        if (machine := self._machines.get(uuid)) is not None:
            machine.record.watchdog = {"time": machine.means.wall(), "action": action}

    def _balloon(self, uuid: str, kib: int, **_: Any) -> None:
        if (machine := self._machines.get(uuid)) is not None:
            machine.means.events.tell("vm.balloon", vm=uuid, kib=kib)

    def _graphics(self, uuid: str, phase: str, client: str = "", **_: Any) -> None:
        if (machine := self._machines.get(uuid)) is None:
            return
        if phase == "initialize":
            machine.record.client = client
        elif phase == "disconnect" and client in ("", machine.record.client):
            machine.record.client = ""


async def _clock(machine: Machine, offset: int) -> None:
    """Newer libvirt tells the whole distance from UTC, not the change; then its document says the same number."""
    try:
        document = await machine.document()
    except DomainNotFound:
        return
    if tree.attribute(document.tree, "clock", "adjustment") == str(offset):
        machine.record.clock_drift = offset - machine.record.time_offset


async def _after(machine: Machine, point: str) -> None:
    try:
        document = await machine.document()
    except DomainNotFound:
        return
    await getattr(machine.means.hooks, point)(vm=machine.record.subject, domain=document)
