"""What a master or backup domain keeps of machines: the OVF of each in `master/vms` (spec xmlrpc-storage 3.6)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from virgate.node.storage.errors import MissingOvf, NoMachinesFolder
from virgate.node.storage.repository import part
from virgate.node.storage.values import Files


class Machines:
    """`master/vms` of one domain."""

    def __init__(self, domain: str, folder: Path, files: Files, owner: Sequence[int] | None = None) -> None:
        self._domain = domain
        self._folder = folder
        self._files = files
        self._owner = owner

    async def store(self, machine: str, ovf: str) -> None:
        """Replaces what was kept of the machine; `NoMachinesFolder` (322)."""
        await self._call("store_machine", str(self._folder), part(machine), ovf.encode(), self._owner)

    async def remove(self, machine: str) -> None:
        await self._call("remove_tree", str(self._folder / part(machine)))

    async def names(self) -> list[str]:
        found: list[str] = await self._call("list_folder", str(self._folder))
        return found

    async def load(self, machines: Sequence[str] = ()) -> dict[str, str]:
        """The OVF of each; ids that are not there are left out, one without OVF is `MissingOvf` (320)."""
        found = await self._call("load_machines", str(self._folder), [part(machine) for machine in machines])
        for machine, ovf in found.items():
            if ovf is None:
                raise MissingOvf(machine)
        return {machine: ovf.decode(errors="replace") for machine, ovf in found.items()}

    async def _call(self, operation: str, *args: Any) -> Any:
        try:
            return await self._files.call(operation, *args)
        except FileNotFoundError:
            raise NoMachinesFolder(self._domain) from None
