"""Making a block domain of a volume group that waits for it (spec storage-format 2.1, 2.2)."""

from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.block.domain import MASTER, METADATA, helper_of, show_special
from virgate.node.storage.block.groups import block_sizes, guid_of, physical_map
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.making import NewDomain
from virgate.node.storage.domains.record import DomainRecord, new_record
from virgate.node.storage.errors import DomainNameTooLong, NotEmpty, UnsupportedVersion
from virgate.node.storage.errors.volume_groups import (
    CannotInitializeDevice,
    CannotMakeDomain,
    CannotMakeFileSystem,
    GroupNotUnready,
    GroupTooSmall,
    NoSuchGroup,
)
from virgate.node.storage.file.making import format_xleases
from virgate.node.storage.formats import domain_metadata, physical_volumes
from virgate.node.storage.formats.layout import BLOCK_512, special_volumes_mib
from virgate.node.storage.lvm.commands import DOMAIN_TAG, UNREADY_TAG
from virgate.node.storage.lvm.reports import PhysicalVolume, VolumeGroup
from virgate.node.storage.repository import BLOCK_DOMAINS
from virgate.run.process import run
from virgate.units import MiB

log = Logger()

NAME_LIMIT = 50
AUTOMATIC = 0
ZEROED_METADATA = 17 * MiB
"""Every slot there is."""
MAILBOXES = 250 * 4096
MKFS_PATIENCE = 300.0


async def make(domains: Domains, wanted: NewDomain) -> None:
    """After a failure the group is as before: without volumes, waiting."""
    group = await _group(domains, wanted)
    path = domains.repository.mounts / BLOCK_DOMAINS / wanted.id
    sizes = special_volumes_mib(wanted.version, MiB)
    made = _Making(domains, wanted, group, path)
    try:
        record = await made.record()
        await made.volumes(sizes)
        await made.content(record)
        await made.leases(record)
        # Tags last, and all in one step: what carries the domain tag is complete.
        add = [DOMAIN_TAG, *sorted(domain_metadata.encode_tags(record.values))]
        await domains.lvm.change_group_tags(group.name, [UNREADY_TAG], add)
    except BaseException:
        await made.undo(sizes)
        raise
    domains.forget()


async def _group(domains: Domains, wanted: NewDomain) -> VolumeGroup:
    if len(wanted.name) > NAME_LIMIT:
        raise DomainNameTooLong(wanted.name)
    if wanted.block_size not in (AUTOMATIC, BLOCK_512):
        raise InvalidParameter("block_size", wanted.block_size)
    if wanted.version < 3:
        raise UnsupportedVersion(f"{wanted.version}, new block domains begin with 3")
    groups = await domains.lvm.groups(fresh=True)
    found = next((group for group in groups.values() if group.uuid == wanted.remote), None)
    if found is None:
        raise NoSuchGroup(wanted.remote)
    if found.name != wanted.id:
        raise InvalidParameter("vgUUID", f"{wanted.remote}, a volume group of the name {found.name}")
    if found.tags != {UNREADY_TAG}:
        raise GroupNotUnready(found.name, ", ".join(sorted(found.tags)) or "none")
    if await domains.lvm.volumes(found.name, fresh=True):
        raise NotEmpty(found.name)
    needed = sum(-(-mib * MiB // found.extent_size) for mib in special_volumes_mib(wanted.version, MiB).values())
    if found.free_count < needed:
        raise GroupTooSmall(found.name, found.size, needed * found.extent_size)
    return found


@frozen
class _Making:
    """The steps. Nothing of them shows before the last one."""

    domains: Domains
    wanted: NewDomain
    group: VolumeGroup
    path: Path

    async def record(self) -> DomainRecord:
        """What the domain says of itself."""
        wanted = self.wanted
        plain = new_record(wanted.id, wanted.name, wanted.type.name, wanted.domain_class, wanted.version, "")
        carrier, *others = await self._devices()
        present = [carrier, *others]
        sizes = await block_sizes(self.domains, [pv.name for pv in present])
        old = {"LOGBLKSIZE": sizes.logical, "PHYBLKSIZE": sizes.physical} if wanted.version < 5 else {}
        guids = {pv.name: await guid_of(self.domains, pv.name) for pv in present}
        numbered = physical_volumes.encode(physical_map({}, present, guids))
        return plain.changed({"REMOTE_PATH": None, "VGUUID": self.group.uuid, **numbered, **old})

    async def volumes(self, sizes: dict[str, int]) -> None:
        """`metadata` begins where the device begins that carries LVM's own metadata: old hosts look there."""
        lvm, group = self.domains.lvm, self.group.name
        carrier = (await self._devices())[0].name
        for name, mib in sizes.items():
            await lvm.create(group, name, mib, device=carrier if name == METADATA else None)
        placed = (await lvm.volumes(group, fresh=True))[METADATA]
        if (placed.device, placed.first_extent) != (carrier, 0):
            raise CannotMakeDomain(group, f"its metadata would begin at {placed.device}({placed.first_extent})")
        await show_special(self.domains.repository, lvm, group, self.path, sizes, self.domains.owner)

    async def content(self, record: DomainRecord) -> None:
        lvm, group = self.domains.lvm, self.group.name
        files = self.domains.helpers[helper_of(group)]
        if self.wanted.version >= 4:
            await format_xleases(files, self.path, record)
        device = str(lvm.path(group, MASTER))
        finished = await run(["mkfs", "-q", "-j", "-E", "nodiscard", device], timeout=MKFS_PATIENCE)
        if finished.code:
            raise CannotMakeFileSystem(device, finished.stderr.decode(errors="replace").strip())
        await lvm.deactivate(group, MASTER)
        for name, length in ((METADATA, ZEROED_METADATA), ("inbox", MAILBOXES), ("outbox", MAILBOXES)):
            await files.call("zero_start", str(lvm.path(group, name)), length)

    async def leases(self, record: DomainRecord) -> None:
        self.domains.drop_lease(self.wanted.id)
        lease = await self.domains.lease(record, self.path, self.wanted.type)
        await lease.initialize()

    async def undo(self, sizes: dict[str, int]) -> None:
        self.domains.drop_lease(self.wanted.id)
        try:
            left = await self.domains.lvm.volumes(self.group.name, fresh=True)
            await self.domains.lvm.remove(self.group.name, *(name for name in sizes if name in left))
            await self.domains.repository.files.call("remove_tree", str(self.path))
        except VirgateError as problem:
            log.warn("volume group {group} keeps volumes: {problem}", group=self.group.name, problem=problem)

    async def _devices(self) -> list[PhysicalVolume]:
        """The devices of the group, first the one that carries its metadata."""
        physical = await self.domains.lvm.physical()
        found = [physical[device] for device in self.group.pvs if device in physical]
        carriers = [pv for pv in found if pv.mda_used_count == 2]
        if len(carriers) != 1 or len(found) != len(self.group.pvs):
            raise CannotInitializeDevice(", ".join(self.group.pvs), "not one of them carries LVM's metadata alone")
        return [carriers[0], *(pv for pv in found if pv is not carriers[0])]
