"""Thin disks of running machines are given room before the guest notices (spec xmlrpc-storage 8.7).

The hypervisor tells once when a guest writes beyond an offset: nothing is asked while guests are quiet. A machine that
was faster than the storage, and stands still for want of room, goes on by itself when every disk that stopped it has
some.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound
from virgate.node.storage.thin.policy import Figures, Policy, Verdict
from virgate.node.vm.life import Status
from virgate.node.vm.thin_disks import ThinDisk, thin_disks
from virgate.units import Size

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

SLOWEST = 60.0
"""Seconds between two attempts at most."""
NO_SPACE, ENOSPC = "no_space", "ENOSPC"
THERE = (Status.UP, Status.PAUSED)


class Growing(Protocol):
    """What machines need of storage: `virgate.node.storage.thin.growing`."""

    async def grow(self, pool: str, domain: str, image: str, volume: str, size: int) -> int: ...


class Watermarks:
    """Watches the thin disks of all machines of this host."""

    log = Logger()

    def __init__(self, machines: "Machines", growing: Growing, policy: Policy, retry: float = 5.0) -> None:
        self._machines, self._growing, self._policy, self._retry = machines, growing, policy, retry
        self._means = machines.means
        self._watched: dict[str, Machine] = {}
        self._doubled: set[tuple[str, str]] = set()
        self._busy: dict[tuple[str, str], bool] = {}
        """Work under way; True if it has to be done once more."""
        self._full: dict[tuple[str, str], int] = {}
        """Room that a disk had when its machine was last set going again."""
        self._waits: set[Deferred[None]] = set()
        self._ends: list[Callable[[], None]] = []

    def start(self) -> None:
        """After recovery: also machines that ran before the daemon did are watched."""
        listen = self._means.events.listen
        self._ends = [
            listen("vm.status", self._status),
            listen("vm.devices", self.look_again),
            listen("libvirt.block_threshold", self._crossed),
            listen("libvirt.io_error", self._refused),
            listen("libvirt.lifecycle", self._lifecycle),
            listen("libvirt.connected", self._reconnected),
            listen("storage.domain", self._storage_back),
        ]
        for machine in self._machines:
            self._welcome(machine)

    def stop(self) -> None:
        for end in self._ends:
            end()
        self._ends = []
        for wait in tuple(self._waits):
            wait.cancel()

    def look_again(self, vm: str, **_: Any) -> None:
        """The disks of a machine are others than before."""
        self._watched.pop(vm, None)
        if (machine := self._machines.get(vm)) is not None:
            self._welcome(machine)

    def double(self, vm: str, target: str, *, on: bool = True) -> None:
        """While a disk is replicated everything is written twice: it is kept twice as far ahead."""
        (self._doubled.add if on else self._doubled.discard)((vm, target))
        self.look_again(vm)

    async def grow_for(self, disk: ThinDisk, capacity: int, written: int, *, doubled: bool = False) -> int:
        """Room for `written` bytes and the usual step ahead of them: for the volume that a live merge or a
        replication writes to. Answers the size; raises what storage says."""
        policy = self._policy.doubled if doubled else self._policy
        wanted = policy.next_size(Size(written), Size(capacity))
        return await self._growing.grow(disk.pool, disk.domain, disk.image, disk.volume, wanted.bytes)

    def _status(self, vm: str, **_: Any) -> None:
        machine = self._machines.get(vm)
        if machine is None or not machine.vitals.alive:
            self._watched.pop(vm, None)
            self._full = {key: room for key, room in self._full.items() if key[0] != vm}
            self._doubled = {key for key in self._doubled if key[0] != vm}
        elif vm not in self._watched:
            self._welcome(machine)

    def _reconnected(self, **_: Any) -> None:
        """Events may have been missed."""
        for machine in self._machines:
            self.look_again(machine.id)

    def _storage_back(self, valid: bool, **_: Any) -> None:
        """What failed may succeed now: after a restart, when the pool is connected."""
        for wait in tuple(self._waits) if valid else ():
            wait.callback(None)

    def _welcome(self, machine: "Machine") -> None:
        if machine.vitals.status in THERE and machine.launch is None:
            self._watched[machine.id] = machine
            disks = thin_disks(machine)
            for target in disks:
                self._once(machine.id, target, self._watch)
            if disks and machine.vitals.status is Status.PAUSED:
                self._once(machine.id, "", self._feed)

    def _crossed(self, uuid: str, target: str, **_: Any) -> None:
        if uuid in self._watched:
            self._once(uuid, target, self._watch)

    def _lifecycle(self, uuid: str, event: str, detail: str, **_: Any) -> None:
        """The machine stands still now, if it did not when a disk told of its error."""
        if uuid in self._watched and (event, detail) == ("suspended", "ioerror"):
            self._once(uuid, "", self._feed)

    def _refused(self, uuid: str, action: str, reason: str, **_: Any) -> None:
        if uuid in self._watched and action == "pause" and reason == "enospc":
            self._once(uuid, "", self._feed)

    def _once(self, vm: str, target: str, work: "Callable[[Machine, str], Awaitable[None]]") -> None:
        """One at a time for a disk (for a machine, with an empty target); what happens meanwhile is looked at after."""
        key = vm, target
        if key in self._busy:
            self._busy[key] = True
            return
        Deferred.fromCoroutine(self._work(key, work))

    async def _work(self, key: tuple[str, str], work: "Callable[[Machine, str], Awaitable[None]]") -> None:
        again = True
        while again:
            self._busy[key] = False
            try:
                machine = self._machines.get(key[0])
                if machine is not None and machine.vitals.alive:
                    await work(machine, key[1])
            except (DomainNotFound, CancelledError):
                pass
            except VirgateError as problem:
                self.log.warn("{vm} disk {target}: {problem}", vm=key[0], target=key[1], problem=problem)
            except Exception:
                self.log.failure("{vm} disk {target} is not watched", vm=key[0], target=key[1])
            again = self._busy.pop(key)

    async def _watch(self, machine: "Machine", target: str) -> None:
        """Sets the mark, then looks whether it was passed before it was set."""
        for wait in _longer(self._retry):
            while True:
                disk = thin_disks(machine).get(target)
                if disk is None or not machine.vitals.alive:
                    return
                policy = self._policy_of(machine.id, target)
                mark = policy.threshold(await self._figures(machine, target))
                await self._means.domains.set_block_threshold(machine.id, target, mark)
                found = await self._figures(machine, target)
                verdict = policy.judge(found)
                if verdict is Verdict.PAUSE:
                    await self._doubtful(machine, target, found)
                if verdict is not Verdict.GROW:
                    return
                if not await self._grow(machine, disk, policy.next_size(found.physical, found.capacity)):
                    break
            await self._wait(wait)

    async def _feed(self, machine: "Machine", _: str) -> None:
        """A machine stands still for want of room: every disk that stopped it gets some, then it goes on."""
        for wait in _longer(self._retry):
            if machine.vitals.status is not Status.PAUSED:
                return
            errors = await self._means.domains.disk_errors(machine.id)
            hungry = {target for target, error in errors.items() if error == NO_SPACE}
            disks = thin_disks(machine)
            if not hungry or len(hungry) < len(errors) or not hungry <= set(disks):
                return  # paused by somebody, or what stopped it is nothing that more room would mend
            machine.life.halted(ENOSPC)
            if not all([await self._fill(machine, disks[target]) for target in sorted(hungry)]):
                await self._wait(wait)
                continue
            room = {target: (await self._figures(machine, target)).physical.bytes for target in sorted(hungry)}
            if stuck := [target for target in room if self._full.get((machine.id, target)) == room[target]]:
                self.log.error("{vm}: {disks} are full and must not grow", vm=machine.id, disks=", ".join(stuck))
                return
            await self._go_on(machine, room)
            return

    async def _go_on(self, machine: "Machine", room: dict[str, int]) -> None:
        """What room there was is remembered: a machine that stops again with no more of it stays where it is."""
        self.log.info("{vm} goes on: {disks} have room", vm=machine.id, disks=", ".join(room))
        await machine.cont()
        self._full |= {(machine.id, target): size for target, size in room.items()}
        for target in room:
            self._once(machine.id, target, self._watch)

    async def _fill(self, machine: "Machine", disk: ThinDisk) -> bool:
        """Lets the disk grow if it can; False if that did not succeed."""
        policy = self._policy_of(machine.id, disk.target)
        found = await self._figures(machine, disk.target)
        if policy.judge(found) is not Verdict.GROW:
            return True
        return await self._grow(machine, disk, policy.next_size(found.physical, found.capacity))

    async def _grow(self, machine: "Machine", disk: ThinDisk, wanted: Size) -> bool:
        """A replica first: what fits into the disk must fit there, too."""
        try:
            if disk.replica is not None:
                copy = disk.replica
                await self._growing.grow(copy.pool, copy.domain, copy.image, copy.volume, wanted.bytes)
            await self._growing.grow(disk.pool, disk.domain, disk.image, disk.volume, wanted.bytes)
        except (VirgateError, OSError) as problem:
            told = {"vm": machine.id, "target": disk.target, "problem": problem}
            self.log.error("{vm} disk {target} does not grow: {problem}", **told)
            return False
        return True

    async def _doubtful(self, machine: "Machine", target: str, found: Figures) -> None:
        self.log.error(
            "{vm} disk {target} has {written} bytes written where {room} could be: the machine is paused",
            vm=machine.id,
            target=target,
            written=found.allocation.bytes,
            room=found.physical.bytes,
        )
        await self._means.domains.suspend(machine.id)
        machine.life.halted("EOTHER")

    async def _figures(self, machine: "Machine", target: str) -> Figures:
        return Figures(*map(Size, await self._means.domains.block_sizes(machine.id, target)))

    def _policy_of(self, vm: str, target: str) -> Policy:
        return self._policy.doubled if (vm, target) in self._doubled else self._policy

    async def _wait(self, seconds: float) -> None:
        wait: Deferred[None] = Deferred()
        alarm = self._means.reactor.callLater(seconds, wait.callback, None)
        self._waits.add(wait)
        try:
            await wait
        finally:
            self._waits.discard(wait)
            if alarm.active():
                alarm.cancel()


def _longer(seconds: float) -> Iterable[float]:
    """Waits without end, each twice as long as the one before, up to a minute."""
    while True:
        yield min(seconds, SLOWEST)
        seconds *= 2
