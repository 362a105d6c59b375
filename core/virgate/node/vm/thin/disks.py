"""Which disks of a machine are thin volumes on block storage."""

from typing import TYPE_CHECKING

from attrs import frozen

from virgate.domxml import tree
from virgate.node.vm.blocks.chain import place_of

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest
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
    replica: "ThinDisk | None" = None
    """A thin volume that all is written to as well."""


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
            found[target] = ThinDisk(target, alias, path, *ids, _replica(element, disk))
    return found


def _replica(element: tree.Element, disk: "DiskRequest") -> ThinDisk | None:
    mirror = element.find("mirror")
    if mirror is None or (mirror.get("type"), tree.attribute(mirror, "format", "type")) != ("block", "qcow2"):
        return None
    path = tree.attribute(mirror, "source", "dev")
    place = place_of(path, disk.image_id) if mirror.get("job", "copy") == "copy" else None
    return None if place is None else ThinDisk(disk.target, "", path, disk.pool_id, place[0], disk.image_id, place[1])
