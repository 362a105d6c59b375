"""Blocking file operations of a task journal: plain functions, so that a worker process can run them.

A folder is written beside its place (`<name>.temp`), the old one is moved away (`<name>.backup`), the new one moved
in, and only then the old one dropped: at any instant one complete folder exists under one of the three names, also
on a disk that loses its power. What is made belongs to whom the journal belongs: hosts of other users write in it, too.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

TEMP = ".temp"
BACKUP = ".backup"
LONGEST = 1 << 20
"""Bytes of one file of a task."""


def read_folders(root: str) -> dict[str, dict[str, bytes]]:
    """Folder name -> file name -> content, of every folder in `root` that can be listed."""
    found = {}
    for entry in os.scandir(root):
        if entry.is_dir(follow_symlinks=False):
            found[entry.name] = {
                file.name: Path(file).read_bytes() for file in os.scandir(entry.path) if _is_ours(file)
            }
    return found


def _is_ours(file: "os.DirEntry[str]") -> bool:
    """Other hosts write here, too: a link is not followed, and what no host writes is not read."""
    return file.is_file(follow_symlinks=False) and file.stat(follow_symlinks=False).st_size <= LONGEST


def write_folder_atomically(folder: str, files: Mapping[str, bytes]) -> None:
    """Replaces the whole folder. On return the swap is on disk; an error leaves the old folder readable."""
    temp, backup = folder + TEMP, folder + BACKUP
    _drop(temp)
    try:
        journal = Path(folder).parent.stat()
        Path(temp).mkdir()
        Path(temp).chmod(0o755)
        give(temp, journal)
        _write({Path(temp) / name: content for name, content in files.items()}, journal)
        _sync(Path(temp))
    except OSError:
        _drop(temp)
        raise
    _drop(backup)
    try:
        Path(folder).rename(backup)
    except FileNotFoundError:
        pass  # the first save
    Path(temp).rename(folder)
    _sync(Path(folder).parent)
    _drop(backup)


def remove_folder(folder: str) -> None:
    """Removes it under all three names; nothing there is fine."""
    for name in (folder + BACKUP, folder + TEMP, folder):
        _drop(name)
    _sync(Path(folder).parent)


def give(place: str | int, like: os.stat_result) -> None:
    """Gives a path or an open file the owner of another one, if that is another user's and allowed."""
    if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(place, like.st_uid, like.st_gid)


def _write(files: Mapping[Path, bytes], like: os.stat_result) -> None:
    """All are on their way to the disk before the first is waited for, so that one wait is nearly enough for all."""
    with ExitStack() as opened:
        written = [opened.enter_context(path.open("wb")) for path in files]
        for file, content in zip(written, files.values(), strict=True):
            os.fchmod(file.fileno(), 0o644)
            give(file.fileno(), like)
            file.write(content)
            file.flush()
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # begins to write back
        for file in written:
            os.fsync(file.fileno())


def _drop(folder: str) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


OPERATIONS = {function.__name__: function for function in (read_folders, write_folder_atomically, remove_folder)}
