"""A machine leaves for another host (spec migration 5): the source's side, from the order to Down or back to Up.

It runs in the background. Whatever fails before the guest runs on the other side, it goes on here: the destination is
told to forget it, and the reason is in the standing. A cancelled move fails in the same way.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm import hooked, inscription
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.life import Status
from virgate.node.vm.migration import description, guest, staying, trail
from virgate.node.vm.migration.errors import PeerRefused
from virgate.node.vm.migration.leaving import EVENT_PATIENCE, Leaving
from virgate.node.vm.migration.outcome import outcome
from virgate.node.vm.migration.sight import Sight
from virgate.node.vm.migration.standing import DONE, Postcopy
from virgate.node.vm.migration.stream import Stream

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.order import Order
    from virgate.node.vm.migration.peer import Peer
    from virgate.node.vm.migration.traffic import Traffic

BUSY = 82
PASSING = ("migrated", "postcopy")


class Departure(Leaving):
    """`forget()` takes the machine from the list: after post-copy nothing of it is left here."""

    log = Logger()
    becomes = Status.LEAVING

    def __init__(
        self, machine: "Machine", order: "Order | None", traffic: "Traffic", forget: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(machine)
        self._order, self._traffic, self._forget = order, traffic, forget
        self._found = self._unseen = False
        self._peer: Peer | None = None
        self._stream = Stream(machine, traffic, self.standing, self.tell)
        self._holds_place = False
        self._torn = False
        self._left: Deferred[None] = Deferred()

    # -- what others ask of it

    def begin(self, *, found: bool = False) -> None:
        """`found`: libvirt is at it already, and holds a place among those that leave."""
        self._found = self._unseen = self._holds_place = found
        if found and (destination := trail.find(self._machine)) is not None:
            self._peer = self._traffic.peer(destination)
        self.sight = Sight(self._machine.id, None) if found else None
        self._machine.departure = self
        self._machine.shown.append(self.members)
        self._start()

    def members(self) -> dict[str, Any]:
        """Of the statistics, while it lasts."""
        return {"migrationProgress": self.standing.progress}

    async def limit_bandwidth(self, mebibytes: int) -> None:
        await self._stream.limit_bandwidth(mebibytes)

    def look(self) -> None:
        """There may be news of a move that is only watched."""
        self._stream.look()

    # -- what libvirt tells

    def hears(self, event: str, detail: str) -> bool:
        """Whether the event is this move's business and nobody else's."""
        machine = self._machine
        if event == "stopped" or detail == "migrated":
            self._stream.look()
        if event == "stopped" and detail == "migrated":
            machine.hook_lane.put(self._after)
            return True
        if event == "suspended" and detail.startswith("postcopy"):
            self.standing.postcopy = Postcopy.RUNNING
            machine.life.halted("POSTCOPY")
            machine.tell()
            return True
        return (event == "stopped" and self._torn) or (event in ("suspended", "resumed") and detail in PASSING)

    def completed(self, job: dict[str, Any]) -> None:
        """libvirt's last figures of the move."""
        self.standing.completed(job)
        self.tell()

    def tell(self) -> None:
        """Puts the progress on the bus."""
        standing = self.standing
        self._means.events.tell(
            "vm.migration",
            vm=self._machine.id,
            progress=standing.progress,
            downtime=standing.downtime,
            postcopy=standing.postcopy is not Postcopy.NONE,
        )

    # -- the way

    async def _abort(self) -> None:
        if self._stream.active:
            await self._stream.abort()

    async def _run(self) -> None:
        machine = self._machine
        try:
            try:
                await (self._stream.watch() if self._found else self._leave())
            except (Exception, CancelledError) as failure:
                await self._stay(failure)
            else:
                await self._gone()
        finally:
            if self._holds_place:
                self._traffic.outgoing.give_back()
            self._alone()
            machine.shown.remove(self.members)
            self._end()
        if self.standing.postcopy and not machine.vitals.alive:
            await self._forget()

    async def _leave(self) -> None:
        machine, order = self._machine, self._order
        assert order is not None
        if order.outgoing is not None:
            self._traffic.outgoing.resize(order.outgoing)
        peer = self._traffic.peer(order.destination)
        with self._waiting():
            await peer.ping()
        self._peer = peer
        machine.life.leave()
        await guest.note_version(machine)
        there = await self._prepare(peer, order)
        await trail.leave(machine, order.destination)
        self._check()
        try:
            await self._stream.run(order, there, self._check)
        except HypervisorAway:
            self.log.warn("libvirt is away while {vm} moves: how that ends is seen when it is back", vm=machine.id)
            self._unseen = True
            await self._stream.watch()

    async def _prepare(self, peer: "Peer", order: "Order") -> dict[str, Any]:
        """Has the destination prepare, as often as it is busy; answers the machine as it is there."""
        machine = self._machine
        while True:
            with self._waiting():
                await self._traffic.outgoing.take()
            self._holds_place = True
            if order.guest_events:
                with self._waiting():
                    await guest.tell(machine, "before_migration", wait=self._traffic.settings.guest_patience)
            self._check()
            await hooked.each_device(machine, "before_device_migrate_source", (await machine.document()).text)
            await self._means.hooks.before_vm_migrate_source(
                vm=machine.record.subject, domain=XmlDocument(machine.record.xml)
            )
            known = {} if machine.agent is None else machine.agent.carried
            told = description.tell(machine, machine.record.xml, guest=known, guest_events=order.guest_events)
            self.sight = sight = Sight(machine.id, peer)
            try:
                with self._waiting():
                    there = await peer.create(told, order.incoming)
                sight.prepared()
                return there
            except PeerRefused as refused:
                if refused.answer != BUSY:
                    raise
                self.log.info("{vm} waits: its destination is busy", vm=machine.id)
            self._alone()
            self._traffic.outgoing.give_back()
            self._holds_place = False
            with self._waiting():
                await deferLater(self._means.reactor, self._traffic.settings.retry_after)

    def _alone(self) -> None:
        """Only this host uses the machine's disks."""
        if self.sight is not None:
            self.sight.over()
            self.sight = None

    # -- the end

    async def _gone(self) -> None:
        """The guest runs on the other side. What it used here is released when its owner destroys the machine."""
        from virgate.libvirt import moving

        machine, standing = self._machine, self.standing
        try:
            await self._left.addTimeout(EVENT_PATIENCE, self._means.reactor)
        except TimeoutError:
            self.log.warn("libvirt did not tell that {vm} left", vm=machine.id)
            await self._after()
        if standing.downtime is None:
            standing.completed(await moving.last_job(self._means.domains, machine.id))
        standing.progress = 100
        standing.ended(0, DONE)
        self.tell()
        exit = Exit.of(Reason.MIGRATED)
        await inscription.keep_exit(machine, exit)
        machine.life.down(exit)
        self.log.info("{vm} has left", vm=machine.id)

    async def _after(self) -> None:
        """The hooks after the move; once, whoever comes first."""
        machine = self._machine
        if self._left.called:
            return
        try:
            document = XmlDocument(machine.record.xml)
            await self._means.hooks.after_vm_migrate_source(vm=machine.record.subject, domain=document)
            await hooked.each_device(machine, "after_device_migrate_source", machine.record.xml)
        except Exception:
            self.log.failure("what follows the move of {vm} failed", vm=machine.id)
        finally:
            if not self._left.called:
                self._left.callback(None)

    async def _stay(self, failure: BaseException) -> None:
        machine, standing = self._machine, self.standing
        code, message = outcome(failure)
        standing.ended(code, message)
        self.log.warn("{vm} does not leave: {code}, {why}", vm=machine.id, code=code, why=message)
        if standing.postcopy is Postcopy.RUNNING:
            self._torn = True
            await staying.lose(machine)
            return
        if self._peer is not None:
            await staying.free(machine, self._peer, failure, seen=not self._unseen)
        self._alone()
        if self._order is not None and self._order.guest_events:
            await guest.tell(machine, "after_migration", failure=True)
        await staying.go_on(machine)
        self.tell()
