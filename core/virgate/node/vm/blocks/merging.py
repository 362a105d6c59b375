"""Beginning a live merge: what is checked, and what its base needs before anything is written into it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from virgate.domxml import tree
from virgate.libvirt import blocks
from virgate.node.vm.blocks import chain, drives
from virgate.node.vm.blocks.errors import BaseTooSmall, MergeFailed
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.thin.disks import ThinDisk

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest
    from virgate.node.vm.machine import Machine


class Volumes(Protocol):
    """The part of storage that knows volumes: `virgate.node.storage.images.volumes`."""

    async def info(self, domain: str, image: str, volume: str) -> dict[str, Any]: ...

    async def refresh(self, domain: str, image: str, volume: str) -> None: ...


class Room(Protocol):
    """What gives volumes room: `virgate.node.vm.thin.Watermarks`."""

    async def grow_for(self, disk: ThinDisk, capacity: int, written: int, *, doubled: bool = False) -> int: ...


@frozen
class Wanted:
    """What a client asks for."""

    drive: Mapping[str, Any]
    base: str
    top: str
    id: str
    bandwidth: int = 0
    """MiB/s; 0 for as fast as can be."""


@frozen
class Ready:
    """A merge that only the hypervisor has to be asked for."""

    merge: Merge
    base: str
    top: str
    active: bool


async def prepare(machine: "Machine", wanted: Wanted, volumes: Volumes, room: Room) -> Ready:
    """Codes 13, 52, 79. The base of a thin chain has room for all when this comes back."""
    disk = drives.find(machine, wanted.drive)
    await machine.document()
    found = chain.read(tree.parse(machine.record.xml)).get(disk.target)
    if found is None or not disk.is_image:
        raise MergeFailed(machine.id, f"{disk.target} has no chain of volumes")
    if found.mirror is not None or await blocks.job(machine.means.domains, machine.id, disk.target) is not None:
        raise MergeFailed(machine.id, f"another job works on {disk.target}: wait for its end")
    low, high = _places(machine, found, wanted)
    base = await volumes.info(disk.domain_id, disk.image_id, wanted.base)
    top = await volumes.info(disk.domain_id, disk.image_id, wanted.top)
    if base.get("voltype") == "SHARED":
        raise MergeFailed(machine.id, f"{wanted.base} is a template, which others use")
    chunked = await _make_room(disk, found.layers[low], base, top, volumes, room)
    gone = found.volumes[low + 1 : high + 1]
    ids = disk.target, disk.domain_id, disk.image_id
    merge = Merge(wanted.id, *ids, wanted.base, wanted.top, gone, wanted.bandwidth, chunked)
    return Ready(merge, found.name(low), found.name(high), active=high == len(found.layers) - 1)


def _places(machine: "Machine", found: chain.Chain, wanted: Wanted) -> tuple[int, int]:
    low, high = found.find(wanted.base), found.find(wanted.top)
    for place, volume in ((low, wanted.base), (high, wanted.top)):
        if place is None:
            raise MergeFailed(machine.id, f"{volume} is not in the chain of {found.target}: it may be merged already")
    if low is None or high is None or low >= high:
        raise MergeFailed(machine.id, f"{wanted.base} is not below {wanted.top}")
    return low, high


async def _make_room(
    disk: "DiskRequest",
    layer: chain.Layer,
    base: Mapping[str, Any],
    top: Mapping[str, Any],
    volumes: Volumes,
    room: Room,
) -> bool:
    """Whether the base is a thin volume on block storage. One that is raw there is never made larger by us."""
    if layer.kind != "block":
        return False
    if layer.format != "qcow2":
        await volumes.refresh(disk.domain_id, disk.image_id, layer.volume)
        size, needed = int(base["apparentsize"]), int(top["capacity"])
        if size < needed:
            raise BaseTooSmall(layer.volume, size, str(top["uuid"]), needed)
        return False
    if base.get("type") == "PREALLOCATED":
        return False
    written = int(base["apparentsize"]) + int(top["apparentsize"])
    await room.grow_for(thin(disk, layer.volume), int(top["capacity"]), written)
    return True


def thin(disk: "DiskRequest", volume: str) -> ThinDisk:
    """The base as what gives it room knows it."""
    return ThinDisk(disk.target, "", "", disk.pool_id, disk.domain_id, disk.image_id, volume)
