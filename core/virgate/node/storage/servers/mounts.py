"""Mounts in the repository: made, seen, ended (spec storage-format 1.2). Programs of mount(8) do it as child processes.

Whatever hangs is killed at its time limit and hangs nobody else: nothing here touches what is mounted but the helper
of its mount point, and what is mounted is asked of the kernel's table.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.errors import CannotMount
from virgate.node.storage.repository import Repository
from virgate.node.storage.servers import mount_table
from virgate.node.storage.servers.mount_arguments import mount_argv, names, unmount_argv
from virgate.node.storage.servers.mount_causes import NO_SUCH_PROGRAM, Cause, cause_of, last_line
from virgate.node.storage.servers.mount_table import Mount
from virgate.run import process
from virgate.run.errors import CannotStart, TimedOut

UNMOUNT_LIMIT = 5.0
"""Seconds: what a dead server left is out of sight at once, but umount waits on for the server. It is tried again."""

LAYERS = 8
"""How often something may be mounted over itself at one place."""


@define(eq=False)
class Mounts:
    """`check` raises `StorageUnusable` for a folder that cannot be used, `left` hears of a mount point that is gone."""

    log = Logger()

    repository: Repository
    limit: float
    check: Callable[[Path], Awaitable[None]]
    left: Callable[[Path], Awaitable[None]]
    _busy: dict[Path, DeferredLock] = field(factory=dict)

    async def mount(self, remote: str, file_system: str, options: str, *, below: str = "") -> None:
        point = self.repository.mount_point(remote, below=below)
        argv = mount_argv(remote, str(point), file_system, options)  # refuses what is not fit for a command line
        async with self._alone(point):
            found = self.repository.mounted(point)
            if found is None:
                await self._make(remote, point, argv)
            elif not self._same(found, remote, file_system, options):
                raise CannotMount(
                    remote, f"{point} shows {found.source} ({found.type}); disconnect that first", Cause.BUSY.name
                )
            try:
                await self.check(point)
            except BaseException:
                if found is None:
                    await self._unmount(point)
                raise

    async def unmount(self, remote: str, *, below: str = "") -> None:
        point = self.repository.mount_point(remote, below=below)
        async with self._alone(point):
            if self.repository.mounted(point) is not None:
                await self._unmount(point)
            elif await self.repository.files.call("read_link", str(point)) is None:
                await self._remove(point)

    def mounted(self, remote: str, *, below: str = "") -> bool:
        """Asks the kernel's table, never the storage."""
        return self.repository.mounted(self.repository.mount_point(remote, below=below)) is not None

    def _same(self, found: Mount, remote: str, file_system: str, options: str) -> bool:
        if not mount_table.same_type(found, file_system):
            return False
        if {"bind", "rbind"} & names(options):
            return mount_table.bound(self.repository.mount_table(), found, remote)
        if found.source.startswith("/dev/"):
            # Links are followed below /dev only: an image file may lie on storage that hangs.
            device = os.path.realpath(remote) if remote.startswith("/dev/") else remote
            return device in (os.path.realpath(found.source), backing_file(found.source))
        return mount_table.same_source(found, remote)

    async def _make(self, remote: str, point: Path, argv: list[str]) -> None:
        if await self.repository.files.call("read_link", str(point)) is not None:
            raise CannotMount(remote, f"{point} is the link of a local folder; disconnect that first", Cause.BUSY.name)
        await self.repository.files.call("make_path", str(point))
        try:
            await self._run(remote, argv)
            if self.repository.mounted(point) is None:
                raise CannotMount(remote, "mount said that it succeeded, and nothing is there")
        except BaseException:
            await self._unmount(point)
            raise

    async def _run(self, remote: str, argv: list[str]) -> None:
        timed_out, code = False, NO_SUCH_PROGRAM
        try:
            async with process.spawn(argv, env=environment(), timeout=self.limit, merge_stderr=True) as child:
                try:
                    code = await child.exit_code()
                except TimedOut:
                    timed_out = True
            said = child.stdout.decode(errors="replace")
        except CannotStart as problem:
            raise CannotMount(remote, str(problem), Cause.NO_HELPER.name) from None
        if code == 0 and not timed_out:
            return
        cause = cause_of(said, timed_out=timed_out)
        detail = last_line(said) or (f"mount was killed after {self.limit:g} seconds" if timed_out else f"exit {code}")
        raise CannotMount(remote, f"{cause.value} ({detail})", cause.name)

    async def _unmount(self, point: Path) -> None:
        """The helper goes first: it may be what keeps the mount busy. A mount that stays is an error."""
        await self.left(point)
        said = ""
        for _ in range(LAYERS):
            if self.repository.mounted(point) is None:
                break
            with suppress(VirgateError):
                argv = unmount_argv(str(point))
                said = (await process.run(argv, env=environment(), timeout=UNMOUNT_LIMIT)).stderr.decode(
                    errors="replace"
                )
        if self.repository.mounted(point) is not None:
            raise CannotMount(
                str(point), f"it cannot be unmounted: {last_line(said) or 'umount hangs'}", Cause.BUSY.name
            )
        await self._remove(point)

    async def _remove(self, point: Path) -> None:
        with suppress(OSError):  # a folder with something in it was there before us
            await self.repository.files.call("remove_empty_folder", str(point))

    @asynccontextmanager
    async def _alone(self, point: Path) -> AsyncIterator[None]:
        """One change at a time for each mount point; a hanging one holds up nothing else."""
        lock = self._busy.setdefault(point, DeferredLock())
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()
            if not lock.locked and not lock.waiting:
                self._busy.pop(point, None)


def environment() -> dict[str, str]:
    """Messages are read, so they come in English. Helpers of mount(8) are where administrators' programs are."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin", "LC_ALL": "C"}


def backing_file(device: str) -> str | None:
    """The file behind a loop device; None for other devices."""
    try:
        return Path(f"/sys/block/{Path(device).name}/loop/backing_file").read_text().rstrip("\n")
    except OSError:
        return None
