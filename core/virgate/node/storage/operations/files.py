"""Files: read past the page cache, replaced as a whole, links swapped in one step."""

import errno
import mmap
import os
import stat
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

BLOCK = 4096
LONGEST = 1 << 20
"""Bytes of a file that is read as a whole: the longest metadata have some kilobytes."""

Owner = Sequence[int] | None
"""User and group id that new files get; None keeps those of the running process."""


def read_file(path: str, longest: int = LONGEST) -> bytes:
    """The content past the page cache, for another host may have written it; cached where that is not supported.

    Only of a file that lies there itself: OSError for a link, a pipe, or one that is longer (EFBIG).
    """
    how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, how | os.O_DIRECT)
    except OSError as problem:
        if problem.errno != errno.EINVAL:
            raise
        file = os.open(path, how)
    try:
        seen = os.fstat(file)
        size = seen.st_size
        if not stat.S_ISREG(seen.st_mode) or size > longest:
            wrong = errno.EFBIG if size > longest else errno.ENODEV
            raise OSError(wrong, os.strerror(wrong), path)
        with mmap.mmap(-1, max(BLOCK, -(-size // BLOCK) * BLOCK)) as buffer:
            return buffer[: os.preadv(file, [buffer], 0)]
    finally:
        os.close(file)


def read_files(paths: Sequence[str]) -> list[bytes | None]:
    """Each file's content, None for one that is not there."""
    found: list[bytes | None] = []
    for path in paths:
        try:
            found.append(read_file(path))
        except FileNotFoundError:
            found.append(None)
    return found


def read_starts(paths: Sequence[str], length: int) -> list[bytes]:
    """The first bytes of each file. A link in a file's place is not followed."""
    found = []
    for path in paths:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found.append(os.pread(file, length, 0))
        finally:
            os.close(file)
    return found


def write_file(path: str, data: bytes, mode: int = 0o644, owner: Owner = None) -> None:
    """Replaces the file as a whole: readers see the old or the new content, also after a power cut."""
    temporary = Path(f"{path}.new")
    try:
        try:
            _write_new(temporary, data, mode, owner)
        except OSError as problem:
            if problem.errno != errno.ESTALE:
                raise
            _write_new(temporary, data, mode, owner)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(Path(path).parent)


def _write_new(path: Path, data: bytes, mode: int, owner: Owner) -> None:
    with open_new(path) as file:
        dress(file.fileno(), mode, owner)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_file(path: str, size: int, mode: int = 0o660, owner: Owner = None) -> None:
    """A file of at least this size, with zeros where nothing was; what is there stays."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        dress(file, mode, owner)
        if os.fstat(file).st_size < size:
            os.ftruncate(file, size)
        os.fsync(file)
    finally:
        os.close(file)
    sync_folder(Path(path).parent)


def set_modes(paths: Sequence[str], mode: int) -> None:
    for path in paths:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.fchmod(file, mode)
        finally:
            os.close(file)


def open_new(path: Path) -> BinaryIO:
    """A new file in the place of whatever had its name: what somebody else put there, a link above all, is not used."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def write_files(files: Sequence[tuple[str, bytes]], mode: int = 0o644, owner: Owner = None) -> None:
    """Replaces several files, each atomically, in the given order."""
    for path, data in files:
        write_file(path, data, mode, owner)


def dress(file: int, mode: int, owner: Owner) -> None:
    """Gives an open file its mode whatever the umask, and its owner."""
    os.fchmod(file, mode)
    if owner:
        os.fchown(file, *owner)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder lasting."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_files(paths: Sequence[str]) -> None:
    """Removes files and links in the given order; those that are gone already do not matter."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def rename(source: str, target: str) -> None:
    Path(source).rename(target)
    sync_folder(Path(target).parent)


def make_link(target: str, link: str) -> None:
    """Lets `link` point to `target`, replacing another link atomically; folders on the way are made."""
    folder = Path(link).parent
    folder.mkdir(parents=True, exist_ok=True)
    if read_link(link) == target:
        return
    temporary = folder / str(uuid.uuid4())
    temporary.symlink_to(target)
    try:
        temporary.replace(link)
    except OSError:
        temporary.unlink()
        raise


def read_link(link: str) -> str | None:
    """Where a symbolic link points to; None if there is none."""
    try:
        return str(Path(link).readlink())
    except OSError:
        return None


OPERATIONS: tuple[Callable[..., Any], ...] = (
    read_file,
    read_files,
    read_starts,
    write_file,
    write_files,
    make_file,
    set_modes,
    remove_files,
    rename,
    make_link,
    read_link,
)
