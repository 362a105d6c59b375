"""A room with block domains: real LVM, real bytes, loop devices in the place of disks and of logical volumes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

import pytest
from attrs import evolve, frozen
from contract.storage.disks import disks, private_lvm
from contract.storage.loop_lvm import LoopLvm
from contract.storage.room import POOL, Room, uuid

from virgate import hookimpl
from virgate.hookspecs.leases import LeaseSpace
from virgate.hookspecs.storage import Kind
from virgate.node.storage.devices.settings import DeviceSettings
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat, VolumeMetadata
from virgate.units import Size
from virgate_plugins.leases.local import LocalLease

EXTENT = 128 << 20
SD = uuid(2)
KIND = 101


@frozen
class LoopDisks:
    """Disks that are there without connecting; one host only."""

    name: ClassVar[str] = "LOOPDISKS"
    number: ClassVar[int] = KIND
    kind: ClassVar[Kind] = Kind.BLOCK

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> "LoopDisks":
        return cls()

    @classmethod
    def check_remote(cls, remote: str) -> None:
        """Whatever a volume group's UUID looks like."""

    @classmethod
    def lease(cls, version: int) -> str:
        return "on devices"

    async def connect(self, host: Any) -> None:
        await host.rescan()

    async def disconnect(self, host: Any) -> None: ...


class DeviceLease(LocalLease):
    """That of local domains follows no links; special volumes are shown by links."""

    def __init__(self, space: LeaseSpace) -> None:
        super().__init__(evolve(space, ids=space.ids.resolve()))


class Plugin:
    __name__ = "loop disks"

    @hookimpl
    def storage_domain_type(self, name: str) -> type[LoopDisks] | None:
        return LoopDisks if name in ("loopdisks", str(KIND)) else None

    @hookimpl
    def lease_manager(self, name: str) -> type[DeviceLease] | None:
        return DeviceLease if name == "on devices" else None


class House:
    """A room with disks, opened again as after a restart of the daemon."""

    def __init__(self, base: Any, devices: list[str]) -> None:
        self.base, self.devices = base, devices

    async def open(self) -> "House":
        self.room = Room(self.base, plugins=[Plugin()])
        domains = self.domains = self.room.storage.domains
        domains.device_settings = DeviceSettings(whitelist=self.devices)
        self.lvm = LoopLvm(domains.devices.paths_for_lvm, domains.devices.rescan, root=self.base / "dev")
        domains._lvm = self.lvm
        await self.room.start()
        return self

    @classmethod
    @asynccontextmanager
    async def opened(cls, base: Any, monkeypatch: pytest.MonkeyPatch, *sizes: int) -> AsyncIterator[Self]:
        """One with disks of so many bytes."""
        private_lvm(monkeypatch, base / "lvm")
        with disks(base, sizes) as devices:
            made = cls(base, list(devices))
            await made.open()
            try:
                yield made
            finally:
                await made.close()

    async def close(self) -> None:
        try:
            if self.room.storage.pools.connected is not None:
                await self.room.call("spmStop", POOL)
                await self.room.call("disconnectStoragePool", POOL, 1, POOL)
            await self.room.stop()
        finally:
            self.lvm.end()

    def guids(self, *numbers: int) -> list[str]:
        return [self.devices[number].rpartition("/")[2] for number in numbers]

    async def group(self, *numbers: int) -> str:
        return str((await self.room.ask("createVG", SD, self.guids(*numbers)))["uuid"])

    async def domain(self, *numbers: int, version: str = "5") -> str:
        group = await self.group(*numbers)
        await self.room.ask("createStorageDomain", KIND, SD, "a block domain", group, 1, version)
        return SD

    async def pool(self, *, version: str = "5") -> None:
        await self.domain(0, version=version)
        await self.room.ask("createStoragePool", 0, POOL, "dc1", SD, [SD], 1, "ON", 5, 60, 10, 3)
        await self.room.connect()
        await self.room.start_spm()

    async def tags(self) -> frozenset[str]:
        return (await self.lvm.group(SD, fresh=True)).tags

    def read(self, name: str, start: int, length: int) -> bytes:
        with self.lvm.path(SD, name).open("rb") as file:
            file.seek(start)
            return file.read(length)


def a_volume() -> VolumeMetadata:
    return VolumeMetadata(
        domain=SD,
        image=uuid(3),
        capacity=Size.gib(1),
        format=VolumeFormat.RAW,
        allocation=Allocation.PREALLOCATED,
        description="a disk",
    )
