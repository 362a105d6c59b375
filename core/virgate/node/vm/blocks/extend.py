"""A larger disk for a running guest (spec xmlrpc-storage 9, disk resize)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from virgate.libvirt import blocks
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.blocks import drives, kept
from virgate.node.vm.blocks.errors import BadSize, CannotResize
from virgate.node.vm.errors import NoSuchMachine

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest
    from virgate.node.storage.images.volumes import Volumes
    from virgate.node.vm.machine import Machine


async def extend(machine: "Machine", drive: Mapping[str, Any], size: int, volumes: "Volumes") -> int:
    """Answers the bytes that the guest sees then. A raw volume is as large as storage has made it before. Codes 13,
    51, 56, 58."""
    await machine.changing.acquire()
    try:
        machine.stays()
        if not machine.vitals.alive:
            raise NoSuchMachine(machine.id)
        disk = drives.find(machine, drive)
        await _must_be_idle(machine, disk)
        if not disk.is_image:
            await _resize(machine, disk, size)
            return size
        if (await volumes.info(disk.domain_id, disk.image_id, disk.volume_id)).get("format") == "COW":
            return await _extend_thin(machine, disk, size, volumes)
        await volumes.refresh(disk.domain_id, disk.image_id, disk.volume_id)
        size, _ = await volumes.size(disk.domain_id, disk.image_id, disk.volume_id)
        await _resize(machine, disk, size)
        return size
    finally:
        machine.changing.release()


async def _must_be_idle(machine: "Machine", disk: "DiskRequest") -> None:
    """A merge counts until storage knows of its end: before, the volume that is to grow may not be the disk's any
    more."""
    merges = (await kept.read(machine)).merges
    works = next((f"merge {merge.id}" for merge in merges if merge.target == disk.target), "")
    if not works and (found := await blocks.job(machine.means.domains, machine.id, disk.target)) is not None:
        works = "its replication" if found.kind == "copy" else f"a {found.kind} job of libvirt"
    if works:
        raise CannotResize(machine.id, disk.target, f"{works} is under way: extend it when that has ended")


async def _extend_thin(machine: "Machine", disk: "DiskRequest", size: int, volumes: "Volumes") -> int:
    """While it lasts the metadata say 0: who finds that later asks the image itself."""
    ids = disk.domain_id, disk.image_id, disk.volume_id
    capacity, _, _ = await machine.means.domains.block_sizes(machine.id, disk.target)
    if size < capacity:
        raise BadSize(machine.id, disk.target, capacity, size)
    await volumes.set_capacity(*ids, 0)
    try:
        await _resize(machine, disk, size)
    finally:
        capacity, _, _ = await machine.means.domains.block_sizes(machine.id, disk.target)
        await volumes.set_capacity(*ids, capacity)
    return capacity


async def _resize(machine: "Machine", disk: "DiskRequest", size: int) -> None:
    try:
        await blocks.resize(machine.means.domains, machine.id, disk.target, size)
    except HypervisorFailed as failure:
        raise CannotResize(machine.id, disk.target, failure.detail) from failure
