"""A machine that stands still for want of room goes on by itself when every disk that stopped it has some."""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.node.vm.life import Status
from virgate.node.vm.thin.disks import thin_disks

if TYPE_CHECKING:
    from collections.abc import Callable

    from virgate.node.vm.machine import Machine
    from virgate.node.vm.thin.growth import Growth
    from virgate.node.vm.thin.turns import Turns

NO_SPACE, ENOSPC = "no_space", "ENOSPC"


class Feeding:
    """`went_on(vm, target)` is told of each disk of a machine that was set going again."""

    log = Logger()

    def __init__(self, growth: "Growth", turns: "Turns", went_on: "Callable[[str, str], None]") -> None:
        self._growth, self._turns, self._went_on = growth, turns, went_on
        self._full: dict[tuple[str, str], int] = {}
        """Room that a disk had when its machine was last set going again."""

    def forget(self, vm: str) -> None:
        self._full = {key: room for key, room in self._full.items() if key[0] != vm}

    async def feed(self, machine: "Machine", _: str = "") -> None:
        for delay in self._turns.delays():
            hungry = await self._hungry(machine)
            if not hungry:
                return  # paused by somebody, or what stopped it is nothing that more room would mend
            machine.life.halted(ENOSPC)
            disks = thin_disks(machine)
            if not all([await self._growth.fill(machine, disks[target]) for target in sorted(hungry)]):
                await self._turns.wait(machine.id, delay)
                continue
            room = {target: (await self._growth.figures(machine, target)).physical.bytes for target in sorted(hungry)}
            if all(self._full.get((machine.id, target)) == room[target] for target in room):
                self.log.error("{vm}: {disks} are full and must not grow", vm=machine.id, disks=", ".join(room))
                return
            await self._go_on(machine, room)
            return

    async def _hungry(self, machine: "Machine") -> set[str]:
        """The disks that have to have room before the machine goes on; none if that would not help."""
        vitals = machine.vitals
        if vitals.status not in (Status.PAUSED, Status.LEAVING) or vitals.pause_code == "POSTCOPY":
            return set()
        if vitals.status is Status.LEAVING and (await machine.means.domains.state(machine.id))[0] != "paused":
            return set()  # only the hypervisor says whether a moving guest stands still
        errors = await machine.means.domains.disk_errors(machine.id)
        disks = set(thin_disks(machine))
        if not errors and vitals.status is Status.PAUSED and vitals.pause_code == ENOSPC:
            return disks  # it stopped on the host it came from
        hungry = {target for target, error in errors.items() if error == NO_SPACE}
        return hungry if len(hungry) == len(errors) and hungry <= disks else set()

    async def _go_on(self, machine: "Machine", room: dict[str, int]) -> None:
        """What room there was is remembered: a machine that stops again with no more of it stays where it is.

        More room for one disk is reason enough: the others may not have come to write since the last time.
        """
        self.log.info("{vm} goes on: {disks} have room", vm=machine.id, disks=", ".join(room))
        await machine.cont()
        self._full |= {(machine.id, target): size for target, size in room.items()}
        for target in room:
            self._went_on(machine.id, target)
