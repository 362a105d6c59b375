"""A domain that is a folder: LOCALFS, NFS, POSIXFS, GLUSTERFS (spec storage-format 1)."""

import errno
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from virgate.hookspecs.leases import LeaseManager
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.domains.domain import Domain, Health
from virgate.node.storage.domains.record import DomainRecord
from virgate.node.storage.errors import DomainAccess, NoSuchDomain, StaleMount
from virgate.node.storage.file.images import FileImages
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.repository import Repository
from virgate.node.storage.values import Files


class FileDomain(Domain):
    """Everything of it is reached through the helper of its mount."""

    kind: ClassVar[Kind] = Kind.FILE
    images: FileImages

    def __init__(
        self,
        record: DomainRecord,
        path: Path,
        files: Files,
        type: type[StorageType],
        lease: LeaseManager,
        *,
        repository: Repository,
        qemu: QemuImg,
        owner: Sequence[int] | None = None,
    ) -> None:
        super().__init__(record, path, files, type, lease)
        self._repository = repository
        self._owner = owner
        self.images = FileImages(
            record.id,
            path / "images",
            files,
            repository,
            qemu,
            version=record.version,
            lease=record.alignment if lease.volume_leases else None,
            fresh=lease.fresh,
            owner=owner,
        )

    @property
    def _metadata(self) -> str:
        return str(self.path / "dom_md" / "metadata")

    async def _read(self) -> DomainRecord:
        return self._decoded(await self._call("read_file", self._metadata))

    async def _write(self, record: DomainRecord) -> None:
        await self.files.call("write_file", self._metadata, record.encoded(), 0o644, self._owner)
        self.images.version = record.version

    async def look(self) -> Health:
        found = await self._call("check_domain", str(self.path), self.probes)
        self.record = self._decoded(found["metadata"])
        return Health(found["delay"], found["total"], found["free"])

    async def destroy(self) -> None:
        await self.files.call("remove_tree", str(self.path), timeout=math.inf)

    async def mount_master(self) -> None:
        """Nothing is mounted: the folders are part of the domain's tree."""
        master = self.path / "master"
        await self.files.call(
            "make_folders", [str(master), str(master / "vms"), str(master / "tasks")], 0o755, self._owner
        )

    async def unmount_master(self) -> None:
        """The folders stay."""

    async def prepare_version(self, version: int) -> None:
        """Leases of volumes with version 3, external leases with version 4: not where one kernel guards all."""
        if self.lease.volume_leases:
            from virgate.node.storage.file.upgrading import add_external_leases, add_volume_leases

            await {3: add_volume_leases, 4: add_external_leases}[version](self, self._owner)

    def details(self) -> dict[str, str]:
        return {"remotePath": self.record.remote}

    async def _call(self, operation: str, path: str, files: Files | None = None) -> Any:
        try:
            return await (files or self.files).call(operation, path)
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchDomain(self.id) from None
        except OSError as problem:
            if problem.errno == errno.ESTALE:
                raise StaleMount(self.id) from None
            raise DomainAccess(self.id) from None

    def _decoded(self, data: bytes) -> DomainRecord:
        record = DomainRecord.decoded(data)
        if record.id != self.record.id:
            raise DomainAccess(self.record.id)
        return record
