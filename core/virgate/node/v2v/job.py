"""One import: its state, and its work from prepared volumes to the description of the machine."""

import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.v2v.command import Places
from virgate.node.v2v.door import LOGS
from virgate.node.v2v.errors import ConversionFailed
from virgate.node.v2v.progress import Progress
from virgate.node.v2v.wish import Wish
from virgate.run.process import Child, spawn

if TYPE_CHECKING:
    from virgate.node.v2v.door import Images

DONE, ERROR, ABORTED = "done", "error", "aborted"
ENDED = frozenset({DONE, ERROR, ABORTED})

KEPT = 20
"""Logs of conversions that failed; each has a mebibyte at most."""


@frozen
class Program:
    """What does the work of one job."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    input: bytes = field(default=b"", repr=False)


Compose = Callable[[Places, Sequence[str]], Awaitable[Program]]
"""Makes the command line when the places and the paths of the volumes are known."""


@define(eq=False)
class Job:
    """Runs from `begin` to one of the states in ENDED; `changed` is called at every step."""

    log: ClassVar = Logger()

    id: str
    wish: Wish
    folder: Path
    """Of this job alone; goes with the job."""
    work: Path
    """Of this job alone; goes with the end of its work."""
    images: "Images" = field(repr=False)
    changed: Callable[["Job"], None] = field(repr=False)
    status: str = "starting"
    problem: VirgateError | None = None
    progress: Progress = field(factory=Progress)
    _running: Deferred[None] | None = field(default=None, repr=False)
    _unwanted: bool = False

    @property
    def ovf(self) -> Path:
        return self.folder / f"{self.id}.ovf"

    def told(self) -> dict[str, Any]:
        """As the host's statistics have it."""
        description = str(self.problem) if self.problem else self.progress.description
        return {"status": self.status, "description": description, "progress": self.progress.percent}

    def begin(self, compose: Compose, password: str = "") -> None:
        """Never fails: what goes wrong is told as the job's state."""
        self._running = Deferred.fromCoroutine(self._run(compose, password))

    def abort(self) -> None:
        """Kills the program; nothing happens to a job that has ended, or that is being aborted."""
        if self._running is not None and not self._unwanted:
            self._unwanted = True
            self._running.cancel()

    async def ended(self) -> None:
        """Comes back when the program is gone and the volumes are torn down."""
        if self._running is not None:
            waiting: Deferred[None] = Deferred()
            self._running.addBoth(lambda _: waiting.callback(None))
            await waiting

    def forget(self) -> None:
        """The result goes, too."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _run(self, compose: Compose, password: str) -> None:
        try:
            async with AsyncExitStack() as undo:
                await self._convert(compose, password, undo)
        except CancelledError:
            self._end(ABORTED)
        except VirgateError as problem:
            self._end(ABORTED if self._unwanted else ERROR, problem)
        except Exception as problem:
            self.log.failure("import {job} broke", job=self.id)
            self._end(ERROR, ConversionFailed(f"{type(problem).__name__}: {problem}"))
        else:
            self.progress.percent = 100
            self._end(DONE)

    def _end(self, status: str, problem: VirgateError | None = None) -> None:
        self.status, self.problem = status, problem if status == ERROR else None
        if self.problem:
            self.log.warn("import {job} failed: {problem}", job=self.id, problem=str(self.problem))
        self._running = None
        self.changed(self)

    async def _convert(self, compose: Compose, password: str, undo: AsyncExitStack) -> None:
        places, paths = await self._places(undo)
        if password:
            secret = self.folder / "password"
            undo.callback(secret.unlink, missing_ok=True)
            write_secret(secret, password.encode())
            places = Places(places.storage, places.result, places.work, secret)
        program = await compose(places, paths)
        options: dict[str, Any] = {"env": program.environment, "input": program.input, "cwd": places.work}
        async with spawn([*contained(), *program.argv], writes=True, umask=0o077, **options) as child:
            async for line in child.pieces("\n", also="\r"):
                self._hear(line)
            code = await child.exit_code()
            if code:
                self._keep_log(child)
                said = self.progress.problem or child.last_error or f"it ended with code {code}"
                raise ConversionFailed(said.removeprefix("virt-v2v: error: "))

    async def _places(self, undo: AsyncExitStack) -> tuple[Places, list[str]]:
        """Links of our own stand between the converter and the domain: it writes metadata of its own beside them."""
        for folder in (self.folder, self.work):
            folder.mkdir(parents=True, mode=0o700)
        undo.callback(shutil.rmtree, self.work, ignore_errors=True)
        storage = self.folder / self.wish.domain
        undo.callback(shutil.rmtree, storage, ignore_errors=True)
        paths = []
        for one in self.wish.volumes:
            address = (self.wish.pool, self.wish.domain, one.image, one.volume)
            undo.push_async_callback(self._tear_down, *address)
            prepared = await self.images.prepare(*address)
            link = storage / "images" / one.image / one.volume
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(prepared.path)
            paths.append(str(prepared.path))
        return Places(storage, self.folder, self.work), paths

    async def _tear_down(self, *address: str) -> None:
        try:
            await self.images.teardown(*address)
        except VirgateError as problem:
            self.log.warn("image {image} of an import stays prepared: {why}", image=address[2], why=str(problem))

    def _hear(self, line: str) -> None:
        if self.progress.feed(line):
            self.status = self.progress.status
            self.changed(self)

    def _keep_log(self, child: Child) -> None:
        """What the program said last, for people; no password is among it, as it never had one on its command line."""
        path = self.folder.parent / LOGS / f"import-{self.id}-{time.strftime('%Y%m%dT%H%M%S')}.log"
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_secret(path, child.stderr)
            for old in sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                old.unlink()
            self.log.info("what the converter of import {job} said is in {path}", job=self.id, path=str(path))


def contained() -> tuple[str, ...]:
    """Put before a command: processes of its own kind of numbers, which all end when the first of them does.

    virt-v2v has helpers that outlive it when it is killed, as it is when the daemon dies. Only root may do this.
    """
    return ("unshare", "--pid", "--fork", "--kill-child") if os.geteuid() == 0 else ()


def write_secret(path: Path, data: bytes) -> None:
    """A new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
