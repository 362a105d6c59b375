"""Running `lvm`, and remembering what it said.

One `vgs` tells all groups, one `lvs` all volumes of a group: what was read is kept until something here changes it or
somebody says that another host did. Readers name the age that is good enough; those who wait for a report that is
being read share it.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from attrs import define, evolve, field, frozen
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.errors.volume_groups import (
    CannotListDevices,
    CannotListGroups,
    CannotListVolumes,
    NoSuchGroup,
    NoSuchLogicalVolume,
)
from virgate.node.storage.lvm import commands, reports
from virgate.node.storage.lvm.reports import LogicalVolume, PhysicalVolume, VolumeGroup
from virgate.node.storage.lvm.running import PATIENCE, Running, there
from virgate.run.fence import unfenced

AGE = 60.0
"""Seconds for which a report is good enough unless the reader says otherwise."""

AGE_AT_MOST = 300.0
"""Seconds for which a report serves those who do not want to wait."""

GROUPS, DEVICES = "vgs", "pvs"


@frozen
class _Report:
    began: float
    found: Any


@define(eq=False)
class Reading(Running):
    """What `lvm` reports."""

    log = Logger()

    root: Path = field(default=Path("/dev"), kw_only=True)
    """Where the devices of logical volumes are."""
    _reports: dict[str, _Report] = field(factory=dict)
    _changes: Counter[str] = field(factory=Counter)
    """How often something happened that makes a report of before untrue."""
    _renewing: bool = False
    _locks: defaultdict[str, DeferredLock] = field(factory=lambda: defaultdict(DeferredLock))
    _own: dict[str, _Report] = field(factory=dict)
    """Of groups that were asked for alone."""
    _met: dict[str, VolumeGroup] = field(factory=dict)
    """The groups as they were told last: where they lie is known also when a report is not true any more."""

    def path(self, group: str, name: str) -> Path:
        """Where the data of a logical volume are while it is active."""
        return self.root / group / name

    async def groups(self, fresh: bool = False, *, age: float = AGE) -> dict[str, VolumeGroup]:
        """Every volume group by name; without any device no program is run. `CannotListGroups` (514).

        A group whose devices are there and do not answer is told as it was, and to be `away`.
        """

        async def load() -> dict[str, VolumeGroup]:
            shown, found = await self._all_groups()
            missing = {name: group for name, group in self._met.items() if name not in found}
            devices = {device for group in missing.values() for device in group.pvs}
            unwell = await self.unwell(devices)
            if there(devices) - unwell - shown:  # paths that work again
                self.forget()
                _, found = await self._all_groups()
            away = {name: evolve(group, away=True) for name, group in missing.items() if unwell.intersection(group.pvs)}
            self._met = {**away, **found}
            return self._met

        return cast(dict[str, VolumeGroup], await self._report(GROUPS, 0 if fresh else age, load))

    async def group(self, name: str, fresh: bool = False, *, age: float = AGE) -> VolumeGroup:
        """`NoSuchGroup` (506). One that is not known is looked for. `CannotListGroups` for one that is away."""
        known = [
            report for report in (self._own.get(name), self._reports.get(GROUPS)) if report and name in report.found
        ]
        newest = max(known, key=lambda report: report.began, default=None)
        if newest is not None and not fresh and newest.began >= self.clock.seconds() - age:
            return _present(newest.found[name])
        if name in self._met and (own := await self._own_report(name)) is not None:
            return own
        found = (await self.groups(fresh=True)).get(name)
        if found is None:
            raise NoSuchGroup(name)
        return _present(found)

    async def recent_group(self, name: str, age: float) -> VolumeGroup:
        """As it was in the report of all groups that all who ask this share; it may be `away`.

        Who asks does not wait for a report that takes its time: one of some minutes ago will do.
        """
        report = self._reports.get(GROUPS)
        if report is None or name not in report.found or report.began < self.clock.seconds() - AGE_AT_MOST:
            found = (await self.groups(age=age)).get(name) or (await self.groups(fresh=True)).get(name)
            if found is None:
                raise NoSuchGroup(name)
            return found
        if report.began < self.clock.seconds() - age and not self._renewing:
            self._renewing = True
            unfenced(self._renew(age))
        return cast(VolumeGroup, report.found[name])

    async def _own_report(self, name: str) -> VolumeGroup | None:
        """Reads no devices but the group's; None if it is not on them any more, or not on them alone."""
        devices = set(self._devices_of(name))
        if not devices:
            return None
        began, changes = self.clock.seconds(), self._changes[GROUPS]
        finished = await self._attempt(commands.group_report(name), devices, CannotListGroups, PATIENCE)
        found = reports.volume_groups(finished.stdout).get(name) if finished.code == 0 else None
        if found is None or reports.UNKNOWN in found.pvs:
            return None
        self._met = {**self._met, name: found}
        if self._changes[GROUPS] == changes:
            self._own[name] = _Report(began, {name: found})
        return found

    async def _all_groups(self) -> tuple[set[str], dict[str, VolumeGroup]]:
        """What could be looked at, and what was found."""
        shown = there(await self._paths())
        finished = await self.run(commands.group_report(), None, CannotListGroups)
        return shown, reports.volume_groups(finished.stdout)

    async def _renew(self, age: float) -> None:
        try:
            await self.groups(age=age)
        except VirgateError as problem:
            self.log.warn("{problem}", problem=problem)
        finally:
            self._renewing = False

    async def volumes(self, group: str, fresh: bool = False, *, age: float = AGE) -> dict[str, LogicalVolume]:
        """Every logical volume of a group by name; `CannotListVolumes` (555)."""

        async def load() -> dict[str, LogicalVolume]:
            finished = await self.run(commands.volume_report(group), group, lambda why: CannotListVolumes(group, why))
            return reports.logical_volumes(finished.stdout).get(group, {})

        return cast(dict[str, LogicalVolume], await self._report(_volumes(group), 0 if fresh else age, load))

    async def volume(self, group: str, name: str) -> LogicalVolume:
        """`NoSuchLogicalVolume` (610). One that is not known is looked for."""
        found = (await self.volumes(group)).get(name) or (await self.volumes(group, fresh=True)).get(name)
        if found is None:
            raise NoSuchLogicalVolume(group, name)
        return found

    async def physical(self, fresh: bool = False, *, age: float = AGE) -> dict[str, PhysicalVolume]:
        """Every physical volume by device; `CannotListDevices` (603)."""

        async def load() -> dict[str, PhysicalVolume]:
            finished = await self.run(commands.physical_report(), None, CannotListDevices)
            return reports.physical_volumes(finished.stdout)

        return cast(dict[str, PhysicalVolume], await self._report(DEVICES, 0 if fresh else age, load))

    def invalidate(self, group: str | None = None) -> None:
        """Another host changed the group, or (None) anything may have changed: what was read is no longer used."""
        if group is None:
            self._reports.clear()
            self._own.clear()
            self._changes.update(list(self._changes))
        else:
            self._changed(_volumes(group), GROUPS, DEVICES)

    def _devices_of(self, group: str | None) -> tuple[str, ...]:
        found = self._met.get(group) if group else None
        return found.pvs if found and reports.UNKNOWN not in found.pvs else ()

    async def _report(self, key: str, age: float, load: Callable[[], Awaitable[Any]]) -> Any:
        """What is remembered if it is young enough, else what is read now."""
        wanted = self.clock.seconds() - age
        if key in self._reports and self._reports[key].began >= wanted:
            return self._reports[key].found
        if not await self._paths():
            return {}
        await self._locks[key].acquire()
        try:
            if key in self._reports and self._reports[key].began >= wanted:
                return self._reports[key].found
            began, changes = self.clock.seconds(), self._changes.setdefault(key, 0)
            found = await load()
            if self._changes[key] == changes:
                self._reports[key] = _Report(began, found)
            return found
        finally:
            self._locks[key].release()

    def _changed(self, *keys: str) -> None:
        for key in keys:
            self._changes[key] += 1
            self._reports.pop(key, None)
        if GROUPS in keys:
            self._own.clear()

    def _remember(self, group: str, edit: Callable[[dict[str, LogicalVolume]], dict[str, LogicalVolume]]) -> None:
        """Lets the report of the group's volumes say what was done, so that it need not be read again."""
        key = _volumes(group)
        self._changes[key] += 1
        if key in self._reports:
            report = self._reports[key]
            self._reports[key] = _Report(report.began, edit(dict(report.found)))


def _volumes(group: str) -> str:
    return f"lvs {group}"


def _present(group: VolumeGroup) -> VolumeGroup:
    if group.away:
        raise CannotListGroups(f"{group.name} is on devices that do not answer: {', '.join(group.pvs)}")
    return group
