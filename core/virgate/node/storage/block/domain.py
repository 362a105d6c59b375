"""A domain that is a volume group (spec storage-format 2)."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseManager
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.block import first_version, group_report, master
from virgate.node.storage.block.images import BlockImages
from virgate.node.storage.domains.domain import Domain, Health
from virgate.node.storage.domains.record import DomainRecord
from virgate.node.storage.errors import DomainAccess, NoSuchDomain
from virgate.node.storage.errors.volume_groups import CannotDeactivate, NoSuchGroup
from virgate.node.storage.formats import domain_metadata
from virgate.node.storage.formats.sizes import CHUNK
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.lvm.reports import LogicalVolume, VolumeGroup
from virgate.node.storage.repository import Repository
from virgate.node.storage.values import Files
from virgate.units import MiB, Size

METADATA, MASTER = "metadata", "master"
SHARED = (METADATA, "ids", "inbox", "outbox", "leases", "xleases")
"""What every host uses of a domain; `master` is the SPM's."""

LEASES = ("ids", "leases", "xleases")

LOOK_AGE = 9.0
"""Seconds: all domains that are looked at every ten seconds share one report of all groups."""
CHECK_INTERVAL = 300.0
"""Seconds between two checks of a group's metadata by LVM itself."""
PAUSE = 5.0
"""Seconds that new volumes keep their devices: those of many are taken away by one process."""
SMALLEST_METADATA = 64 * MiB

T = TypeVar("T")


def helper_of(domain: str) -> str:
    """The key of the helper that reads and writes the devices of a domain."""
    return f"block:{domain}"


class BlockDomain(Domain):
    """`path` is its skeleton `mnt/blockSD/<domain>`, whose `dom_md` links the special logical volumes."""

    log = Logger()

    kind: ClassVar[Kind] = Kind.BLOCK
    images: BlockImages

    def __init__(
        self,
        record: DomainRecord,
        path: Path,
        files: Files,
        type: type[StorageType],
        lease: LeaseManager,
        *,
        lvm: Lvm,
        repository: Repository,
        qemu: QemuImg,
        owner: Sequence[int] | None = None,
        chunk: Size = CHUNK,
        term: Callable[[], object | None] = lambda: None,
    ) -> None:
        super().__init__(record, path, files, type, lease)
        self.lvm = lvm
        self._repository = repository
        self._owner = owner
        self._group: VolumeGroup | None = None
        self._carriers: dict[str, str] = {}
        self._checked = lvm.clock.seconds()
        self.images = BlockImages(
            record.id,
            lvm,
            files,
            repository,
            qemu,
            version=record.version,
            lease=record.alignment if lease.volume_leases else None,
            fresh=lease.fresh,
            owner=owner,
            chunk=chunk,
            term=term,
            pause=PAUSE,
            values=lambda: self.record.values,
        )

    async def open(self, *, tidy: bool = False) -> None:
        """Makes what every host needs of the domain usable here.

        With `tidy`, volumes that are active and used by nobody on this host are deactivated: they were left by a
        daemon that died.
        """
        volumes = await self.lvm.volumes(self.id, fresh=True)
        if tidy:
            await self._deactivate_unused(volumes)
        await self.lvm.activate(self.id, *(name for name in SHARED if name in volumes))
        await show_special(self._repository, self.lvm, self.id, self.path, volumes, self._owner)
        begins = volumes[METADATA].device if METADATA in volumes else ""
        self._carriers = group_report.carriers(self.id, await self.lvm.physical(), self.record.values, begins)

    async def close(self) -> None:
        """Nothing of it is used here any more; volumes that are open stay active, also when their group is gone."""
        try:
            await self.lvm.deactivate_group(self.id)
        except CannotDeactivate as problem:
            self.log.info("{problem}", problem=problem)
            try:
                await self.lvm.group(self.id, fresh=True)
            except NoSuchGroup:
                from virgate.node.storage.block import leftovers

                await leftovers.remove(self.id)
            else:
                await self._deactivate_unused(await self.lvm.volumes(self.id, fresh=True), keep=())

    async def validate(self) -> None:
        await self.refresh()
        await self.lvm.check_group(self.id)

    async def prepare_version(self, version: int) -> None:
        from virgate.node.storage.block.upgrading import prepare

        await prepare(self, version)

    async def look(self) -> Health:
        """One report of all groups serves every domain, and a disk that hangs holds up nobody else's look."""
        group = await self._seen(self.lvm.recent_group(self.id, LOOK_AGE))
        if group.partial:
            why = "its devices do not answer" if group.away else "a device of its volume group is missing"
            raise DomainAccess(f"{self.id} ({why})")
        if self.lvm.clock.seconds() - self._checked >= CHECK_INTERVAL:
            await self.lvm.check_group(self.id)
            self._checked = self.lvm.clock.seconds()
        delay = await self._opened(lambda: self.probes.call("time_read", str(self.lvm.path(self.id, METADATA))))
        self.record = await self._told(group, self.probes)
        return Health(
            delay,
            group.size,
            group.free,
            group.mda_size,
            group.mda_free,
            group.mda_size >= SMALLEST_METADATA,
            group.mda_free * 5 >= group.mda_size,
        )

    async def destroy(self) -> None:
        await self.lvm.remove_group(self.id)
        await self._repository.files.call("remove_tree", str(self.path))

    async def mount_master(self) -> None:
        await master.mount(self.lvm, self.id, self.path / MASTER, self._repository, self.files, self._owner)

    async def unmount_master(self) -> None:
        await master.unmount(self.lvm, self.id, self.path / MASTER, self._repository)

    def details(self) -> dict[str, str]:
        state = "UNKNOWN" if self._group is None else "PARTIAL" if self._group.partial else "OK"
        return {"vguuid": self._group.uuid if self._group else "", "state": state, **self._carriers}

    async def _read(self) -> DomainRecord:
        if not self.record.pools:  # any host may have changed it meanwhile, volumes too
            self.lvm.invalidate(self.id)
        group = await self._seen(self.lvm.group(self.id, fresh=True))
        return await self._told(group, self.files)

    async def _write(self, record: DomainRecord) -> None:
        if not record.version:
            await self._opened(lambda: first_version.write_text(self.lvm, self.files, self.id, record.values))
            return
        group = await self.lvm.group(self.id)
        await self.lvm.change_group_tags(self.id, *domain_metadata.tag_changes(group.tags, record.values))
        self.images.version = record.version

    async def _told(self, group: VolumeGroup, files: Files) -> DomainRecord:
        """What its metadata say. An older host may have brought a domain of version 0 to tags meanwhile."""
        text: Mapping[str, str] = {}
        if not self.version:
            text = await self._opened(lambda: first_version.read_text(self.lvm, files, self.id))
        record = DomainRecord.of(text or domain_metadata.decode_tags(group.tags))
        if record.id != self.record.id:
            raise DomainAccess(self.record.id)
        return record

    async def _seen(self, asked: Awaitable[VolumeGroup]) -> VolumeGroup:
        try:
            self._group = await asked
        except NoSuchGroup:
            self._group = None
            raise NoSuchDomain(self.id) from None
        return self._group

    async def _opened(self, work: Callable[[], Awaitable[T]]) -> T:
        """Devices may be gone when disks were away for a while; then the domain is opened once more."""
        try:
            try:
                return await work()
            except FileNotFoundError:
                await self.open()
                return await work()
        except OSError as problem:
            raise DomainAccess(f"{self.id} ({problem})") from None

    async def _deactivate_unused(self, volumes: Mapping[str, LogicalVolume], *, keep: Collection[str] = SHARED) -> None:
        folder = self._repository.run / "storage" / self.id
        prepared = set(await self._repository.files.call("names_of_links", str(folder)))
        unused = [
            name
            for name, volume in volumes.items()
            if volume.active and not volume.open and name not in keep and name not in prepared
        ]
        try:
            await self.lvm.deactivate(self.id, *unused)
        except VirgateError as problem:
            self.log.warn("volumes of {domain} stay active: {problem}", domain=self.id, problem=problem)


async def show_special(
    repository: Repository,
    lvm: Lvm,
    group: str,
    path: Path,
    volumes: Collection[str],
    owner: Sequence[int] | None = None,
) -> None:
    """Lets those in who use the special volumes, and links them where files of other domains are."""
    there = {name: lvm.path(group, name) for name in SHARED if name in volumes}
    own = [str(device) for name, device in there.items() if name not in LEASES]
    leases = [str(device) for name, device in there.items() if name in LEASES]
    await repository.files.call("dress_special", own, leases, owner)
    for name, device in there.items():
        await repository.link(device, path / "dom_md" / name)
