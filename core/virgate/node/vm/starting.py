"""A fresh start: everything before libvirt is asked, the asking, and the hooks after it (spec hooks 1.8)."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from virgate.domxml.tree import Element, parse, pretty
from virgate.hookspecs.documents import XmlDocument
from virgate.node.vm import flags, hooked, inscription, readback
from virgate.node.vm.errors import ForeignDocument
from virgate.node.vm.life import Status
from virgate.node.vm.preparation import Preparation
from virgate.node.vm.record import GuestEvent

if TYPE_CHECKING:
    from virgate.domxml.request import MachineRequest
    from virgate.node.vm.cancellation import Cancellation
    from virgate.node.vm.machine import Machine


class Groundwork:
    """The document of a machine with everything it names made ready; a wake-up begins with it, too."""

    def __init__(self, machine: "Machine", request: "MachineRequest", cancellation: "Cancellation") -> None:
        self._machine, self._means, self._request, self._cancellation = machine, machine.means, request, cancellation
        self.preparation = Preparation(machine, request, wanted=cancellation.check, waiting=cancellation.waiting)

    async def lay(self, undo: AsyncExitStack) -> Element:
        """The document before any script sees it; what was made ready is undone by `undo`."""
        machine, means = self._machine, self._means
        sources = await self.preparation.disks(undo)
        await self.preparation.keep_others_away(undo)
        await self.preparation.host_devices(undo)
        leases = {(lease.lease_id, lease.domain_id): await means.disks.lease(lease) for lease in self._request.leases}
        root = self._request.domain(sources, leases)
        inscription.inscribe(root, machine.record.started)
        return root

    async def show(self, root: Element) -> str:
        """What the scripts before a start make of it."""
        with self._cancellation.waiting():
            await hooked.before_device_create(self._machine, root)
            document = XmlDocument(pretty(root))
            await self._means.hooks.before_vm_start(vm=self._machine.record.subject, domain=document)
        return document.text


class Start:
    """The way to life of a machine that was off."""

    def __init__(self, machine: "Machine", request: "MachineRequest", cancellation: "Cancellation") -> None:
        self._machine, self._means, self._request, self._cancellation = machine, machine.means, request, cancellation
        self._ground = Groundwork(machine, request, cancellation)

    async def boot(self, undo: AsyncExitStack) -> None:
        machine, domains = self._machine, self._means.domains
        text = await self._document(undo)
        launch_flags = flags.read(self._means.run_dir, machine.id)
        paused = bool(launch_flags & flags.START_PAUSED)
        self._cancellation.check()
        await domains.define(text)
        machine.record.xml = text
        machine.boot_ends_with = "suspended" if paused else "started"
        await domains.start(machine.id, paused=paused, flags=launch_flags)
        preparation = self._ground.preparation
        preparation.started()
        undo.push_async_callback(preparation.quietly, lambda: domains.destroy(machine.id, graceful=False))
        if paused:
            machine.life.halted("NOERR")

    async def settle(self) -> None:
        machine = self._machine
        document = await machine.document()
        readback.refresh(machine)
        await self._means.hooks.after_vm_start(vm=machine.record.subject, domain=document)
        await hooked.each_device(machine, "after_device_create", machine.record.xml)
        flags.remove(self._means.run_dir, machine.id)
        machine.record.guest = GuestEvent(Status.POWERING_UP, self._means.monotonic())

    async def _document(self, undo: AsyncExitStack) -> str:
        """The document as the last hook left it."""
        root = await self._ground.lay(undo)
        flags.write(self._means.run_dir, self._machine.id, flags.START_PAUSED if self._request.launch_paused else 0)
        undo.callback(flags.remove, self._means.run_dir, self._machine.id)
        text = await self._ground.show(root)
        self._check(text)
        return text

    def _check(self, text: str) -> None:
        """What scripts left is told as such if it is broken, not by what libvirt makes of it."""
        left = parse(text).findtext("uuid", "").strip()
        if left != self._machine.id:
            raise ForeignDocument(left)
