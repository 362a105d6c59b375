"""How machines meet storage: prepare a disk before the guest starts, tear it down when the guest is gone."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import FORMATS, DiskRequest, DiskSource, LeaseRequest, LeaseSource


class Disks(Protocol):
    """What a machine needs of storage."""

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        """Makes the disk usable on this host and says where. Raises the storage error of what is missing."""

    async def teardown(self, disk: DiskRequest) -> None:
        """Ends what `prepare` began. Comes back quietly when there is nothing to end."""

    async def lease(self, lease: LeaseRequest) -> LeaseSource:
        """Where an external lease is; raises the storage error of what is missing."""


class Images(Protocol):
    """The part of `virgate.node.storage` that knows volumes."""

    async def prepare(self, pool: str, domain: str, image: str, volume: str) -> Any: ...

    async def teardown(self, pool: str, domain: str, image: str, volume: str) -> Any: ...


class Leases(Protocol):
    """The part of `virgate.node.storage` that knows external leases."""

    async def place(self, domain: str, lease: str) -> Any: ...


class HostDisks:
    """Volumes and leases through storage, everything that has a path of its own as it is."""

    def __init__(self, images: Images, leases: Callable[[], Leases] | None = None) -> None:
        self._images = images
        self._leases = leases

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        if disk.is_image:
            prepared = await self._images.prepare(disk.pool_id, disk.domain_id, disk.image_id, disk.volume_id)
            return DiskSource(
                prepared.path,
                FORMATS.get(prepared.format, prepared.format),
                _kind(prepared.path, prepared.kind),
                tuple(_unleased(volume) for volume in prepared.chain),
                _unleased(prepared.info) if isinstance(prepared.info, dict) else {},
            )
        path = disk.path or (f"/dev/mapper/{disk.guid}" if disk.guid else f"/dev/disk/by-uuid/{disk.uuid}")
        if disk.is_empty:
            path = ""
        return DiskSource(path, FORMATS.get(disk.format, disk.format), _kind(path, disk.disk_type))

    async def teardown(self, disk: DiskRequest) -> None:
        if disk.is_image:
            await self._images.teardown(disk.pool_id, disk.domain_id, disk.image_id, disk.volume_id)

    async def lease(self, lease: LeaseRequest) -> LeaseSource:
        if self._leases is None:
            raise BadDevice("lease", f"lease {lease.lease_id} of domain {lease.domain_id} was not found")
        place = await self._leases().place(lease.domain_id, lease.lease_id)
        return LeaseSource(str(place.path), place.offset)


def _unleased(volume: Mapping[str, Any]) -> dict[str, Any]:
    """Without the place of its lease: that is held by a guard, and the hypervisor must not want it, too."""
    return {key: value for key, value in volume.items() if not key.startswith("lease")}


def _kind(path: str, disk_type: str = "") -> Any:
    """By the path alone: looking at the file could hang on dead storage."""
    if disk_type in ("file", "block", "network"):
        return disk_type
    return "block" if path.startswith("/dev/") else "file"
