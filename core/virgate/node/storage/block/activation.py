"""Which image volumes have a device on this host, and the folders that show them (spec storage-format 2.8, 2.9).

A volume is active while somebody here uses it: a flow for as long as its `used` block lasts, a machine from `open` to
`close`. What a machine uses is written down as links below the run folder, so it outlives the daemon and ends with the
host. Flows find the volumes of an image side by side in a folder of the domain's tree, where the bare name of a parent
that a qcow2 header holds leads to the parent.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.errors import VirgateError
from virgate.node.storage.block import tags
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.repository import Repository, part
from virgate.node.storage.values import Files
from virgate.run.fence import unfenced


@define(eq=False)
class Activation:
    """Of one domain. `files` is the helper of its devices."""

    log = Logger()

    group: str
    lvm: Lvm
    files: Files
    repository: Repository
    owner: Sequence[int] | None = None
    pause: float = 0.0
    """Seconds that new volumes keep their devices, so that those of many go together."""
    _tired: set[str] = field(factory=set)
    _uses: Counter[str] = field(factory=Counter)
    """Flows that use a volume."""
    _shown: Counter[tuple[str, str]] = field(factory=Counter)
    """Flows that look for a volume in the folder of an image."""
    _changing: DeferredLock = field(factory=DeferredLock)
    _settled: bool = False

    def folder(self, image: str) -> Path:
        """Where the volumes of an image appear while they are used."""
        return self._images / part(image)

    @property
    def _images(self) -> Path:
        return self.repository.mounts / "blockSD" / part(self.group) / "images"

    @property
    def _opened(self) -> Path:
        return self.repository.run / "storage" / part(self.group)

    @asynccontextmanager
    async def used(self, image: str, names: Collection[str]) -> AsyncIterator[None]:
        """Inside, the volumes have devices and are shown in the folder of the image."""
        await self._begin(image, names)
        try:
            yield
        finally:
            await self._end(image, names)

    async def open(self, image: str, names: Collection[str]) -> Path:
        """For a machine: the volumes stay active until `close`. Those that were active see what others changed."""
        folder = self.repository.prepared(self.group, image)
        async with self._alone():
            await self._activate(names)
            await self._show([str(folder), str(self.folder(image))], names)
        return folder

    async def close(self, image: str, names: Collection[str]) -> None:
        """Ends `open`: of `names`, and what is shown for a machine, all that nobody else here uses loses its device.

        `CannotDeactivate` (552) if a program has one open; then everything stays.
        """
        async with self._alone():
            opened = await self._shown_in(self._opened)
            mine = opened.pop(image, [])
            await self._deactivate({*names, *mine}, opened)
            await self._hide(self._opened / image, mine)
            left = [name for name in {*names, *mine} if not self._shown[image, name]]
            await self._hide(self.folder(image), left)

    async def let_go(self, image: str, names: Collection[str]) -> None:
        """Of an image that stays open: a device of a volume that another host removes would lead nowhere."""
        async with self._alone():
            await self._hide(self._opened / image, names)
            await self._deactivate(names, await self._shown_in(self._opened))
            await self._hide(self.folder(image), [name for name in names if not self._shown[image, name]])

    async def rest(self, *names: str) -> None:
        """Takes the devices of volumes away that nobody uses; a failure leaves them, and is only logged."""
        async with self._alone():
            await self._rest(names)

    async def rest_soon(self, *names: str) -> None:
        """As `rest`, after a while and together with others that rest by then: one process for all of them."""
        if not self.pause:
            await self.rest(*names)
            return
        if not self._tired:
            self.lvm.clock.callLater(self.pause, self._rest_tired)
        self._tired.update(names)

    def _rest_tired(self) -> None:
        tired, self._tired = self._tired, set()
        unfenced(self.rest(*tired)).addErrback(self._stays)

    def _stays(self, failure: Failure) -> None:
        """The daemon ends, or its disks are away: what stays active is found at the next start."""
        problem = failure.value
        self.log.info("new volumes of {domain} stay active: {problem}", domain=self.group, problem=str(problem))

    async def forget(self, image: str, *names: str) -> None:
        """The volumes are gone, or have other names."""
        await self._hide(self.folder(image), names)

    async def settle(self) -> None:
        """Once after a start: what a daemon that died left active, and no machine uses, loses its device."""
        async with self._alone():
            pass

    async def _begin(self, image: str, names: Collection[str]) -> None:
        async with self._alone():
            new = [name for name in names if not self._uses[name]]
            self._uses.update(names)
            self._shown.update((image, name) for name in names)
            try:
                await self._activate(new)
                await self._show([str(self.folder(image))], names)
            except BaseException:
                self._drop(image, names)
                raise

    async def _end(self, image: str, names: Collection[str]) -> None:
        async with self._alone():
            self._drop(image, names)
            opened = await self._rest([name for name in names if not self._uses[name]])
            gone = {name for name in names if not self._shown[image, name]} - set(opened.get(image, ()))
            await self._hide(self.folder(image), sorted(gone))

    def _drop(self, image: str, names: Iterable[str]) -> None:
        for name in names:
            self._uses[name] -= 1
            self._shown[image, name] -= 1
        self._uses, self._shown = +self._uses, +self._shown

    async def _activate(self, names: Collection[str]) -> None:
        if not names:
            return
        await self.lvm.activate(self.group, *sorted(names))
        await self.files.call("dress_devices", [str(self.lvm.path(self.group, name)) for name in names], self.owner)

    async def _rest(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Answers what machines use."""
        opened = await self._shown_in(self._opened)
        try:
            await self._deactivate(names, opened)
        except VirgateError as problem:
            self.log.warn("volumes of {domain} stay active: {problem}", domain=self.group, problem=problem)
        return opened

    async def _deactivate(self, names: Iterable[str], opened: dict[str, list[str]]) -> None:
        kept = {name for shown in opened.values() for name in shown}
        known = await self.lvm.volumes(self.group)
        idle = [name for name in sorted(set(names)) if name in known and not self._uses[name] and name not in kept]
        if idle:
            await self.lvm.deactivate(self.group, *idle)

    async def _show(self, folders: Sequence[str], names: Collection[str]) -> None:
        targets = {name: str(self.lvm.path(self.group, name)) for name in names}
        await self.repository.files.call("show_volumes", folders, targets)

    async def _hide(self, folder: Path, names: Collection[str]) -> None:
        await self.repository.files.call("hide_volumes", str(folder), sorted(names))

    async def _shown_in(self, folder: Path) -> dict[str, list[str]]:
        found: dict[str, list[str]] = await self.repository.files.call("shown_volumes", str(folder))
        return found

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        await self._changing.acquire()
        try:
            if not self._settled:
                await self._tidy()
                self._settled = True
            yield
        finally:
            self._changing.release()

    async def _tidy(self) -> None:
        opened = await self._shown_in(self._opened)
        kept = {name for shown in opened.values() for name in shown}
        found = await self.lvm.volumes(self.group, fresh=True)
        idle = [
            entry.name
            for entry in tags.entries(found).values()
            if entry.active and entry.name not in kept and not found[entry.name].open
        ]
        try:
            await self.lvm.deactivate(self.group, *idle)
        except VirgateError as problem:
            self.log.warn("volumes of {domain} stay active: {problem}", domain=self.group, problem=problem)
        for image, shown in (await self._shown_in(self._images)).items():
            await self._hide(self._images / image, [name for name in shown if name not in opened.get(image, ())])
