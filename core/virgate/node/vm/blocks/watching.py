"""What works on volumes of running machines, as the whole node has it: small while nothing does.

Tells `vmJobs` in the statistics of every machine, finds merges and frozen guests that another daemon left, and hands
the hypervisor's events on.
"""

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.node.vm.life import Status
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.node.storage.manager import Storage
    from virgate.node.vm.blocks.merges import Merges
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.registry import Machines
    from virgate.node.vm.thin import Watermarks

THERE = (Status.UP, Status.PAUSED)
SIGNS = ("virgate.org/vm/jobs", "<mirror")
"""A document without them is not looked into."""


class Blocks:
    """`merges` is made when there is the first one."""

    log = Logger()

    def __init__(self, machines: "Machines", storage: "Storage", room: "Watermarks") -> None:
        self.storage, self.room = storage, room
        self._machines, self._means = machines, machines.means
        self._known: set[str] = set()
        self._merges: Merges | None = None
        self._end = self._means.events.listen_all({})

    @property
    def merges(self) -> "Merges":
        if self._merges is None:
            from virgate.node.storage.images.live_chain import LiveChain
            from virgate.node.vm.blocks.merges import Merges

            self._merges = Merges(
                self.storage.volumes,
                LiveChain(self.storage.images.jobs),
                self.room,
                lambda: self.storage.job_registry,
                self._means.reactor,
                self._means.settings.job_period,
            )
        return self._merges

    def start(self) -> None:
        """After recovery: what another daemon began is brought to its end."""
        self._end = self._means.events.listen_all(
            {
                "vm.status": self._status,
                "libvirt.block_job": self._block_job,
                "libvirt.connected": self._reconnected,
                "storage.domain": self._storage,
                "storage.grown": self._grown,
            }
        )
        for machine in self._machines:
            self._welcome(machine)

    def stop(self) -> None:
        self._end()
        if self._merges is not None:
            self._merges.stop()

    def _status(self, vm: str, **_: Any) -> None:
        machine = self._machines.get(vm)
        if machine is None or not machine.vitals.alive:
            self._known.discard(vm)
            if self._merges is not None:
                self._merges.lost(vm)
        elif vm not in self._known:
            self._welcome(machine)

    def _welcome(self, machine: "Machine") -> None:
        if machine.vitals.status not in THERE:
            return
        self._known.add(machine.id)
        machine.shown.append(lambda: {"vmJobs": self._told(machine.id)})
        if any(sign in machine.record.xml for sign in SIGNS):
            self._find(machine)

    def _told(self, vm: str) -> dict[str, Any]:
        return {} if self._merges is None else self._merges.told(vm)

    def _find(self, machine: "Machine") -> None:
        from virgate.domxml import tree
        from virgate.node.vm.blocks import replication
        from virgate.node.vm.blocks.freezing import owed
        from virgate.node.vm.blocks.kept import Kept

        root = tree.parse(machine.record.xml)
        replication.find(self, machine)
        left = Kept.read(root)
        if left.thaw:
            background(owed(machine), self.log, "{vm} may still be frozen", vm=machine.id)
        for merge in left.merges:
            if not self.merges.knows(merge.id):
                self.merges.adopt(machine, merge).look()

    def _block_job(self, uuid: str, disk: str, job: str, status: str, **_: Any) -> None:
        if job == "copy" and status != "ready":
            self.room.double(uuid, disk, on=False)
        if self._merges is not None:
            self._merges.hear(uuid, disk, status)

    def _reconnected(self, **_: Any) -> None:
        """Events may have been missed."""
        if self._merges is not None:
            self._merges.look_at()

    def _storage(self, domain: str, valid: bool, **_: Any) -> None:
        if valid and self._merges is not None:
            self._merges.look_at(domain=domain)

    def _grown(self, domain: str, volume: str, size: int, **_: Any) -> None:
        if self._merges is not None and len(self._merges):
            background(self._merges.grown(domain, volume, size), self.log, "a merge does not know of its new room")
