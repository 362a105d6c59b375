"""qemu-img as coroutines. Cancelling ends the program; what it left half written is the caller's to drop."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from virgate.node.storage.errors import ProgramFailed
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.run.process import run, spawn

PROGRESS = re.compile(r"\((\d+(?:\.\d+)?)/100%\)")
UNSUPPORTED = "not supported"
NAMES = {VolumeFormat.RAW: "raw", VolumeFormat.COW: "qcow2"}

Report = Callable[[float], None]


def compat(version: int) -> str:
    """The qcow2 level that every host of a domain version understands (spec storage-format 1.4)."""
    return "1.1" if version >= 4 else "0.10"


@frozen
class Look:
    """What `qemu-img info` says of one file."""

    format: str
    virtual_size: int
    backing: str | None


@frozen
class QemuImg:
    """The programs that fill volumes. Paths never begin with a dash: they are absolute, or run in their folder."""

    program: str = "qemu-img"
    fallocate: str = "fallocate"

    async def create(
        self, path: Path, size: int, level: str, parent: str | None = None, parent_format: str = ""
    ) -> None:
        """An empty qcow2 file over an existing one. The parent is named without its folder and need not be there."""
        argv = [self.program, "create", "-q", "-f", "qcow2", "-o", f"compat={level}"]
        if parent is not None:
            argv += ["-b", parent, "-F", parent_format, "-u"]
        await self._run([*argv, str(path), str(size)], path.parent)

    async def allocate(self, path: Path, start: int, length: int, *, empty: bool = False) -> None:
        """Gives a file real space from `start` on; what it holds there stays.

        Where the file system cannot do that, a file known to be `empty` there is filled with zeros instead.
        """
        if length <= 0:
            return
        try:
            await self._run([self.fallocate, "--offset", str(start), "--length", str(length), str(path)], path.parent)
        except ProgramFailed as problem:
            if UNSUPPORTED not in problem.reason:
                raise
            if empty:
                await self._fill(path, start, length)

    async def _fill(self, path: Path, start: int, length: int) -> None:
        flags = ["oflag=seek_bytes", "iflag=count_bytes", "conv=notrunc", "status=none"]
        argv = ["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"seek={start}", f"count={length}", *flags]
        await self._run(argv, path.parent)

    async def look(self, path: Path) -> Look:
        """Reads the header only, also while a machine runs from the file."""
        text = await self._run([self.program, "info", "-U", "--output=json", str(path)], path.parent)
        found = json.loads(text)
        return Look(found["format"], int(found["virtual-size"]), found.get("backing-filename"))

    async def resize(self, path: Path, size: int) -> None:
        await self._run([self.program, "resize", "-q", "-f", "qcow2", str(path), str(size)], path.parent)

    async def convert(
        self,
        source: Path,
        source_format: VolumeFormat,
        target: Path,
        target_format: VolumeFormat,
        *,
        report: Report,
        level: str,
        backing: tuple[str, str] | None = None,
    ) -> None:
        """Copies what the guest would see. With `backing` (name, format) only what differs from it is written."""
        argv = [self.program, "convert", "-p", "-T", "none", "-f", NAMES[source_format], "-O", NAMES[target_format]]
        if target_format is VolumeFormat.COW:
            argv += ["-o", f"compat={level}"]
        if backing is not None:
            argv += ["-B", backing[0], "-F", backing[1]]
        await self._follow([*argv, str(source), str(target)], target.parent, report)

    async def rebase(
        self, path: Path, parent: str, parent_format: str, *, unsafe: bool, report: Report = lambda percent: None
    ) -> None:
        """Gives a qcow2 file another backing file, or none ("").

        What the guest sees stays the same; `unsafe` changes only the header, which the caller knows to be right.
        """
        argv = [self.program, "rebase", "-p", "-f", "qcow2", "-b", parent]
        if parent:
            argv += ["-F", parent_format]
        if unsafe:
            argv += ["-u"]
        await self._follow([*argv, str(path)], path.parent, report)

    async def _run(self, argv: list[str], folder: Path) -> bytes:
        done = await run(argv, cwd=folder, env={**os.environ, "LC_ALL": "C"}, writes=True)
        if done.code:
            raise ProgramFailed(argv[0], _last_line(done.stderr) or f"exit code {done.code}")
        return done.stdout

    async def _follow(self, argv: list[str], folder: Path, report: Report) -> None:
        async with spawn(argv, cwd=folder, writes=True) as child:
            async for piece in child.pieces("\r"):
                if found := PROGRESS.search(piece):
                    report(float(found[1]))
            if code := await child.exit_code():
                raise ProgramFailed(argv[0], child.last_error or f"exit code {code}")


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
