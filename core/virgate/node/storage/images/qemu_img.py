"""qemu-img as coroutines. Cancelling ends the program; what it left half written is the caller's to drop."""

import json
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from attrs import frozen

from virgate.node.storage.errors import ProgramFailed
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.bitmap import Bitmap
from virgate.run.process import run, spawn

PROGRESS = re.compile(r"\((\d+(?:\.\d+)?)/100%\)")
UNSUPPORTED = "not supported"
LEAKS = 3
"""The exit code of `qemu-img check` that means: nothing is wrong, some room is wasted."""
NAMES = {VolumeFormat.RAW: "raw", VolumeFormat.COW: "qcow2"}

OLD_LEVEL = "0.10"

Report = Callable[[float], None]


def compat(version: int) -> str:
    """The qcow2 level that every host of a domain version understands (spec storage-format 1.4)."""
    return "1.1" if version >= 4 else OLD_LEVEL


@frozen
class Look:
    """What `qemu-img info` says of one file."""

    format: str
    virtual_size: int
    backing: str | None
    level: str = "1.1"
    bitmaps: tuple[Bitmap, ...] = ()


@frozen
class Limits:
    """What a program may use that reads headers which a guest, or whoever else writes to storage, may have made up."""

    memory: int = 1 << 30
    """Bytes of address space."""
    seconds: int = 30
    """Of processor time for one header; for what walks through all tables ten times as many."""

    def around(self, argv: list[str], *, whole: bool = False) -> list[str]:
        seconds = self.seconds * 10 if whole else self.seconds
        return ["prlimit", f"--as={self.memory}", f"--cpu={seconds}", "--", *argv]


@frozen
class QemuImg:
    """The programs that fill volumes. Paths never begin with a dash: they are absolute, or run in their folder.

    Formats are always said, never guessed: what a raw volume begins with is its guest's business.
    """

    program: str = "qemu-img"
    fallocate: str = "fallocate"
    limits: Limits = Limits()

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

    async def look(self, path: Path, form: VolumeFormat = VolumeFormat.COW) -> Look:
        """Reads the header only, also while a machine runs from the file."""
        argv = [self.program, "info", "-U", "-f", NAMES[form], "--output=json", str(path)]
        found = json.loads(await self._run(self.limits.around(argv), path.parent))
        own = found.get("format-specific", {}).get("data", {})
        bitmaps = tuple(Bitmap.read(one) for one in own.get("bitmaps", ()))
        size, backing = int(found["virtual-size"]), found.get("backing-filename")
        return Look(found["format"], size, backing, own.get("compat", ""), bitmaps)

    async def measure(self, path: Path, form: VolumeFormat, level: str, *, alone: bool = False) -> int:
        """The bytes that a qcow2 copy needs, tables included; `alone` without what its parents hold."""
        found = await self.measured(path, form, level, alone=alone)
        return found["required"] + found.get("bitmaps", 0)

    async def measured(self, path: Path, form: VolumeFormat, level: str, *, alone: bool = False) -> dict[str, int]:
        """The same in parts: `required`, `fully-allocated`, and `bitmaps` if it has any."""
        argv = [self.program, "measure", "--output=json", "-O", "qcow2", "-o", f"compat={level}"]
        if alone and form is VolumeFormat.COW:
            argv.append("json:" + json.dumps({"driver": "qcow2", "backing": None, "file.filename": str(path)}))
        else:
            argv += ["-f", NAMES[form], str(path)]
        found = json.loads(await self._run(self.limits.around(argv, whole=True), path.parent))
        return {name: int(value) for name, value in found.items()}

    async def end(self, path: Path) -> int:
        """Where the last used cluster of a qcow2 file ends. Clusters that leaked count: they are in the way, too."""
        argv = [self.program, "check", "-f", "qcow2", "--output=json", str(path)]
        found = json.loads(await self._run(self.limits.around(argv, whole=True), path.parent, well=(0, LEAKS)))
        return int(found["image-end-offset"])

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
        direct: bool = False,
        bitmaps: bool = False,
    ) -> None:
        """Copies what the guest would see. With `backing` (name, format) only what differs from it is written.

        `direct` writes past the page cache, as one must to a device that other hosts use. `bitmaps` copies those of the
        source, not of what is below it, that are valid.
        """
        argv = [self.program, "convert", "-p", "-T", "none", "-f", NAMES[source_format], "-O", NAMES[target_format]]
        if direct:
            argv += ["-t", "none"]
        if target_format is VolumeFormat.COW:
            argv += ["-o", f"compat={level}"]
        if backing is not None:
            argv += ["-B", backing[0], "-F", backing[1]]
        if bitmaps:
            argv += ["--bitmaps", "--skip-broken-bitmaps"]
        await self._follow([*argv, str(source), str(target)], target.parent, report)

    async def amend(self, path: Path, level: str) -> None:
        """Lets a qcow2 file have what a newer level has; its data stay where they are."""
        await self._run([self.program, "amend", "-f", "qcow2", "-o", f"compat={level}", str(path)], path.parent)

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

    async def merge_down(self, path: Path, *, report: Report, direct: bool = False) -> None:
        """Writes what a qcow2 file holds into the one that it is based on, and leaves the file itself as it is."""
        argv = [self.program, "commit", "-p", "-d", "-f", "qcow2"]
        if direct:
            argv += ["-t", "none"]
        await self._follow([*argv, str(path)], path.parent, report)

    async def add_bitmap(self, path: Path, bitmap: Bitmap) -> None:
        wanted = ["--add", "-g", str(bitmap.granularity), "--enable" if bitmap.enabled else "--disable"]
        await self._change_bitmaps(wanted, path, bitmap.name)

    async def remove_bitmap(self, path: Path, name: str) -> None:
        """Also one that is not valid."""
        await self._change_bitmaps(["--remove"], path, name)

    async def merge_bitmap(self, source: Path, path: Path, name: str) -> None:
        """Adds what the bitmap of that name says in the file `source`."""
        await self._change_bitmaps([f"--merge={name}", "-b", str(source), "-F", "qcow2"], path, name)

    async def _change_bitmaps(self, wanted: list[str], path: Path, name: str) -> None:
        await self._run([self.program, "bitmap", *wanted, "-f", "qcow2", "--", str(path), name], path.parent)

    async def _run(self, argv: list[str], folder: Path, well: Collection[int] = (0,)) -> bytes:
        done = await run(argv, cwd=folder, env={**os.environ, "LC_ALL": "C"}, writes=True)
        if done.code not in well:
            raise ProgramFailed(
                self.program if self.program in argv else argv[0], _last_line(done.stderr) or f"exit code {done.code}"
            )
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
