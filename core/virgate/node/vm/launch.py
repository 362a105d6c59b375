"""Starting a machine: the sequence of spec xmlrpc-host-vm 3.5 and hooks 1.8, each step with its undoing.

A start runs in the background; at most a few run at a time. If any step fails, the earlier ones are undone in reverse
and the machine is Down with the failure as its exit message. A domain that could be defined stays defined until
`destroy`, because it carries the exit reason over a restart of the daemon.
"""

from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger

from virgate.domxml.tree import parse, pretty
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm import flags, hooked, inscription, readback
from virgate.node.vm.errors import Abandoned, ForeignDocument, LostAtStart
from virgate.node.vm.exits import Exit, Reason, after_stop
from virgate.node.vm.life import Status
from virgate.node.vm.preparation import Preparation
from virgate.node.vm.record import GuestEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virgate.domxml.request import MachineRequest
    from virgate.node.vm.machine import Machine


class Launch:
    """One start of one machine."""

    log = Logger()

    def __init__(self, machine: "Machine", request: "MachineRequest", slots: DeferredSemaphore) -> None:
        self._machine = machine
        self._means = machine.means
        self._request = request
        self._slots = slots
        self._unwanted = False
        self._interruptible = False
        self._over: list[Deferred[None]] = []
        self._job: Deferred[None] | None = None
        self._preparation = Preparation(machine, request, wanted=self._still_wanted, waiting=self._waiting)
        self.lost = ""
        """How the guest ended if it did before the start was complete."""

    def begin(self) -> None:
        self._job = Deferred.fromCoroutine(self._run())
        self._job.addErrback(
            lambda problem: self.log.failure("{vm} came to no proper end", problem, vm=self._machine.id)
        )

    def abandon(self) -> None:
        """The machine is not wanted any more: what waits is ended now, what libvirt does is undone when it is done."""
        self._unwanted = True
        if self._interruptible and self._job is not None:
            self._job.cancel()

    async def over(self) -> None:
        """Comes back when the start has succeeded or failed."""
        if self._machine.launch is self:
            waiting: Deferred[None] = Deferred()
            self._over.append(waiting)
            await waiting

    async def _run(self) -> None:
        try:
            await self._start()
        except (Exception, CancelledError) as failure:
            await self._failed(failure)
        finally:
            self._machine.launch = None
            for waiting in self._over:
                waiting.callback(None)

    async def _failed(self, failure: BaseException) -> None:
        machine = self._machine
        exit = self._exit(failure)
        machine.record.disks = ()  # torn down already; destroy has only its hooks to run
        self.log.warn("{vm} did not start: {why}", vm=machine.id, why=exit.message)
        await inscription.keep_exit(machine, exit)
        machine.life.down(exit)

    def _exit(self, failure: BaseException) -> Exit:
        restoring = self._machine.vitals.status is Status.RESTORING
        if self._unwanted:
            return Exit.of(Reason.DESTROYED_AT_START)
        if isinstance(failure, LostAtStart):
            return after_stop(failure.detail, asked=self._machine.record.asked_down)
        return Exit.of(Reason.GENERIC_ERROR, str(failure) or type(failure).__name__, restoring=restoring)

    async def _start(self) -> None:
        machine = self._machine
        async with AsyncExitStack() as undo:
            with self._waiting():
                await self._slots.acquire()
            try:
                await self._boot(undo)
            finally:
                self._slots.release()  # scripts after the start may take their time and even start machines
            await self._share()
            await self._after_start()
            undo.pop_all()
        machine.record.guest = GuestEvent(Status.POWERING_UP, self._means.monotonic())
        if code := machine.vitals.pause_code:  # a hook may have paused or continued it meanwhile
            machine.life.launched_paused(code)
        else:
            machine.life.launched()

    async def _boot(self, undo: AsyncExitStack) -> None:
        machine, domains = self._machine, self._means.domains
        text = await self._document(undo)
        launch_flags = flags.read(self._means.run_dir, machine.id)
        paused = bool(launch_flags & flags.START_PAUSED)
        self._still_wanted()
        await domains.define(text)
        machine.record.xml = text
        machine.boot_ends_with = "suspended" if paused else "started"
        await domains.start(machine.id, paused=paused, flags=launch_flags)
        self._preparation.started()
        undo.push_async_callback(self._preparation.quietly, lambda: domains.destroy(machine.id, graceful=False))
        if paused:
            machine.life.halted("NOERR")

    async def _document(self, undo: AsyncExitStack) -> str:
        """Everything before libvirt is asked; the answer is the document as the last hook left it."""
        machine, means = self._machine, self._means
        sources = await self._preparation.disks(undo)
        await self._preparation.keep_others_away(undo)
        leases = {(lease.lease_id, lease.domain_id): await means.disks.lease(lease) for lease in self._request.leases}
        root = self._request.domain(sources, leases)
        inscription.inscribe(root, machine.record.started)
        flags.write(means.run_dir, machine.id, flags.START_PAUSED if self._request.launch_paused else 0)
        undo.callback(flags.remove, means.run_dir, machine.id)
        with self._waiting():
            await hooked.before_device_create(machine, root)
            document = XmlDocument(pretty(root))
            await means.hooks.before_vm_start(vm=machine.record.subject, domain=document)
        self._check(document.text)
        return document.text

    def _check(self, text: str) -> None:
        """What scripts left is told as such if it is broken, not by what libvirt makes of it."""
        left = parse(text).findtext("uuid", "").strip()
        if left != self._machine.id:
            raise ForeignDocument(left)

    async def _share(self) -> None:
        """The weight among machines; a host whose control groups cannot give it runs the machine without."""
        if (shares := self._request.cpu_shares) is None:
            return
        try:
            await self._means.domains.set_shares(self._machine.id, shares)
        except HypervisorFailed as refused:
            self.log.warn("{vm} runs without CPU shares: {why}", vm=self._machine.id, why=refused.detail)

    async def _after_start(self) -> None:
        machine = self._machine
        document = await machine.document()
        readback.refresh(machine)
        await self._means.hooks.after_vm_start(vm=machine.record.subject, domain=document)
        await hooked.each_device(machine, "after_device_create", machine.record.xml)
        flags.remove(self._means.run_dir, machine.id)
        if self.lost:
            raise LostAtStart(machine.id, self.lost)
        self._still_wanted()

    def _still_wanted(self) -> None:
        if self._unwanted:
            raise Abandoned(self._machine.id)

    @contextmanager
    def _waiting(self) -> "Iterator[None]":
        """Inside, `abandon` cancels at once."""
        self._still_wanted()
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False
        self._still_wanted()
