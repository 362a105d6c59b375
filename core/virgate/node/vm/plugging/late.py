"""Devices that leave when nobody waits for them any more: the guest took its time, or somebody else unplugged them."""

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.events import EventBus
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

TROUBLE = "what was unplugged late could not be seen to"


class Late:
    """Listens until `close`. Who waits for a device holds the machine's lock and sees to the rest himself; what is
    still listed when that lock is free has left unseen."""

    log = Logger()

    def __init__(self, machines: "Machines", events: EventBus) -> None:
        self._machines = machines
        self._end = events.listen_all(
            {
                "libvirt.device_removed": self._removed,
                "libvirt.connected": self._connected,
            }
        )

    def close(self) -> None:
        self._end()

    def _removed(self, uuid: str, alias: str, **_: Any) -> None:
        machine = self._machines.get(uuid)
        if machine is not None and machine.vitals.alive and machine.launch is None:
            background(self._look(machine), self.log, TROUBLE)

    def _connected(self, **_: Any) -> None:
        """Events may have been missed, and a device may have been plugged without anybody hearing of it."""
        background(self._look_at_all(), self.log, TROUBLE)

    async def _look_at_all(self) -> None:
        for machine in self._machines:
            if machine.vitals.alive and machine.launch is None:
                await self._look(machine)

    async def _look(self, machine: "Machine") -> None:
        from virgate.node.vm.plugging import departed

        await departed.look(machine)
