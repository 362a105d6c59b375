"""Logical volumes: made, tagged, activated, resized, removed. What was done is remembered without asking `lvm`."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from attrs import define, evolve

from virgate.errors import VirgateError
from virgate.node.storage.errors.volume_groups import (
    CannotActivate,
    CannotCreateLogicalVolume,
    CannotDeactivate,
    CannotRefreshLogicalVolume,
    CannotRemoveLogicalVolume,
    CannotRenameLogicalVolume,
    CannotResizeLogicalVolume,
    CannotTagLogicalVolume,
)
from virgate.node.storage.lvm import commands
from virgate.node.storage.lvm.commands import Command
from virgate.node.storage.lvm.reading import DEVICES, GROUPS, Reading
from virgate.node.storage.lvm.reports import LogicalVolume
from virgate.units import MiB

Failure = Callable[[str, str], VirgateError]


@define(eq=False)
class LogicalVolumes(Reading):
    """Changes of one group wait for each other. Only the SPM changes volumes; every host may activate and refresh."""

    async def create(
        self,
        group: str,
        name: str,
        mib: int,
        tags: Iterable[str] = (),
        device: str | None = None,
        *,
        zero: bool = True,
    ) -> LogicalVolume:
        """Makes a volume and activates it here; `CannotCreateLogicalVolume` (550).

        Without `zero` it begins with whatever lay there, until the caller writes.
        """
        tags = sorted(tags)
        async with self._changing(group):
            command = commands.create_volume(group, name, mib, tags, device, zero=zero)
            await self._change(group, command, CannotCreateLogicalVolume, name)
            made = LogicalVolume(name, group, "", self._rounded(group, mib), frozenset(tags), "-wi-a-----", "", 0)
            self._remember(group, lambda known: {**known, name: made})
            self._changed(GROUPS, DEVICES)
        return made

    async def remove(self, group: str, *names: str) -> None:
        """Those that are gone already do not matter; `CannotRemoveLogicalVolume` (551)."""
        if not names:
            return
        async with self._changing(group):
            try:
                await self._change(group, commands.remove_volumes(group, names), CannotRemoveLogicalVolume, *names)
            except CannotRemoveLogicalVolume:
                known = await self.volumes(group, fresh=True)
                left = [name for name in names if name in known]
                if len(left) == len(names):
                    raise
                if left:
                    await self._change(group, commands.remove_volumes(group, left), CannotRemoveLogicalVolume, *left)
            self._remember(group, lambda known: {name: lv for name, lv in known.items() if name not in names})
            self._changed(GROUPS, DEVICES)

    async def rename(self, group: str, old: str, new: str) -> None:
        async with self._changing(group):
            await self._change(group, commands.rename_volume(group, old, new), CannotRenameLogicalVolume, old)
            self._remember(group, lambda known: dict(_renamed(known, old, new)))

    async def extend(self, group: str, name: str, mib: int, *, refresh: bool = True) -> int:
        """Makes room for at least `mib`; answers the bytes there are. `CannotResizeLogicalVolume` (554).

        Nothing happens to a volume that is as large. Without `refresh` this host does not see what was gained.
        """
        async with self._changing(group):
            wanted = self._rounded(group, mib)
            try:
                command = commands.extend_volume(group, name, mib, refresh=refresh)
                await self._change(group, command, CannotResizeLogicalVolume, name)
            except CannotResizeLogicalVolume:
                found = (await self.volumes(group, fresh=True)).get(name)
                if found is None or found.size < wanted:
                    raise
                return found.size
            self._resized(group, name, wanted)
        return wanted

    async def reduce(self, group: str, name: str, mib: int) -> int:
        """Cuts a volume to `mib`; what was behind is lost. Answers the bytes there are."""
        async with self._changing(group):
            found = (await self.volumes(group)).get(name)
            wanted = self._rounded(group, mib)
            if found is not None and found.size <= wanted:
                return found.size
            await self._change(group, commands.reduce_volume(group, name, mib), CannotResizeLogicalVolume, name)
            self._resized(group, name, wanted)
        return wanted

    async def change_tags(self, group: str, *names: str, delete: Iterable[str] = (), add: Iterable[str] = ()) -> None:
        """In one step for all named volumes; `CannotTagLogicalVolume` (572)."""
        gone, new = frozenset(delete), frozenset(add)
        if not names or not gone | new:
            return
        async with self._changing(group):
            command = commands.tag_volumes(group, names, sorted(gone), sorted(new))
            await self._change(group, command, CannotTagLogicalVolume, *names)
            self._edit(group, names, lambda volume: evolve(volume, tags=(volume.tags - gone) | new))

    async def activate(self, group: str, *names: str) -> None:
        """Volumes that are active already see what other hosts changed; `CannotActivate` (558)."""
        known = await self.volumes(group)
        await self.refresh(group, *(name for name in names if name in known and known[name].active))
        rest = [name for name in names if name not in known or not known[name].active]
        if rest:
            async with self._changing(group):
                await self._change(group, commands.activate_volumes(group, rest), CannotActivate, *rest)
                self._edit(group, rest, lambda volume: volume.switched(active=True))

    async def deactivate(self, group: str, *names: str) -> None:
        """`CannotDeactivate` (552) if one of them is open."""
        known = await self.volumes(group)
        rest = [name for name in names if name not in known or known[name].active]
        if rest:
            async with self._changing(group):
                command = commands.activate_volumes(group, rest, active=False)
                await self._change(group, command, CannotDeactivate, *rest)
                self._edit(group, rest, lambda volume: volume.switched(active=False))

    async def refresh(self, group: str, *names: str) -> None:
        """Lets active volumes have the size that another host gave them; `CannotRefreshLogicalVolume` (556)."""
        if names:
            async with self._changing(group):
                command = commands.refresh_volumes(group, names)
                await self._change(group, command, CannotRefreshLogicalVolume, *names)

    @asynccontextmanager
    async def _changing(self, group: str) -> AsyncIterator[None]:
        lock = self._locks[f"change {group}"]
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()

    async def _change(self, group: str, command: Command, failure: Failure, *names: str) -> None:
        """A failure, and being cancelled, may leave anything: then the group is read again."""
        what = ", ".join(f"{group}/{name}" for name in names) if names else group
        try:
            await self.run(command, group, lambda why: failure(what, why))
        except BaseException:
            self.invalidate(group)
            raise

    def _rounded(self, group: str, mib: int) -> int:
        found = self._met.get(group)
        extent = found.extent_size if found else commands.EXTENT_MIB * MiB
        return -(-mib * MiB // extent) * extent

    def _resized(self, group: str, name: str, size: int) -> None:
        self._edit(group, [name], lambda volume: evolve(volume, size=size))
        self._changed(GROUPS, DEVICES)

    def _edit(self, group: str, names: Iterable[str], edit: Callable[[LogicalVolume], LogicalVolume]) -> None:
        wanted = set(names)
        self._remember(group, lambda known: {name: edit(lv) if name in wanted else lv for name, lv in known.items()})


def _renamed(known: dict[str, LogicalVolume], old: str, new: str) -> Iterable[tuple[str, LogicalVolume]]:
    for name, volume in known.items():
        yield (new, evolve(volume, name=new)) if name == old else (name, volume)
