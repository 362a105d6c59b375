"""Finding machines again after the daemon was gone (spec migration 12.2, 12.4).

Every domain that carries our metadata or the agent's channel is managed again; other running ones are listed as
external. Unlike the reference, nothing is ever destroyed here: a domain of ours that cannot be read keeps running, is
kept in `unreadable` and reported.
"""

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.domxml import running, tree
from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound
from virgate.node.vm import ending, inscription, readback
from virgate.node.vm.errors import ForeignDocument
from virgate.node.vm.exits import Exit, Reason, found_off
from virgate.node.vm.machine import Machine
from virgate.node.vm.record import Record
from virgate.node.vm.reopening import Reopening

if TYPE_CHECKING:
    from virgate.libvirt.domains import DomainSummary
    from virgate.node.vm.registry import Machines

GONE_STATES = frozenset({"shutoff", "crashed"})


class Recovery:
    """Rebuilds machines from what the hypervisor knows."""

    log = Logger()

    def __init__(self, machines: "Machines") -> None:
        self._machines = machines
        self._means = machines.means
        self._stopped = False
        self._wait: Deferred[None] | None = None
        self._reopening = Reopening()
        self.unreadable: dict[str, str] = {}
        """Domains of ours that could not be rebuilt, with the reason."""

    async def run(self) -> None:
        """Comes back when every domain was looked at; tries again as long as the hypervisor does not answer."""
        self._stopped = False
        self._reopening = Reopening()
        while not self._stopped:
            try:
                await self._all()
            except VirgateError as failure:
                self.log.warn("machines cannot be recovered yet: {why}", why=str(failure))
                self._wait = deferLater(self._means.reactor, self._means.settings.recovery_period)
                try:
                    await self._wait
                except CancelledError:
                    return
                self._wait = None
            else:
                return

    def stop(self) -> None:
        self._stopped = True
        self._reopening.stop()
        if self._wait is not None:
            self._wait.cancel()

    async def appeared(self, uuid: str) -> None:
        """A domain was started by somebody else; it may be one of ours that was Down."""
        for found in await self._means.domains.list():
            if found.uuid == uuid and found.state not in GONE_STATES:
                self._machines.drop_dead(uuid)
                await self._one(found)

    async def again(self) -> None:
        """Looks at everything afresh, after events may have been missed."""
        from virgate.node.vm.migration import finding

        found = {one.uuid: one for one in await self._means.domains.list()}
        for machine in self._machines:
            if await finding.again(machine, found.get(machine.id)):
                continue
            if machine.launch is None and machine.vitals.alive:
                await self._catch_up(machine, found.get(machine.id))
        await self._all()

    async def _catch_up(self, machine: Machine, found: "DomainSummary | None") -> None:
        machine.boot_ends_with = ""
        if found is None:
            await ending.finish(machine, Exit.of(Reason.DOMAIN_MISSING))
        elif found.state == "shutoff":
            await ending.finish(machine, found_off(found.reason))
        elif found.state == "crashed":
            await ending.finish(machine, Exit.of(Reason.LOST_QEMU))
        elif found.state == "paused":
            machine.life.halted(PAUSE_CODES.get(found.reason, "NOERR"))
        else:
            machine.life.running()

    async def _all(self) -> None:
        for found in await self._means.domains.list():
            if found.uuid not in self._machines:
                await self._one(found)

    async def _one(self, found: "DomainSummary") -> None:
        try:
            text = await self._means.domains.xml(found.uuid)
        except DomainNotFound:
            return
        if found.uuid in self._machines:
            return
        try:
            root = tree.parse(text)
            ours = running.ours(root)
            if running.is_appliance(root) or (not ours and found.state in GONE_STATES):
                return
            machine, exit = self._rebuild(found.uuid, root, text, external=not ours)
        except Exception as failure:
            self.unreadable[found.uuid] = str(failure) or type(failure).__name__
            self.log.failure("{vm} is left running as it is: it cannot be read", vm=found.uuid)
            return
        if not await self._moves(machine, found):
            if found.uuid in self._machines:
                return
            self._place(machine, found, exit)
        self._machines.adopt(machine)
        self._reopening.begin(machine)
        self.log.info("recovered {vm}: {status}", vm=machine.id, status=str(machine.vitals.status))

    async def _moves(self, machine: Machine, found: "DomainSummary") -> bool:
        """Whether it is on its way to or from here; then its move was taken over."""
        if machine.record.external or found.state in GONE_STATES:
            return False
        from virgate.node.vm.migration import finding

        return await finding.place(self._machines, machine, found)

    def _rebuild(self, uuid: str, root: tree.Element, text: str, *, external: bool) -> tuple[Machine, Exit | None]:
        kept = inscription.read(root, self._means.facts())
        request = kept.request
        if request.id != uuid:  # metadata are anybody's text: they must not make one domain pass for another
            raise ForeignDocument(request.id)
        record = Record(
            request.id,
            request.name,
            running.read(text).conf,
            dict(request.custom),
            disks=() if external else request.disks,
            external=external,
            started=kept.started or self._means.wall(),
            time_offset=int(request.conf.get("timeOffset") or 0),
            xml=text,
        )
        if adjustment := tree.attribute(root, "clock", "adjustment"):
            record.clock_drift = int(adjustment) - record.time_offset
        machine = Machine(record, self._means, request)
        readback.refresh(machine)
        return machine, kept.exit

    def _place(self, machine: Machine, found: "DomainSummary", exit: Exit | None) -> None:
        """Brings the life to where the hypervisor says it is."""
        life = machine.life
        if exit is not None and found.state in GONE_STATES:
            machine.record.released_before = exit.reason not in LEFT
            life.down(exit)
        elif found.state == "shutoff":
            life.down(found_off(found.reason))
        elif found.state == "crashed":
            life.down(Exit.of(Reason.LOST_QEMU))
        elif found.state == "paused":
            life.launched_paused(PAUSE_CODES.get(found.reason, "NOERR"))
        else:
            life.launched()


LEFT = (Reason.SAVED, Reason.MIGRATED)
"""Ends after which what the machine used is released by its destroy (spec hooks 1.8)."""
PAUSE_CODES = {"ioerror": "EOTHER", "postcopy": "POSTCOPY"}
