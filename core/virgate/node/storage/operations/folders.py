"""Folders: made with their mode, listed, removed, and looked at for what they allow."""

import errno
import mmap
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from virgate.node.storage.operations.files import BLOCK, Owner, sync_folder


def make_folders(paths: Sequence[str], mode: int = 0o755, owner: Owner = None) -> list[str]:
    """Makes those of the folders that are missing and answers which; a parent comes before its children."""
    made = []
    for path in map(Path, paths):
        with suppress(FileExistsError):
            path.mkdir()
            path.chmod(mode)
            if owner:
                os.chown(path, *owner)
            made.append(path)
    for parent in {path.parent for path in made}:
        sync_folder(parent)
    return [str(path) for path in made]


def make_path(path: str) -> None:
    """Makes a folder and those above it that are missing."""
    Path(path).mkdir(parents=True, exist_ok=True)


def remove_empty_folder(path: str) -> bool:
    """Removes a folder that is empty; False if it holds something, True also if it was gone."""
    try:
        Path(path).rmdir()
    except FileNotFoundError:
        return True
    except OSError as problem:
        if problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def remove_tree(path: str) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def list_folder(path: str) -> list[str]:
    """Names in a folder, sorted; none if there is no folder."""
    try:
        return sorted(child.name for child in Path(path).iterdir())
    except FileNotFoundError:
        return []


def links_in(folder: str) -> dict[str, str]:
    """The symbolic links in a folder and where they point to; none if there is no folder."""
    try:
        return {child.name: str(child.readlink()) for child in sorted(Path(folder).iterdir()) if child.is_symlink()}
    except FileNotFoundError:
        return {}


def check_folder(path: str, user: int | None = None, groups: Sequence[int] = ()) -> str | None:
    """What keeps the folder from being used, or None. `user` with `groups` must be able to list and enter it.

    The daemon's own access is asked of the kernel, the other user's is read from the mode bits.
    """
    try:
        found = Path(path).stat()
    except OSError as problem:
        return os.strerror(problem.errno or 0)
    if not stat.S_ISDIR(found.st_mode):
        return "not a folder"
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return "not readable and writable by the daemon"
    if user is not None and not allows(found, user, groups, 0o5):
        return f"not readable by user {user}"
    return None


def allows(found: os.stat_result, user: int, groups: Sequence[int], bits: int) -> bool:
    """Whether the mode grants the user all of the bits (4 read, 2 write, 1 enter)."""
    if user == 0:
        return True
    if found.st_uid == user:
        return found.st_mode >> 6 & bits == bits
    if found.st_gid in groups:
        return found.st_mode >> 3 & bits == bits
    return found.st_mode & bits == bits


def direct_block_size(folder: str) -> int:
    """The least that can be written past the page cache: 512 or 4096 bytes; 1 where storage does not tell; 0 for never.

    The probe file is removed.
    """
    probe = Path(folder) / f".probe-{uuid.uuid4()}"
    try:
        file = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DIRECT, 0o600)
        try:
            return next((size for size in (1, 512, BLOCK) if _writes(file, size)), 0)
        finally:
            os.close(file)
    except OSError as problem:
        if problem.errno == errno.EINVAL:
            return 0
        raise
    finally:
        probe.unlink(missing_ok=True)


def _writes(file: int, size: int) -> bool:
    with mmap.mmap(-1, BLOCK) as buffer, memoryview(buffer) as view, view[:size] as piece:
        try:
            return os.pwritev(file, [piece], 0) == size
        except OSError as problem:
            if problem.errno == errno.EINVAL:
                return False
            raise


def files_below(folder: str, user: int | None = None, groups: Sequence[int] = ()) -> list[tuple[str, int, float, bool]]:
    """Path, size, change time and readability by `user` of every file below; without a user, by group or others."""
    found = []
    for parent, _, names in os.walk(folder, onerror=_raise):
        for path in (Path(parent) / name for name in names):
            with suppress(FileNotFoundError):
                seen = path.stat()
                readable = bool(seen.st_mode & 0o044) if user is None else allows(seen, user, groups, 0o4)
                found.append((str(path.relative_to(folder)), seen.st_size, seen.st_ctime, readable))
    return sorted(found)


def list_tree(root: str, without: Sequence[str] = ()) -> list[tuple[str, str, int, int]]:
    """(relative path, kind, size, mode) of everything below, links not followed; folders of `without` are left out."""
    found = []
    for parent, folders, names in os.walk(root, onerror=_raise):
        if parent == root:
            folders[:] = [name for name in folders if name not in without]
        for path in (Path(parent) / name for name in (*folders, *names)):
            with suppress(FileNotFoundError):
                seen = path.lstat()
                kind = _KINDS.get(stat.S_IFMT(seen.st_mode), "other")
                found.append((str(path.relative_to(root)), kind, seen.st_size, stat.S_IMODE(seen.st_mode)))
    return sorted(found)


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


def _raise(problem: OSError) -> None:
    raise problem


OPERATIONS: tuple[Callable[..., Any], ...] = (
    make_folders,
    make_path,
    remove_empty_folder,
    remove_tree,
    list_folder,
    links_in,
    check_folder,
    direct_block_size,
    files_below,
    list_tree,
)
