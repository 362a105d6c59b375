"""Volume groups and the devices they are made of."""

from collections.abc import Sequence

from attrs import define

from virgate.node.storage.errors.domains import DomainAccess
from virgate.node.storage.errors.volume_groups import (
    CannotCreateGroup,
    CannotDeactivate,
    CannotExtendGroup,
    CannotInitializeDevice,
    CannotMoveData,
    CannotReduceGroup,
    CannotRemoveGroup,
    CannotResizeDevice,
    CannotTagGroup,
)
from virgate.node.storage.lvm import commands
from virgate.node.storage.lvm.logical import LogicalVolumes
from virgate.units import MiB

LONG = 24 * 3600.0
"""Seconds that moving the data of a whole device may take."""


@define(eq=False)
class Lvm(LogicalVolumes):
    """All of LVM that storage domains need (spec storage-format 2). One object per daemon."""

    async def create_group(self, name: str, devices: Sequence[str], *, force: bool = False) -> None:
        """A group that waits to become a domain. Its metadata are on the first device (spec storage-format 2.1).

        `CannotInitializeDevice` (601) for devices that are in use, unless forced; `CannotCreateGroup` (502).
        """
        async with self._changing(name):
            await self._initialize(name, devices, force=force)
            try:
                await self._touch(commands.carry_metadata(devices[0]), name, devices, CannotInitializeDevice)
                await self._touch(commands.create_group(name, devices), name, devices, CannotCreateGroup)
            except BaseException:
                await self._release(name, devices)
                raise

    async def extend_group(self, group: str, devices: Sequence[str], *, force: bool = False) -> None:
        """`CannotInitializeDevice` (601), `CannotExtendGroup` (503)."""
        found = await self.group(group, fresh=True)
        async with self._changing(group):
            await self._initialize(group, devices, force=force, metadata_mib=found.mda_size // MiB)
            try:
                await self._touch(commands.extend_group(group, devices), group, devices, CannotExtendGroup)
            except BaseException:
                await self._release(group, devices)
                raise

    async def reduce_group(self, group: str, device: str) -> None:
        """Takes a device without data out of the group; `CannotReduceGroup` (519)."""
        async with self._changing(group):
            await self._touch(commands.reduce_group(group, device), group, (), CannotReduceGroup)
            await self._release(group, [device])

    async def move_physical(self, group: str, device: str, targets: Sequence[str] = ()) -> None:
        """Moves the data of a device to others while they are used. Other changes do not wait for it."""
        command = commands.move_physical(device, targets)
        try:
            await self.run(command, group, lambda why: CannotMoveData(device, why), patience=LONG)
        finally:
            self.invalidate(group)

    async def resize_physical(self, group: str, device: str) -> None:
        """`CannotResizeDevice` (615)."""
        async with self._changing(group):
            await self._touch(commands.resize_physical(device), group, (), CannotResizeDevice, device)

    async def carry_metadata(self, group: str, device: str, *, carried: bool = True) -> None:
        """Lets a device carry the metadata of its group, or not any more."""
        async with self._changing(group):
            command = commands.carry_metadata(device, carried=carried)
            await self._touch(command, group, (), CannotInitializeDevice, device)

    async def remove_group(self, group: str) -> None:
        """With all volumes in it; its devices are free afterwards. `CannotRemoveGroup` (508)."""
        devices = [device for device in (await self.group(group)).pvs if not device.startswith("[")]
        async with self._changing(group):
            await self._touch(commands.deactivate_group(group), group, (), CannotDeactivate)
            await self._touch(commands.remove_group(group), group, (), CannotRemoveGroup)
            await self._release(group, devices)

    async def change_group_tags(self, group: str, delete: Sequence[str] = (), add: Sequence[str] = ()) -> None:
        """In one step; `CannotTagGroup` (516)."""
        if delete or add:
            async with self._changing(group):
                await self._touch(commands.tag_group(group, delete, add), group, (), CannotTagGroup)

    async def deactivate_group(self, group: str) -> None:
        """Every volume of it; `CannotDeactivate` (552) if one is open."""
        async with self._changing(group):
            await self._touch(commands.deactivate_group(group), group, (), CannotDeactivate)

    async def check_group(self, group: str) -> None:
        """`DomainAccess` (379) for a group whose metadata are inconsistent or cannot be read."""
        await self.run(commands.check_group(group), group, lambda why: DomainAccess(f"{group} ({why})"))

    async def usable(self, *devices: str) -> bool:
        """Whether a group could be made of these devices without force. Nothing is written."""
        try:
            await self.run(
                commands.test_physical(devices), None, lambda why: CannotInitializeDevice("", why), devices=devices
            )
        except CannotInitializeDevice:
            return False
        return True

    async def _initialize(
        self, group: str, devices: Sequence[str], *, force: bool, metadata_mib: int = commands.METADATA_MIB
    ) -> None:
        command = commands.create_physical(devices, metadata_mib=metadata_mib, force=force)
        try:
            await self._touch(command, group, devices, CannotInitializeDevice, ", ".join(devices))
        except BaseException:
            self.log.warn("devices for {group} may be half prepared", group=group)
            raise

    async def _release(self, group: str, devices: Sequence[str]) -> None:
        """Devices without a group are nobody's: a failure only leaves a label that force overwrites."""
        try:
            await self._touch(commands.remove_physical(*devices), group, devices, CannotInitializeDevice)
        except CannotInitializeDevice as problem:
            self.log.warn("{problem}", problem=problem)

    async def _touch(
        self, command: commands.Command, group: str, devices: Sequence[str], failure: type, *what: str
    ) -> None:
        """A change of the group itself: all that was read of it is asked for anew."""
        try:
            await self.run(command, group, lambda why: failure(what[0] if what else group, why), devices=devices)
        finally:
            self.invalidate(group)
