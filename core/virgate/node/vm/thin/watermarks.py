"""Watches the thin disks of all machines of this host: which, since when, and what the hypervisor tells of them."""

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.node.storage.thin.policy import Figures, Policy, Verdict
from virgate.node.vm.life import Status
from virgate.node.vm.thin.disks import ThinDisk, thin_disks
from virgate.node.vm.thin.feeding import Feeding
from virgate.node.vm.thin.growth import Growing, Growth
from virgate.node.vm.thin.turns import Turns

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines

THERE = (Status.UP, Status.PAUSED, Status.LEAVING)


class Watermarks:
    log = Logger()

    def __init__(self, machines: "Machines", growing: Growing, policy: Policy, retry: float = 5.0) -> None:
        self._machines, self._means = machines, machines.means
        self._watched: set[str] = set()
        self._turns = Turns(machines, machines.means.reactor, retry)
        self._growth = Growth(growing, policy)
        self._feeding = Feeding(self._growth, self._turns, self._watch)
        self._end = self._means.events.listen_all({})

    def start(self) -> None:
        """After recovery: also machines that ran before the daemon did are watched."""
        self._end = self._means.events.listen_all(
            {
                "vm.status": self._status,
                "vm.devices": self.look_again,
                "libvirt.block_threshold": self._crossed,
                "libvirt.io_error": self._refused,
                "libvirt.lifecycle": self._lifecycle,
                "libvirt.connected": self._reconnected,
                "storage.domain": self._storage_back,
            }
        )
        for machine in self._machines:
            self._welcome(machine)

    def stop(self) -> None:
        self._end()
        self._turns.cancel()

    # -- what others ask of it

    def look_again(self, vm: str, **_: Any) -> None:
        """The disks of a machine are others than before."""
        self._watched.discard(vm)
        if (machine := self._machines.get(vm)) is not None:
            self._welcome(machine)

    def double(self, vm: str, target: str, *, on: bool = True) -> None:
        """While a disk is replicated everything is written twice: it is kept twice as far ahead."""
        self._growth.double(vm, target, on=on)
        self.look_again(vm)

    async def grow_for(self, disk: ThinDisk, capacity: int, written: int, *, doubled: bool = False) -> int:
        """Room for `written` bytes and the usual step ahead of them: for the volume that a live merge or a
        replication writes to. Answers the size; raises what storage says."""
        return await self._growth.ahead(disk, capacity, written, doubled=doubled)

    # -- what happens

    def _status(self, vm: str, **_: Any) -> None:
        machine = self._machines.get(vm)
        if machine is None or not machine.vitals.alive:
            self._watched.discard(vm)
            self._feeding.forget(vm)
            self._growth.forget(vm)
        elif vm not in self._watched:
            self._welcome(machine)
        elif machine.departure is None and machine.vitals.status in THERE:
            self._turns.wake(vm)  # a move may have kept its disks from growing

    def _crossed(self, uuid: str, target: str, **_: Any) -> None:
        if uuid in self._watched:
            self._watch(uuid, target)

    def _lifecycle(self, uuid: str, event: str, detail: str, **_: Any) -> None:
        """The machine stands still now, if it did not when a disk told of its error."""
        if uuid in self._watched and (event, detail) == ("suspended", "ioerror"):
            self._turns.take(uuid, "", self._feeding.feed)

    def _refused(self, uuid: str, action: str, reason: str, **_: Any) -> None:
        if uuid in self._watched and action == "pause" and reason == "enospc":
            self._turns.take(uuid, "", self._feeding.feed)

    def _reconnected(self, **_: Any) -> None:
        """Events may have been missed."""
        for machine in self._machines:
            self.look_again(machine.id)

    def _storage_back(self, valid: bool, **_: Any) -> None:
        """What failed may succeed now: after a restart, when the pool is connected."""
        if valid:
            self._turns.wake()

    # -- what follows

    def _welcome(self, machine: "Machine") -> None:
        if machine.vitals.status not in THERE or machine.id in self._watched:
            return
        self._watched.add(machine.id)
        if machine.launch is not None:  # its last steps, after which nothing tells a status any more
            Deferred.fromCoroutine(machine.launch.over()).addCallback(lambda _: self.look_again(machine.id))
            return
        disks = thin_disks(machine)
        for target in disks:
            self._watch(machine.id, target)
        if disks and machine.vitals.status is not Status.UP:
            self._turns.take(machine.id, "", self._feeding.feed)

    def _watch(self, vm: str, target: str) -> None:
        self._turns.take(vm, target, self._mark)

    async def _mark(self, machine: "Machine", target: str) -> None:
        """Sets the mark, then looks whether it was passed before it was set."""
        for delay in self._turns.delays():
            while True:
                disk = thin_disks(machine).get(target)
                if disk is None or not machine.vitals.alive:
                    return
                policy = self._growth.policy(machine.id, target)
                mark = policy.threshold(await self._growth.figures(machine, target))
                await self._means.domains.set_block_threshold(machine.id, target, mark)
                found = await self._growth.figures(machine, target)
                verdict = policy.judge(found)
                if verdict is Verdict.PAUSE:
                    await self._doubtful(machine, target, found)
                if verdict is not Verdict.GROW:
                    return
                if not await self._growth.grow(machine, disk, policy.next_size(found.physical, found.capacity)):
                    break
            await self._turns.wait(machine.id, delay)

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
