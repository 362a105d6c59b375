"""A storage domain as its managers see it, whatever it is made of.

`Domain` has its identity, metadata and health; `ImageStore` (store.py) its images and volumes; `Machines`
(pools/master.py) what it keeps for a pool.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from attrs import frozen
from twisted.internet.defer import DeferredLock

from virgate.hookspecs.leases import LeaseManager
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.domains.record import DomainRecord
from virgate.node.storage.domains.store import ImageStore
from virgate.node.storage.values import Files


@frozen
class Health:
    """One look at a domain."""

    delay: float
    """Seconds that a direct read of its metadata took."""
    total: int
    free: int
    metadata_size: int = 0
    """Room for the metadata of a volume group, and how much of it is free; 0 for other kinds."""
    metadata_free: int = 0
    metadata_valid: bool = True
    """Whether that room is large enough for a domain."""
    metadata_roomy: bool = True
    """Whether enough of it is free."""


class Domain(ABC):
    """One domain that this host sees."""

    kind: ClassVar[Kind]
    images: ImageStore

    def __init__(
        self, record: DomainRecord, path: Path, files: Files, type: type[StorageType], lease: LeaseManager
    ) -> None:
        self._record = record
        self.path = path
        """The folder in which the domain's tree appears on this host."""
        self.files = files
        self.probes = files
        """What `look` uses: not behind long work."""
        self.type = type
        self.lease = lease
        self._changing = DeferredLock()

    @property
    def record(self) -> DomainRecord:
        """The metadata as last read or written."""
        return self._record

    @record.setter
    def record(self, record: DomainRecord) -> None:
        """Another host may have brought the domain to a newer version: volumes have their metadata elsewhere then."""
        self._record = record
        self.images.version = record.version

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def version(self) -> int:
        return self.record.version

    async def refresh(self) -> DomainRecord:
        """Reads the metadata again; `NoSuchDomain` (358), `DomainAccess` (379), or what is wrong with their bytes."""
        self.record = await self._read()
        return self.record

    async def change(self, changes: Mapping[str, object]) -> DomainRecord:
        """Writes keys into the metadata as they are now, all at once; None drops a key."""
        await self._changing.acquire()
        try:
            record = (await self._read()).changed(changes)
            await self._write(record)
            self.record = record
            return record
        finally:
            self._changing.release()

    async def validate(self) -> None:
        """Raises what is wrong with it: as `refresh`, and what only a slow look finds."""
        await self.refresh()

    async def prepare_version(self, version: int) -> None:  # noqa: B027  (many kinds have nothing to make)
        """Makes what a domain of this version has besides its metadata. An upgrade raises the version afterwards,
        and comes here again if it was interrupted in between."""

    @abstractmethod
    async def _read(self) -> DomainRecord: ...

    @abstractmethod
    async def _write(self, record: DomainRecord) -> None: ...

    @abstractmethod
    async def look(self) -> Health:
        """Measures the domain and reads its metadata again; raises as `refresh`."""

    @abstractmethod
    async def destroy(self) -> None:
        """Removes the domain and everything in it."""

    async def close(self) -> None:  # noqa: B027
        """Nothing of the domain is used on this host any more, until it is found again."""

    @abstractmethod
    async def mount_master(self) -> None:
        """Makes the folder `master` with `vms` and `tasks` usable here; only the SPM may."""

    @abstractmethod
    async def unmount_master(self) -> None:
        """Ends it; the lease must not be given back before."""

    @abstractmethod
    def details(self) -> dict[str, str]:
        """What getDomainInfo tells about this kind besides the metadata."""
