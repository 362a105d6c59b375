"""What a machine's disks need before its guest can run here: images made ready, payloads written, others kept away.

A start, a wake-up and an arrival from another host do the same here, each with its own stack of undoing.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.domxml.wanted import host_devices
from virgate.hookspecs.documents import JsonDocument
from virgate.node.vm import readback

if TYPE_CHECKING:
    from virgate.domxml.request import MachineRequest
    from virgate.node.vm.guarding import Guard
    from virgate.node.vm.machine import Machine

HONOURED = ("path", "format", "diskType")
"""What `after_disk_prepare` may change (spec hooks 1.4)."""


class Preparation:
    """`wanted` raises when the machine is not wanted any more; inside `waiting()` it may be cancelled."""

    log = Logger()

    def __init__(
        self,
        machine: "Machine",
        request: "MachineRequest",
        *,
        wanted: Callable[[], None] = lambda: None,
        waiting: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._machine, self._means, self._request = machine, machine.means, request
        self._wanted, self._waiting = wanted, waiting
        self._guard: Guard | None = None

    async def disks(self, undo: AsyncExitStack) -> dict[str, DiskSource]:
        """Where each disk is found, by target; what was done is undone by `undo`."""
        means, sources = self._means, {}
        for disk in self._request.disks:
            self._wanted()
            source = await means.disks.prepare(disk)
            undo.push_async_callback(self.quietly, partial(means.disks.teardown, disk))
            sources[disk.target] = await self._after_prepare(disk, source) if disk.is_image else source
        undo.push_async_callback(self.quietly, partial(means.payloads.remove, self._machine.id))
        for payload in self._request.payloads:
            sources[payload.target] = await means.payloads.make(self._machine.id, payload)
        return sources

    async def keep_others_away(self, undo: AsyncExitStack) -> None:
        """From those disks that only this machine may write to; raises what names the host that uses one."""
        guard = await self._means.guards.take(self._machine.id, self._request.disks)
        if guard is not None:
            self._guard = guard
            undo.callback(guard.end)

    async def host_devices(self, undo: AsyncExitStack) -> None:
        """Takes from the host's drivers what the guest shall have; `undo` gives it back."""
        for name in sorted(host_devices(self._machine.record.conf.get("devices"))):
            if self._means.host_devices is not None:
                self._wanted()
                lender = self._means.host_devices()
                await lender.detach(name)
                undo.push_async_callback(self.quietly, partial(lender.reattach, name))

    def started(self) -> None:
        """The guest runs: what keeps others away stays until its QEMU is gone."""
        if self._guard is not None:
            self._guard.started()

    async def quietly(self, undo: Callable[[], Awaitable[Any]]) -> None:
        try:
            await undo()
        except Exception:
            self.log.failure("undoing the start of {vm} left something behind", vm=self._machine.id)

    async def _after_prepare(self, disk: DiskRequest, source: DiskSource) -> DiskSource:
        conf = self._machine.record.conf
        readback.note_chain(conf, disk, source)
        data = JsonDocument(readback.drive(conf, disk, source))
        with self._waiting():
            await self._means.hooks.after_disk_prepare(vm=self._machine.record.subject, data=data)
        return readback.changed(source, {name: data.value[name] for name in HONOURED if name in data.value})
