"""A running machine's disk on two volumes at once, on its way to another storage domain (spec xmlrpc-storage 9).

Nothing is remembered of a replication but what the hypervisor's document says: `<mirror job='copy'>`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.logger import Logger

from virgate.domxml import tree
from virgate.domxml.tree import element
from virgate.errors import VirgateError
from virgate.libvirt import blocks
from virgate.libvirt.errors import HypervisorAway, HypervisorFailed
from virgate.node.vm import readback
from virgate.node.vm.blocks import chain, drives
from virgate.node.vm.blocks.errors import CannotLeaveReplica, NotInSync, ReplicationFailed
from virgate.node.vm.blocks.merging import thin
from virgate.node.vm.errors import NoSuchMachine

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest, DiskSource
    from virgate.node.vm.blocks.chain import Chain
    from virgate.node.vm.blocks.watching import Blocks
    from virgate.node.vm.machine import Machine

log = Logger()


async def begin(owner: "Blocks", machine: "Machine", source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """From now on all is written to both; what the top of the disk holds is copied. Codes 13, 44, 51, 55, 59."""
    await machine.changing.acquire()
    try:
        _must_run(machine)
        disk = drives.find(machine, source)
        drives.must_be_plain(machine, disk)
        if not disk.is_image or not all(target.get(name) for name in ("domainID", "imageID", "volumeID")):
            raise ReplicationFailed(machine.id, f"{disk.target} or its replica is no volume of storage")
        if target["imageID"] != disk.image_id:
            raise ReplicationFailed(machine.id, f"{disk.target} can only be replicated to its own image elsewhere")
        found = await _chain(machine, disk)
        if found.mirror is not None or await blocks.job(machine.means.domains, machine.id, disk.target) is not None:
            raise ReplicationFailed(machine.id, f"another job works on {disk.target}: wait for its end")
        replica = _replica(disk, target)
        prepared = await machine.means.disks.prepare(replica)
        try:
            await _make_room(owner, machine, found, replica, prepared)
            await blocks.copy(machine.means.domains, machine.id, disk.target, document(prepared))
        except HypervisorAway as away:
            machine.record.replicas = (*machine.record.replicas, replica)  # the guest may write there
            raise ReplicationFailed(machine.id, f"{away}; if it has begun, end it by diskReplicateFinish") from away
        except (VirgateError, OSError) as failure:
            await _let_go(machine, replica)
            owner.room.double(machine.id, disk.target, on=False)
            if isinstance(failure, HypervisorFailed):
                raise ReplicationFailed(machine.id, failure.detail) from failure
            raise
        machine.record.replicas = (*machine.record.replicas, replica)
        await machine.devices_changed()
    finally:
        machine.changing.release()


async def finish(owner: "Blocks", machine: "Machine", source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Goes on with the replica alone, or, when `target` is the source itself, without it. Codes 13, 40, 41, 51, 55."""
    await machine.changing.acquire()
    try:
        _must_run(machine)
        disk = drives.find(machine, source)
        mirror = (await _chain(machine, disk)).mirror
        place = None if mirror is None else chain.place_of(mirror.path, disk.image_id)
        if mirror is None or mirror.job != "copy" or place is None:
            raise ReplicationFailed(machine.id, f"{disk.target} is not replicated")
        replica = evolve(disk, domain_id=place[0], volume_id=place[1])
        if (target.get("domainID"), target.get("imageID")) == (disk.domain_id, disk.image_id):
            await _stay(machine, disk)
            left = replica
        elif (target.get("domainID"), target.get("imageID")) == (replica.domain_id, replica.image_id):
            prepared = await machine.means.disks.prepare(replica)
            async with drives.guarded(machine, [replica]):
                await _pivot(machine, disk, mirror)
            readback.note_chain(machine.record.conf, replica, prepared)
            left = disk
        else:
            raise ReplicationFailed(machine.id, f"{disk.target} is replicated to domain {replica.domain_id}")
        await machine.devices_changed()
        machine.record.replicas = tuple(one for one in machine.record.replicas if one.image_id != disk.image_id)
        await _let_go(machine, left)
        owner.room.double(machine.id, disk.target, on=False)
    finally:
        machine.changing.release()


def find(owner: "Blocks", machine: "Machine") -> None:
    """Replications that another daemon began, as the machine's document tells them."""
    chains = chain.read(tree.parse(machine.record.xml))
    for disk in machine.record.disks:
        mirror = chains[disk.target].mirror if disk.target in chains else None
        if mirror is None or mirror.job != "copy":
            continue
        owner.room.double(machine.id, disk.target)
        if (place := chain.place_of(mirror.path, disk.image_id)) is not None:
            replica = evolve(disk, domain_id=place[0], volume_id=place[1])
            machine.record.replicas = (*machine.record.replicas, replica)


async def _stay(machine: "Machine", disk: "DiskRequest") -> None:
    try:
        await blocks.abort(machine.means.domains, machine.id, disk.target)
    except HypervisorFailed as failure:
        raise CannotLeaveReplica(machine.id, disk.target, failure.detail) from failure


async def _pivot(machine: "Machine", disk: "DiskRequest", mirror: chain.Mirror) -> None:
    job = await blocks.job(machine.means.domains, machine.id, disk.target)
    if job is None:
        raise ReplicationFailed(machine.id, f"nothing replicates {disk.target} any more")
    if job.cur != job.end or mirror.ready != "yes":
        raise NotInSync(machine.id, disk.target, job.end - job.cur)
    try:
        await blocks.pivot(machine.means.domains, machine.id, disk.target)
    except HypervisorFailed as failure:
        raise ReplicationFailed(machine.id, failure.detail) from failure


def _must_run(machine: "Machine") -> None:
    machine.stays()
    if not machine.vitals.alive:
        raise NoSuchMachine(machine.id)


async def _chain(machine: "Machine", disk: "DiskRequest") -> "Chain":
    await machine.document()
    found = chain.read(tree.parse(machine.record.xml)).get(disk.target)
    if found is None:
        raise ReplicationFailed(machine.id, f"the hypervisor knows no volume of {disk.target}")
    return found


def _replica(disk: "DiskRequest", target: Mapping[str, Any]) -> "DiskRequest":
    domain, image, volume = (str(target[name]) for name in ("domainID", "imageID", "volumeID"))
    pool = str(target.get("poolID") or disk.pool_id)
    return evolve(disk, pool_id=pool, domain_id=domain, image_id=image, volume_id=volume)


async def _make_room(
    owner: "Blocks", machine: "Machine", found: "Chain", replica: "DiskRequest", prepared: "DiskSource"
) -> None:
    """A thin replica grows with its source. Beside a source that nobody has to watch it gets all that it may need."""
    if (prepared.kind, prepared.format) != ("block", "qcow2"):
        return
    owner.room.double(machine.id, replica.target)
    if (found.top.kind, found.top.format) != ("block", "qcow2"):
        capacity, _, _ = await machine.means.domains.block_sizes(machine.id, replica.target)
        await owner.room.grow_for(thin(replica, replica.volume_id), capacity, capacity, doubled=True)


async def _let_go(machine: "Machine", disk: "DiskRequest") -> None:
    try:
        await machine.means.disks.teardown(disk)
    except VirgateError as failure:
        log.warn("{vm}: {image} stays prepared: {why}", vm=machine.id, image=disk.image_id, why=str(failure))


def document(replica: "DiskSource") -> str:
    """The `<disk>` that the hypervisor is to write to as well."""
    place = "dev" if replica.kind == "block" else "file"
    driver, source = element("driver", type=replica.format), element("source", **{place: replica.path})
    return tree.one_line(element("disk", driver, source, type=replica.kind))
