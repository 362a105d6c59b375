"""Which disks of a machine are thin volumes on block storage."""

from typing import TYPE_CHECKING

from attrs import frozen

from virgate.domxml import tree

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


@frozen
class ThinDisk:
    """A disk whose volume is made larger while the machine runs."""

    target: str
    alias: str
    path: str
    pool: str
    domain: str
    image: str
    volume: str


def thin_disks(machine: "Machine") -> dict[str, ThinDisk]:
    """By target: qcow2 on a block device, of an image that storage knows."""
    if not machine.record.xml:
        return {}
    known = {disk.target: disk for disk in machine.record.disks if disk.is_image}
    found = {}
    for element in tree.parse(machine.record.xml).iterfind("devices/disk"):
        target = tree.attribute(element, "target", "dev")
        if target in known and element.get("type") == "block" and tree.attribute(element, "driver", "type") == "qcow2":
            disk, alias = known[target], tree.attribute(element, "alias", "name")
            path = tree.attribute(element, "source", "dev")
            ids = disk.pool_id, disk.domain_id, disk.image_id, disk.volume_id
            found[target] = ThinDisk(target, alias, path, *ids)
    return found
