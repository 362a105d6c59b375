"""Copies of a network's traffic for a nic (spec network 17.3): the door to whoever can make them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from virgate.errors import error
from virgate.node.vm.errors import MachineError

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


@error
class CannotMirror(MachineError):
    """Nothing on this host can copy a network's traffic to a nic."""

    text: ClassVar[str] = "traffic of network {self.network} cannot be mirrored on this host"
    network: str


def networks(device: Mapping[str, Any]) -> list[str]:
    """Whose traffic a nic wants to see."""
    given = device.get("portMirroring") or []
    return [str(one) for one in given] if isinstance(given, list | tuple) else [str(given)]


async def begin(machine: "Machine", tap: str, wanted: list[str]) -> None:
    """All of them or none; raises `CannotMirror` or what went wrong."""
    mirrors = machine.means.mirrors
    done: list[str] = []
    for network in wanted:
        if mirrors is None:
            raise CannotMirror(network)
        try:
            await mirrors.begin(network, tap)
        except BaseException:
            await end(machine, tap, done)
            raise
        done.append(network)


async def end(machine: "Machine", tap: str, wanted: list[str]) -> None:
    """Comes back quietly for those that are not mirrored."""
    mirrors = machine.means.mirrors
    for network in wanted:
        if mirrors is not None:
            await mirrors.end(network, tap)
