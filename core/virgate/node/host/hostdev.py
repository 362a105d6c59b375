"""The host's own devices: listed for clients, split into functions, lent to machines and taken back."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter
from virgate.libvirt import node_devices
from virgate.node.host.hostdev_documents import parameters
from virgate.node.host.hostdev_errors import CannotSplit, DeviceNotFound

if TYPE_CHECKING:
    from virgate.libvirt.connection import Hypervisor
    from virgate.run.thread import ThreadPool

FUNCTIONS = Path("/sys/bus/pci/devices")
log = Logger()


@frozen
class HostDevices:
    hypervisor: "Hypervisor"
    functions: Path = FUNCTIONS
    """Where the kernel shows PCI functions."""

    async def list(self, kinds: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """Every device by libvirt's name; of some `kinds` only, when any are named."""
        told = [parameters(text) for text in await node_devices.documents(self.hypervisor, kinds)]
        return {name: {"params": values} for name, values in told}

    async def change_functions(self, name: str, number: int) -> None:
        """Splits a PCI device into so many virtual functions, 0 for none. Raises `DeviceNotFound`, `CannotSplit`."""
        if number < 0:
            raise InvalidParameter("numvfs", number)
        document = await node_devices.document(self.hypervisor, name)
        if document is None:
            raise DeviceNotFound(name)
        _, told = parameters(document)
        if told["capability"] != "pci":
            raise CannotSplit(name, "it is no PCI device")
        where = {part: int(text, 0) for part, text in told["address"].items()}
        path = "{domain:04x}:{bus:02x}:{slot:02x}.{function:x}".format(**where)
        pool = _pool()
        try:
            await pool.call(_split, self.functions / path / "sriov_numvfs", number)
        except OSError as problem:
            raise CannotSplit(name, problem.strerror or str(problem)) from problem
        finally:
            pool.close()

    async def detach(self, name: str) -> None:
        """Takes a PCI device from the host's driver; others need no such thing. Raises `DeviceNotFound`."""
        document = await node_devices.document(self.hypervisor, name)
        if document is None:
            raise DeviceNotFound(name)
        if parameters(document)[1]["capability"] == "pci":
            await node_devices.detach(self.hypervisor, name)

    async def reattach(self, name: str) -> None:
        """Gives a PCI device back to the host's driver. Raises `DeviceNotFound`."""
        document = await node_devices.document(self.hypervisor, name)
        if document is None:
            raise DeviceNotFound(name)
        if parameters(document)[1]["capability"] == "pci":
            await node_devices.reattach(self.hypervisor, name)


def _split(path: Path, number: int) -> None:
    """The kernel takes a new number only after none."""
    now = int(path.read_text() or "0")
    if now == number:
        return
    if now:
        path.write_text("0")
    if number:
        path.write_text(str(number))


def _pool() -> "ThreadPool":
    from virgate.run.thread import ThreadPool

    return ThreadPool("functions", 1)
