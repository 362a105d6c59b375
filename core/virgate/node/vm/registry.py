"""All machines of this host: create, find, list, destroy, and finding them again after a restart."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, DeferredLock, DeferredSemaphore
from twisted.logger import Logger

from virgate.domxml.request import read_request
from virgate.node.vm import ending, leftovers, readback
from virgate.node.vm.cancellation import Cancellation
from virgate.node.vm.errors import Abandoned, NoSuchMachine
from virgate.node.vm.happenings import Happenings
from virgate.node.vm.launch import Launch, Way
from virgate.node.vm.machine import Machine
from virgate.node.vm.means import Means
from virgate.node.vm.plugging.late import Late
from virgate.node.vm.plugging.screens import Screens
from virgate.node.vm.record import Record
from virgate.node.vm.recovery import Recovery
from virgate.node.vm.sampler import Sampler
from virgate.node.vm.starting import Start
from virgate.node.vm.storage_back import StorageBack
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.node.vm.hibernation.parameters import Waking

FAREWELL = 10.0
"""Seconds that stopping waits for machines that are starting."""


class Machines:
    """The front of this room."""

    log = Logger()

    def __init__(self, means: Means) -> None:
        self.means = means
        self._machines: dict[str, Machine] = {}
        self._destroying: dict[str, DeferredLock] = {}
        self.slots = DeferredSemaphore(means.settings.parallel_starts)
        self._happenings: Happenings | None = None
        self._storage_back: StorageBack | None = None
        self._late: Late | None = None
        self._screens: Screens | None = None
        self._stopped = False
        self.sampler = Sampler(means, self)
        self.recovery = Recovery(self)

    def __iter__(self) -> Iterator[Machine]:
        return iter(tuple(self._machines.values()))

    def __len__(self) -> int:
        return len(self._machines)

    def __contains__(self, vm: object) -> bool:
        return vm in self._machines

    async def start(self) -> None:
        """Finds the machines that are there; comes back when all are managed again, however long that takes."""
        self._stopped = False
        self._happenings = Happenings(self, self.means.events, self._appeared, self._reconnected)
        self._storage_back = StorageBack(self, self.means.events)
        self._late = Late(self, self.means.events)
        self._screens = Screens(self, self.means.events, self.means.reactor)
        await self.recovery.run()
        if not self._stopped:
            leftovers.sweep(self.means.run_dir, {*self._machines, *self.recovery.unreadable})
        self.sampler.start()

    async def stop(self) -> None:
        """Stops watching; starts in progress get a moment to end. Guests go on."""
        self._stopped = True
        brief = [machine.launch for machine in self if machine.launch is not None and machine.launch.brief]
        launches = [Deferred.fromCoroutine(launch.over()) for launch in brief]
        ended = await DeferredList(launches, consumeErrors=True).addTimeout(FAREWELL, self.means.reactor)
        if not all(success for success, _ in ended):
            self.log.warn("machines are left in the middle of their start")
        if self._happenings is not None:
            self._happenings.close()
        if self._storage_back is not None:
            self._storage_back.close()
            self._storage_back = None
        if self._late is not None:
            self._late.close()
        if self._screens is not None:
            self._screens.close()
            self._screens = None
        self.recovery.stop()
        self.sampler.stop()

    def get(self, vm: str) -> Machine | None:
        return self._machines.get(vm)

    def find(self, vm: str) -> Machine:
        """Raises `NoSuchMachine` (code 1)."""
        try:
            return self._machines[vm]
        except KeyError:
            raise NoSuchMachine(vm) from None

    def adopt(self, machine: Machine) -> None:
        """Lists a machine that recovery has rebuilt."""
        self._machines[machine.id] = machine
        self.means.events.tell("vm.adopted", vm=machine.id)

    def drop_dead(self, vm: str) -> None:
        """Takes a machine that is Down from the list, because its guest runs again."""
        if (machine := self._machines.get(vm)) is not None and not machine.vitals.alive:
            del self._machines[vm]

    async def create(self, params: Mapping[str, Any]) -> Machine:
        """Lists a machine and begins to start it or to wake it up; raises before anything is done if the parameters
        are wrong."""
        waking: Waking | None = None
        if params.get("hiberVolHandle") or params.get("memoryDumpVolume"):
            from virgate.node.vm.hibernation.restore import resolve

            params, waking = await resolve(params, self.means)
        if self.means.learn is not None:
            await self.means.learn(params)
        request = read_request(params, self.means.facts(), self._machines)
        for notice in request.notices:
            self.log.warn("{vm}: {notice}", vm=request.id, notice=notice)
        record = Record(request.id, request.name, request.conf, dict(request.custom), disks=request.disks)
        record.conf.pop("launchPaused", None)  # said once, done once
        record.time_offset = int(request.conf.get("timeOffset", 0) or 0)
        record.started = self.means.wall() - (waking.elapsed if waking else 0.0)
        machine = self._machines[request.id] = Machine(record, self.means, request)
        machine.figures.reshape(readback.unborn(record.conf))
        cancellation = Cancellation(lambda: Abandoned(machine.id))
        way: Way = Start(machine, request, cancellation)
        if waking is not None:
            from virgate.node.vm.hibernation.restore import WakeUp

            way = WakeUp(machine, request, cancellation, waking)
            machine.life.restore()
        machine.launch = Launch(machine, request, self.slots, way, cancellation)
        machine.launch.begin()
        return machine

    async def destroy(self, vm: str, attempts: int = 1) -> None:
        """Ends the guest, releases everything and takes the machine from the list, one at a time per machine."""
        machine = self.find(vm)
        lock = self._destroying.setdefault(vm, DeferredLock())
        await lock.acquire()
        try:
            if self._machines.get(vm) is not machine:
                raise NoSuchMachine(vm)
            await ending.destroy(machine, attempts)
            del self._machines[vm]
            self._destroying.pop(vm, None)
        finally:
            lock.release()

    def _appeared(self, uuid: str) -> None:
        """A domain that somebody else started is listed as external."""
        background(self.recovery.appeared(uuid), self.log, "a new domain could not be read")

    def _reconnected(self) -> None:
        trouble = "machines could not be looked at after the hypervisor was away"
        background(self.recovery.again(), self.log, trouble)
