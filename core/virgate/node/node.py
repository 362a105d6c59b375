"""The node as one value: its managers, and their common start and end."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from attrs import define
from twisted.logger import Logger

from virgate.errors import VirgateError

if TYPE_CHECKING:
    from virgate.config import Settings
    from virgate.events import EventBus
    from virgate.libvirt.connection import Hypervisor
    from virgate.node.guest.agents import Agents
    from virgate.node.host.host import Host
    from virgate.node.storage.manager import Storage
    from virgate.node.tasks.manager import Tasks
    from virgate.node.v2v.door import Door
    from virgate.node.vm.blocks.watching import Blocks
    from virgate.node.vm.registry import Machines
    from virgate.node.vm.thin import Watermarks
    from virgate.plugins import Hooks, Registry


@define(kw_only=True)
class Node:
    log: ClassVar = Logger()

    settings: "Settings"
    hooks: "Hooks"
    events: "EventBus"
    hypervisor: "Hypervisor"
    tasks: "Tasks"
    storage: "Storage"
    machines: "Machines"
    watermarks: "Watermarks"
    blocks: "Blocks"
    agents: "Agents"
    host: "Host"
    v2v: "Door"
    plugins: "Registry"
    folders: tuple[Path, ...] = ()
    """Folders that guests' sockets need; libvirt does not make them."""
    ready: bool = False
    """False until running machines are recovered; verbs about them answer 99 meanwhile."""
    broken: bool = False
    """Storage could not be opened: every verb answers 99 (spec xmlrpc-host-vm 1.6)."""

    async def start(self) -> None:
        """Comes back when the machines that run are managed again."""
        for folder in self.folders:
            self._make(folder)
        try:
            await self.storage.start()
        except (OSError, VirgateError):
            self.broken = True
            self.log.failure("storage cannot be opened; nothing works until that is mended and the daemon restarted")
            return
        self.v2v.start()
        self.host.start()
        await self.hypervisor.start()
        await self._forget_secrets()
        self.agents.start()
        await self.machines.start()
        self.watermarks.start()
        self.blocks.start()
        self.ready = True

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            self.log.warn(
                "machines with sockets in {folder} cannot start: {reason}", folder=folder, reason=problem.strerror
            )

    async def _forget_secrets(self) -> None:
        from virgate.libvirt.secrets import forget_ours

        try:
            await forget_ours(self.hypervisor)
        except VirgateError as problem:
            self.log.info("passwords of storage are not looked for at the hypervisor: {problem}", problem=problem)

    async def stop(self) -> None:
        """Guests go on; what only this process holds is given back."""
        self.ready = False
        self.blocks.stop()
        self.watermarks.stop()
        self.agents.stop()
        await self.machines.stop()
        await self.v2v.stop()
        self.host.stop()
        await self.storage.stop()
        await self.storage.helpers.close()
        await self._forget_secrets()
        await self.hypervisor.stop()
