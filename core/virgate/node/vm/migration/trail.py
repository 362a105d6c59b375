"""Where a machine goes, as it is kept in its domain while it moves: a daemon that finds the move on its way tells the
destination when it fails. It stays on this host, and counts only for a move that libvirt is at."""

from typing import TYPE_CHECKING

from virgate.domxml import metadata, tree
from virgate.errors import VirgateError
from virgate.node.vm import inscription
from virgate.node.vm.migration.addresses import Destination

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

NAME = "migrationDestination"


async def leave(machine: "Machine", destination: Destination) -> None:
    """Before libvirt begins."""
    await machine.document()
    await inscription.keep(machine, "where it goes", {NAME: str(destination)})


def find(machine: "Machine") -> Destination | None:
    try:
        return Destination.read(str(metadata.read(tree.parse(machine.record.xml)).values.get(NAME, "")))
    except VirgateError:
        return None


def hide(root: tree.Element) -> None:
    """From the host that it goes to: there it would say nothing that is true."""
    vm = metadata.vm_element(root)
    for one in () if vm is None else vm.findall(f"{{{metadata.VM}}}{NAME}"):
        one.getparent().remove(one)  # type: ignore[union-attr]
