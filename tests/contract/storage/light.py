"""A storage room without processes: everything happens at once, so that a test can try thousands of histories.

`Direct` runs the operations of helpers on the spot, `PlayedQemu` keeps what a guest sees in files that are quickly
written. `Steps` counts what changes storage, and lets one of those steps fail or never come back.
"""

import errno
import json
import os
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from virgate.node.storage.errors import ProgramFailed
from virgate.node.storage.formats.qcow2 import START, decode
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.qemu_img import NAMES, Look, QemuImg, Report
from virgate.node.storage.operations import OPERATIONS

T = TypeVar("T")
BLOCK = 4096
Content = dict[int, int]
"""What a guest sees: block number -> the byte that fills it; blocks of zeros are left out."""

HALF: Content = {0: 251}
"""What a copy that did not end has written."""

CHANGES = frozenset(
    {
        "write_file", "make_folders", "remove_empty_folder", "link_volume", "reserve_volume", "commit_volume",
        "grow_volume", "remove_volume", "rename_volume", "delete_image", "write_folder_atomically", "write_data",
        "copy_master", "empty_master", "make_link", "remove_files", "make_file", "set_modes", "write_lease",
    }
)  # fmt: skip


@define
class Steps:
    """The next `left`-th change fails; with `hangs` it never ends, nor does anything after it."""

    left: int | None = None
    hangs: bool = False
    hung: bool = False
    names: list[str] = field(factory=list)

    def take(self, name: str, problem: Exception) -> "Deferred[Any] | None":
        self.names.append(name)
        if self.hung:
            return Deferred()
        if self.left is None:
            return None
        self.left -= 1
        if self.left:
            return None
        self.left = None
        self.hung = self.hangs
        return Deferred() if self.hangs else fail(problem)


class Direct:
    """`Helpers` whose worker is this process."""

    def __init__(self, steps: Steps | None = None) -> None:
        self.steps = steps or Steps()

    def __getitem__(self, key: str) -> "Direct":
        return self

    def call(self, operation: str, *args: Any, timeout: float | None = None) -> "Deferred[Any]":
        if operation in CHANGES:
            taken = self.steps.take(operation, OSError(errno.EIO, "I/O error"))
            if taken is not None:
                return taken
        try:
            return succeed(OPERATIONS[operation](*args))
        except Exception:
            return fail(Failure())

    async def drop(self, key: str) -> None: ...

    async def close(self) -> None: ...


@frozen
class PlayedQemu(QemuImg):
    """qcow2 files are JSON once something was done to them: size, backing name and format, own blocks."""

    steps: Steps = field(factory=Steps)

    async def _step(self, name: str) -> None:
        taken = self.steps.take(name, ProgramFailed(name, "played"))
        if taken is not None:
            await taken

    async def create(
        self, path: Path, size: int, level: str, parent: str | None = None, parent_format: str = ""
    ) -> None:
        await self._step("create")
        save(path, {"size": size, "backing": parent, "form": parent_format, "blocks": {}})

    async def allocate(self, path: Path, start: int, length: int, *, empty: bool = False) -> None:
        await self._step("allocate")

    async def look(self, path: Path, form: VolumeFormat = VolumeFormat.COW) -> Look:
        found = load(path)
        return Look("qcow2", found["size"], found["backing"])

    async def resize(self, path: Path, size: int) -> None:
        await self._step("resize")
        save(path, load(path) | {"size": size})

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
        content, size = seen(source, source_format), _size(source, source_format)
        if target.exists():  # cut off, it leaves what is neither the old data nor the new ones
            write(target, target_format, HALF)
        await self._step("convert")
        if target_format is VolumeFormat.RAW:
            with target.open("wb") as file:
                file.truncate(size)
            write(target, target_format, content)
            return
        name, form = backing or (None, "")
        below = seen(target.parent / name, _form(form)) if name else {}
        blocks = {block: content.get(block, 0) for block in {*content, *below}}
        own = {block: value for block, value in blocks.items() if below.get(block, 0) != value}
        save(target, {"size": size, "backing": name, "form": form, "blocks": own})

    async def rebase(
        self, path: Path, parent: str, parent_format: str, *, unsafe: bool, report: Report = lambda percent: None
    ) -> None:
        await self._step("rebase")
        found = load(path)
        if not unsafe:
            content = seen(path, VolumeFormat.COW)
            below = seen(path.parent / parent, _form(parent_format)) if parent else {}
            for block in {*content, *below}:
                if content.get(block, 0) != below.get(block, 0):
                    found["blocks"][str(block)] = content.get(block, 0)
        save(path, found | {"backing": parent or None, "form": parent_format})

    async def merge_down(self, path: Path, *, report: Report, direct: bool = False) -> None:
        """In two steps: between them the base holds a part."""
        found = load(path)
        base, form = path.parent / found["backing"], _form(found["form"])
        for blocks in (dict(list(found["blocks"].items())[:1]), found["blocks"]):
            await self._step("commit")
            write(base, form, {int(block): value for block, value in blocks.items()})


def seen(path: Path, form: VolumeFormat) -> Content:
    """What a guest sees in the volume and those below it."""
    if form is VolumeFormat.RAW:
        return {block: first for block, first in _firsts(path) if first}
    found = load(path)
    below = seen(path.parent / found["backing"], _form(found["form"])) if found["backing"] else {}
    merged = below | {int(block): value for block, value in found["blocks"].items()}
    return {block: value for block, value in merged.items() if value}


def _firsts(path: Path) -> Iterator[tuple[int, int]]:
    """Number and first byte of each block that is no hole."""
    with path.open("rb") as file:
        start, end = 0, file.seek(0, os.SEEK_END)
        while start < end:
            try:
                start = os.lseek(file.fileno(), start, os.SEEK_DATA) // BLOCK * BLOCK
            except OSError:  # nothing but holes from here on
                return
            yield start // BLOCK, os.pread(file.fileno(), 1, start)[0]
            start += BLOCK


def write(path: Path, form: VolumeFormat, content: Content) -> None:
    """As a guest does."""
    if form is VolumeFormat.RAW:
        with path.open("r+b") as file:
            for block, value in content.items():
                file.seek(block * BLOCK)
                file.write(bytes([value]) * BLOCK)
        return
    found = load(path)
    found["blocks"] |= {str(block): value for block, value in content.items()}
    save(path, found)


def load(path: Path) -> dict[str, Any]:
    """Also of a file that is as it was made: real qcow2, and empty."""
    data = path.read_bytes()
    header = decode(data[:START])
    if header is None:
        return dict(json.loads(data))
    return {"size": header.virtual_size, "backing": header.backing or None, "form": header.backing_format, "blocks": {}}


def now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    came: list[Any] = []
    running = Deferred.fromCoroutine(work)
    running.addBoth(came.append)
    assert came, "it waits for something"
    if isinstance(came[0], Failure):
        came[0].raiseException()
    return came[0]  # type: ignore[no-any-return]


def begun(work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Starts a coroutine that may wait for ever; its result appears in the list."""
    came: list[Any] = []
    Deferred.fromCoroutine(work).addCallbacks(came.append, lambda failure: None)
    return came


def _size(path: Path, form: VolumeFormat) -> int:
    if form is VolumeFormat.RAW:
        return path.stat().st_size
    return int(load(path)["size"])


def _form(name: str) -> VolumeFormat:
    return next(form for form, known in NAMES.items() if known == name)


def save(path: Path, found: dict[str, Any]) -> None:
    with suppress(FileNotFoundError):
        path.chmod(0o660)
    path.write_text(json.dumps(found))
