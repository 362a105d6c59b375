"""Which disks of a machine no other host may write to while it runs, and asking storage to see to it."""

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import frozen

from virgate.domxml.facts import DiskRequest
from virgate.node.storage.values import VolumeAddress


class Guard(Protocol):
    """What keeps other hosts away. One of the two is called once."""

    def started(self) -> None:
        """The guest runs: from now on it is kept until the guest's QEMU has gone, whatever becomes of the daemon."""

    def end(self) -> None:
        """There will be no guest."""


class Guards(Protocol):
    async def take(self, vm: str, disks: Sequence[DiskRequest]) -> Guard | None:
        """Before the guest starts; raises the storage error that says which host uses a disk.

        None if there is nothing to guard.
        """

    async def give_back(self, vm: str, disks: Sequence[DiskRequest]) -> None:
        """The running guest has these disks no more. Nothing happens with those that were not guarded."""


class NoGuards:
    """No other host sees the disks."""

    async def take(self, vm: str, disks: Sequence[DiskRequest]) -> None: ...

    async def give_back(self, vm: str, disks: Sequence[DiskRequest]) -> None: ...


class Protection(Protocol):
    """The part of storage that has leases of volumes."""

    async def take(self, machine: str, volumes: Sequence[VolumeAddress]) -> Any: ...

    async def give_back(self, machine: str, volumes: Sequence[VolumeAddress]) -> None: ...


@frozen
class HostGuards:
    """`everything`: also disks that nobody asked to protect, unless they are shared on purpose."""

    protection: Protection
    everything: bool = False

    async def take(self, vm: str, disks: Sequence[DiskRequest]) -> Guard | None:
        wanted = self._volumes(disks)
        return await self.protection.take(vm, wanted) if wanted else None

    async def give_back(self, vm: str, disks: Sequence[DiskRequest]) -> None:
        await self.protection.give_back(vm, self._volumes(disks))

    def _volumes(self, disks: Sequence[DiskRequest]) -> list[VolumeAddress]:
        return [VolumeAddress(disk.domain_id, disk.image_id, disk.volume_id) for disk in disks if self.is_guarded(disk)]

    def is_guarded(self, disk: DiskRequest) -> bool:
        if not disk.is_image or disk.read_only:
            return False
        return disk.shared == "exclusive" or (self.everything and disk.shared == "none")
