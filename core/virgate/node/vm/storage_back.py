"""Machines that an I/O error paused go on when the storage of one of their disks is back (spec xmlrpc-storage 7.7)."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.events import EventBus
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine

FAILED_IO = ("EIO", "EOTHER")
"""Pause codes of storage that failed. Want of room has its own remedy, and who was paused by a client stays so."""


class StorageBack:
    """Listens until `close`."""

    log = Logger()

    def __init__(self, machines: Iterable[Machine], events: EventBus) -> None:
        self._machines = machines
        self.close: Callable[[], None] = events.listen("storage.domain", self._heard)

    def _heard(self, domain: str, valid: bool, **_: Any) -> None:
        if not valid:
            return
        for machine in tuple(self._machines):
            if waits(machine, domain):
                self.log.info("{vm} goes on: domain {domain} is back", vm=machine.id, domain=domain)
                Deferred.fromCoroutine(self._go_on(machine))

    async def _go_on(self, machine: Machine) -> None:
        try:
            await machine.cont()
        except Exception:
            self.log.failure("{vm} does not go on", vm=machine.id)


def waits(machine: Machine, domain: str) -> bool:
    vitals = machine.vitals
    paused = vitals.status is Status.PAUSED and vitals.pause_code in FAILED_IO
    return paused and any(disk.domain_id == domain for disk in machine.record.disks)
