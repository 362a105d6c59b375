"""Images and volumes of a file domain: a folder per image, a volume is data, `.meta` and perhaps `.lease`."""

import errno
import fnmatch
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from virgate.node.storage.formats.removal import REMOVED
from virgate.node.storage.operations.files import (
    Owner,
    dress,
    open_new,
    read_files,
    remove_files,
    sync_folder,
    write_file,
)

NO_FILE = (errno.ELOOP, errno.EFBIG, errno.ENODEV, errno.ENXIO, errno.EISDIR)

Found = tuple[bytes | None, int, int]
"""Metadata of a volume (None if it has none), size of its data (-1 if it has none), bytes they occupy."""


def survey_image(images: str, image: str) -> dict[str, Found]:
    """Every volume in the image's folder. Raises FileNotFoundError without a folder."""
    folder = Path(images) / image
    names = {path.name.partition(".")[0] for path in folder.iterdir()}
    return {name: _look(folder / name) for name in sorted(names) if _is_volume(name)}


def survey_everything(images: str) -> dict[str, dict[str, Found]]:
    """Every image with its volumes; images being deleted are left out, and one that goes meanwhile."""
    found = {}
    for folder in _image_folders(images):
        with suppress(FileNotFoundError):
            found[folder.name] = survey_image(images, folder.name)
    return found


def _is_volume(name: str) -> bool:
    return fnmatch.fnmatchcase(name, "*-*-*-*-*") and not name.startswith(REMOVED)


def _look(path: Path) -> Found:
    """What is no file of its own, a link above all, counts as damaged metadata and as data that are gone."""
    try:
        metadata = read_files([f"{path}.meta"])[0]
    except OSError as problem:
        if problem.errno not in NO_FILE:
            raise
        metadata = b""
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return metadata, -1, 0
    if not stat.S_ISREG(seen.st_mode):
        return metadata, -1, 0
    return metadata, seen.st_size, seen.st_blocks * 512


def survey_images(images: str) -> dict[str, list[str]]:
    """Every image folder with the names of the volumes that have metadata in it; images being deleted are left out."""
    return {folder.name: _volumes(folder) for folder in _image_folders(images)}


def _image_folders(images: str) -> Iterator[Path]:
    for path in sorted(Path(images).iterdir()):
        if fnmatch.fnmatchcase(path.name, "*-*-*-*-*") and not path.name.startswith(REMOVED) and path.is_dir():
            yield path


def _volumes(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        names = (path.name for path in folder.iterdir())
        return sorted(name[: -len(".meta")] for name in names if name.endswith(".meta") and _is_volume(name))
    return []


def images_with(images: str, volume: str) -> list[str]:
    """The images whose folder holds the volume: one for its own, more for a template in use."""
    return [folder.name for folder in _image_folders(images) if os.path.lexists(folder / f"{volume}.meta")]


def link_volume(source: str, target: str) -> None:
    """Hard-links data, metadata and lease of a volume into another image's folder, replacing what is there."""
    for ending in ("", ".lease", ".meta"):
        temporary = Path(f"{target}{ending}.link")
        temporary.unlink(missing_ok=True)
        try:
            temporary.hardlink_to(f"{source}{ending}")
        except FileNotFoundError:
            if ending != ".lease":
                raise
            continue
        temporary.replace(f"{target}{ending}")
        temporary.unlink(missing_ok=True)  # replacing one link to a file by another leaves both
    sync_folder(Path(target).parent)


def reserve_volume(path: str, size: int = 0, owner: Owner = None, pieces: Sequence[tuple[int, bytes]] = ()) -> None:
    """Makes the data file of a new volume: `size` bytes with these pieces in it, the rest a hole.

    FileExistsError if there is one.
    """
    with Path(path).open("xb") as file:
        dress(file.fileno(), 0o660, owner)
        for offset, data in pieces:
            os.pwrite(file.fileno(), data, offset)
        os.ftruncate(file.fileno(), size)


def measure_volume(path: str) -> tuple[int, int]:
    """Size of the data, bytes they occupy."""
    seen = Path(path).stat()
    return seen.st_size, seen.st_blocks * 512


def open_to_group(images: str, image: str) -> None:
    """Gives the group of every volume what its owner may do: guests run as another user of that group."""
    for path in (Path(images) / image).iterdir():
        mode = path.lstat().st_mode
        if path.suffix == ".meta" or not stat.S_ISREG(mode):
            continue
        if (wanted := mode | mode >> 3 & 0o070) != mode:
            path.chmod(wanted & 0o7777)


Lease = tuple[bytes, int]
"""The beginning of a lease file, and its size; zeros follow."""


def commit_volume(path: str, metadata: bytes, lease: Lease | None = None, owner: Owner = None) -> None:
    """Makes a volume whose data are written lasting: data, its lease file, the metadata last."""
    with Path(path).open("rb") as file:
        os.fsync(file.fileno())
    if lease is not None:
        write_lease(path, lease, owner)
    write_file(f"{path}.meta", metadata, 0o644, owner)


def write_lease(path: str, lease: Lease, owner: Owner = None) -> None:
    """A free lease for the volume at `path`, in place of whatever was there; lasting when this comes back."""
    data, size = lease
    temporary = Path(f"{path}.lease.new")
    with open_new(temporary) as file:
        dress(file.fileno(), 0o660, owner)
        file.write(data)
        file.truncate(size)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(f"{path}.lease")


def grow_volume(path: str, size: int) -> int:
    """Raises a raw volume's size, never lowers it; answers the size it has."""
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        current = os.fstat(file).st_size
        if size > current:
            os.ftruncate(file, size)
            os.fsync(file)
        return max(size, current)
    finally:
        os.close(file)


def remove_volume(path: str) -> None:
    """Removes a volume's files, the metadata last: a half removed volume is still known."""
    remove_files([path, f"{path}.lease.new", f"{path}.lease", f"{path}.meta.new", f"{path}.meta"])


def rename_volume(source: str, target: str) -> None:
    """Renames metadata, lease and data, the metadata last."""
    for ending in ("", ".lease", ".meta"):
        with suppress(FileNotFoundError):
            Path(f"{source}{ending}").rename(f"{target}{ending}")
    sync_folder(Path(target).parent)


def delete_image(images: str, image: str) -> None:
    """Takes the image out of sight in one step, then removes its files."""
    hidden = Path(images) / (REMOVED + image)
    with suppress(FileNotFoundError):
        shutil.rmtree(hidden)
    (Path(images) / image).rename(hidden)
    sync_folder(Path(images))
    shutil.rmtree(hidden)


def remove_garbage(images: str, volumes: bool = False) -> list[str]:
    """Finishes deletions of images, or also of `volumes`, that were interrupted; answers the names that were found."""
    found = [path for path in sorted(Path(images).iterdir()) if path.name.startswith(REMOVED)]
    for path in found:
        with suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if volumes:
        left = [path for folder in _image_folders(images) for path in sorted(folder.iterdir()) if _is_removed(path)]
        remove_files([str(path) for path in left])
        found += left
    return [path.name for path in found]


def _is_removed(path: Path) -> bool:
    return path.name.startswith(REMOVED) and not path.is_dir()


OPERATIONS: tuple[Callable[..., Any], ...] = (
    survey_image,
    survey_everything,
    survey_images,
    images_with,
    link_volume,
    reserve_volume,
    measure_volume,
    open_to_group,
    commit_volume,
    write_lease,
    grow_volume,
    remove_volume,
    rename_volume,
    delete_image,
    remove_garbage,
)
