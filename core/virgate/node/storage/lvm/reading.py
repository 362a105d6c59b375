"""Running `lvm`, and remembering what it said.

One `vgs` tells all groups, one `lvs` all volumes of a group: what was read is kept until something here changes it or
somebody says that another host did. Readers name the age that is good enough; those who wait for a report that is
being read share it.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from attrs import define, field, frozen
from twisted.internet import reactor as default_reactor
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
from virgate.node.storage.lvm.commands import Command, Method
from virgate.node.storage.lvm.reports import LogicalVolume, PhysicalVolume, VolumeGroup
from virgate.node.storage.values import Clock
from virgate.run.fence import unfenced
from virgate.run.process import Finished, run

AGE = 60.0
"""Seconds for which a report is good enough unless the reader says otherwise."""

AGE_AT_MOST = 300.0
"""Seconds for which a report serves those who do not want to wait."""

PATIENCE = 300.0
"""Seconds that a command may take: LVM waits for its own locks and for disks that come back."""

LONGEST_REPORT = 64 << 20
GROUPS, DEVICES = "vgs", "pvs"

Failed = Callable[[str], VirgateError]


async def _nothing() -> None: ...


@frozen
class _Report:
    began: float
    found: Any


@define(eq=False)
class Reading:
    """What `lvm` reports. `devices` are all that may hold groups; `rescan` looks for new ones."""

    log = Logger()

    devices: Callable[[], Sequence[str] | Awaitable[Sequence[str]]]
    rescan: Callable[[], Awaitable[object]] = _nothing
    method: Method = Method.DEVICES
    clock: Clock = field(factory=lambda: cast(Clock, default_reactor))
    root: Path = Path("/dev")
    """Where the devices of logical volumes are."""
    _reports: dict[str, _Report] = field(factory=dict)
    _changes: Counter[str] = field(factory=Counter)
    """How often something happened that makes a report of before untrue."""
    _renewing: bool = False
    _locks: defaultdict[str, DeferredLock] = field(factory=lambda: defaultdict(DeferredLock))

    def path(self, group: str, name: str) -> Path:
        """Where the data of a logical volume are while it is active."""
        return self.root / group / name

    async def groups(self, fresh: bool = False, *, age: float = AGE) -> dict[str, VolumeGroup]:
        """Every volume group by name; without any device no program is run. `CannotListGroups` (514)."""

        async def load() -> dict[str, VolumeGroup]:
            finished = await self.run(commands.group_report(), None, CannotListGroups)
            return reports.volume_groups(finished.stdout)

        return cast(dict[str, VolumeGroup], await self._report(GROUPS, 0 if fresh else age, load))

    async def group(self, name: str, fresh: bool = False, *, age: float = AGE) -> VolumeGroup:
        """`NoSuchGroup` (506). One that is not known is looked for."""
        found = (await self.groups(fresh, age=age)).get(name)
        if found is None and not fresh:
            found = (await self.groups(fresh=True)).get(name)
        if found is None:
            raise NoSuchGroup(name)
        return found

    async def recent_group(self, name: str, age: float) -> VolumeGroup:
        """As `group`, but who asks does not wait for a report that takes its time: one of some minutes ago will do.

        LVM reads every device for it, and one that hangs would hold up those who ask for others.
        """
        report = self._reports.get(GROUPS)
        if report is None or name not in report.found or report.began < self.clock.seconds() - AGE_AT_MOST:
            return await self.group(name, age=age)
        if report.began < self.clock.seconds() - age and not self._renewing:
            self._renewing = True
            unfenced(self._renew(age))
        return cast(VolumeGroup, report.found[name])

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
            self._changes.update(list(self._changes))
        else:
            self._changed(_volumes(group), GROUPS, DEVICES)

    async def run(
        self,
        command: Command,
        group: str | None,
        failed: Failed,
        *,
        devices: Sequence[str] = (),
        patience: float = PATIENCE,
    ) -> Finished:
        """Runs a command that may look at the devices of its group (all, if they are not known) and at `devices`.

        When it fails it is run once more with all devices there are now, if those are others.
        """
        known = self._devices_of(group) or await self._paths()
        argv = command.argv([*known, *devices], self.method)
        finished = await self._run(argv, patience)
        if finished.code:
            await self.rescan()
            again = command.argv([*await self._paths(), *devices], self.method)
            if again != argv:
                self.invalidate(group)
                finished = await self._run(again, patience)
        if finished.code:
            raise failed(reason(finished.stderr))
        return finished

    async def _paths(self) -> Sequence[str]:
        found = self.devices()
        return await found if isinstance(found, Awaitable) else found

    async def _run(self, argv: Sequence[str], patience: float) -> Finished:
        environment = {**os.environ, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}
        finished = await run(argv, env=environment, timeout=patience, limit=LONGEST_REPORT)
        self.log.debug("{argv}: {code}", argv=" ".join(argv), code=finished.code)
        return finished

    def _devices_of(self, group: str | None) -> list[str]:
        """Those of the group as far as they were reported; none if it is not known or one of them is missing."""
        report = self._reports.get(GROUPS)
        found = report.found.get(group) if report and group else None
        return list(found.pvs) if found and reports.UNKNOWN not in found.pvs else []

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

    def _remember(self, group: str, edit: Callable[[dict[str, LogicalVolume]], dict[str, LogicalVolume]]) -> None:
        """Lets the report of the group's volumes say what was done, so that it need not be read again."""
        key = _volumes(group)
        self._changes[key] += 1
        if key in self._reports:
            report = self._reports[key]
            self._reports[key] = _Report(report.began, edit(dict(report.found)))


def _volumes(group: str) -> str:
    return f"lvs {group}"


def reason(stderr: bytes) -> str:
    """The last lines that are no warnings, as one."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("WARNING:")]
    return "; ".join((telling or lines)[-3:]) or "lvm does not say why"
