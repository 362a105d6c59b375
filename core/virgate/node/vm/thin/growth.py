"""One thin disk gets room, and everywhere at once: in its replica, and on the host that its machine moves to."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.thin.policy import Figures, Policy, Verdict
from virgate.node.vm.thin.disks import ThinDisk
from virgate.units import Size

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.sight import Sight

First = Callable[[], Awaitable[None]]


class Growing(Protocol):
    """What machines need of storage: `virgate.node.storage.thin.growing`."""

    async def grow(
        self, pool: str, domain: str, image: str, volume: str, size: int, *, first: First | None = None
    ) -> int:
        """`first` is awaited when the volume has grown and this host does not see it yet."""


class Growth:
    """Figures, steps and growing of disks, one by one."""

    log = Logger()

    def __init__(self, growing: Growing, policy: Policy) -> None:
        self._growing, self._policy = growing, policy
        self._doubled: set[tuple[str, str]] = set()

    def double(self, vm: str, target: str, *, on: bool) -> None:
        (self._doubled.add if on else self._doubled.discard)((vm, target))

    def forget(self, vm: str) -> None:
        self._doubled = {key for key in self._doubled if key[0] != vm}

    def policy(self, vm: str, target: str) -> Policy:
        return self._policy.doubled if (vm, target) in self._doubled else self._policy

    async def figures(self, machine: "Machine", target: str) -> Figures:
        return Figures(*map(Size, await machine.means.domains.block_sizes(machine.id, target)))

    async def ahead(self, disk: ThinDisk, capacity: int, written: int, *, doubled: bool) -> int:
        """Room for `written` bytes and the usual step ahead of them; raises what storage says."""
        policy = self._policy.doubled if doubled else self._policy
        wanted = policy.next_size(Size(written), Size(capacity))
        return await self._growing.grow(disk.pool, disk.domain, disk.image, disk.volume, wanted.bytes)

    async def fill(self, machine: "Machine", disk: ThinDisk) -> bool:
        """Lets the disk grow if it can; False if that did not succeed."""
        policy = self.policy(machine.id, disk.target)
        found = await self.figures(machine, disk.target)
        if policy.judge(found) is not Verdict.GROW:
            return True
        return await self.grow(machine, disk, policy.next_size(found.physical, found.capacity))

    async def grow(self, machine: "Machine", disk: ThinDisk, wanted: Size) -> bool:
        """A replica first: what fits into the disk must fit there, too."""
        try:
            if disk.replica is not None:
                copy = disk.replica
                await self._growing.grow(copy.pool, copy.domain, copy.image, copy.volume, wanted.bytes)
            if machine.departure is None:
                await self._growing.grow(disk.pool, disk.domain, disk.image, disk.volume, wanted.bytes)
                await _catch_up(machine, disk, wanted)
            else:
                await self._grow_on_the_way(machine, disk, wanted)
        except (VirgateError, OSError) as problem:
            told = {"vm": machine.id, "target": disk.target, "problem": problem}
            self.log.error("{vm} disk {target} does not grow: {problem}", **told)
            return False
        return True

    async def _grow_on_the_way(self, machine: "Machine", disk: ThinDisk, wanted: Size) -> None:
        """The host that the guest may run on in a moment sees it before the guest writes there."""
        if (sight := _sight(machine)) is not None:
            await sight.require()

        async def first() -> None:
            if (sight := _sight(machine)) is not None:
                await sight.show(disk, wanted.bytes)

        await self._growing.grow(disk.pool, disk.domain, disk.image, disk.volume, wanted.bytes, first=first)


async def _catch_up(machine: "Machine", disk: ThinDisk, size: Size) -> None:
    """For a move that began meanwhile. It stays here if its destination may know only the old size: data would be
    missing there."""
    if (sight := _sight(machine)) is None:
        return
    try:
        await sight.require()
        await sight.show(disk, size.bytes)
    except (VirgateError, OSError):
        if machine.departure is not None and _sight(machine) is sight:
            await machine.departure.cancel()
        raise


def _sight(machine: "Machine") -> "Sight | None":
    return None if machine.departure is None else machine.departure.sight
