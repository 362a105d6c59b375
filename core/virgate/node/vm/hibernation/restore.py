"""A machine wakes up: its parameters and its memory from where they were saved to (spec migration 11.3, 11.4)."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml.tree import pretty
from virgate.errors import VirgateError
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt import saving
from virgate.node.vm import readback
from virgate.node.vm.hibernation import conf_file, guest, parameters
from virgate.node.vm.hibernation.document import adapt
from virgate.node.vm.hibernation.handle import Handle
from virgate.node.vm.starting import Groundwork
from virgate.run.background import background

if TYPE_CHECKING:
    from virgate.domxml.request import MachineRequest
    from virgate.node.vm.cancellation import Cancellation
    from virgate.node.vm.hibernation.parameters import Waking
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.means import Means

log = Logger()


async def resolve(params: Mapping[str, Any], means: "Means") -> "tuple[Mapping[str, Any], Waking | None]":
    """The parameters to create the machine with, and how to wake it up if that is asked for.

    Raises `BadHandle`. Parameters that cannot be read are logged: those of the request have to do.
    """
    handle = Handle.of_params(params)
    if handle is None:
        return params, None
    found: Mapping[str, Any] = {}
    try:
        found = conf_file.read(await means.confs.read(handle.conf, conf_file.LONGEST))
    except VirgateError as problem:
        log.warn("{vm} wakes up with the parameters it is asked for: {why}", vm=params.get("vmId"), why=str(problem))
    return parameters.woken(params, handle, found)


class WakeUp:
    """The way to life of a machine that was saved."""

    log = log

    def __init__(
        self, machine: "Machine", request: "MachineRequest", cancellation: "Cancellation", waking: "Waking"
    ) -> None:
        self._machine, self._means, self._request, self._cancellation = machine, machine.means, request, cancellation
        self._waking = waking
        self._ground = Groundwork(machine, request, cancellation)

    async def boot(self, undo: AsyncExitStack) -> None:
        machine, means, preparation = self._machine, self._means, self._ground.preparation
        fresh = await self._ground.lay(undo)
        await self._ground.show(fresh)  # for what scripts do to the host; their document is not the one that is used
        memory = await means.disks.prepare(self._waking.handle.memory.disk)
        try:
            saved = self._waking.document or await saving.saved_document(means.domains, memory.path)
            text = pretty(adapt(saved, fresh))
            with self._cancellation.waiting():
                await means.hooks.before_vm_dehibernate(
                    vm=machine.record.subject, domain=XmlDocument(text), from_snapshot=self._waking.from_snapshot
                )
            await means.domains.define(text)
            machine.record.xml = text
            machine.boot_ends_with = "suspended"
            await saving.restore(means.domains, machine.id, memory.path, text)
        finally:
            await preparation.quietly(lambda: means.disks.teardown(self._waking.handle.memory.disk))
        preparation.started()
        undo.push_async_callback(preparation.quietly, lambda: means.domains.destroy(machine.id, graceful=False))
        machine.life.halted("NOERR")

    async def settle(self) -> None:
        machine, means = self._machine, self._means
        await machine.document()
        readback.refresh(machine)
        self._cancellation.check()
        if not self._request.launch_paused:
            await means.hooks.before_vm_cont(vm=machine.record.subject, domain=XmlDocument(machine.record.xml))
            self._cancellation.check()
            await means.domains.resume(machine.id)
            machine.life.running()
        # Nothing may fail from here on: a guest that ran has changed its disks, and its old memory does not fit them.
        await means.hooks.after_vm_dehibernate(
            vm=machine.record.subject,
            domain=XmlDocument(machine.record.xml),
            from_snapshot=self._waking.from_snapshot,
        )
        background(guest.good_morning(machine), log, "{vm} was not told that it woke up", vm=machine.id)
