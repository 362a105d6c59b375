"""Finds the OVF in an OVA: a folder, a zip or a tar. Plain blocking functions of a helper process.

Nothing is ever unpacked to a disk, and nothing outside the archive is looked at: one entry is read, and that within
limits, so names that lead out of the archive, links and bombs come to nothing.
"""

import errno
import os
import resource
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

LONGEST = 4 << 20
"""Bytes of an OVF; real ones have some ten thousand."""
ENTRIES = 10_000
"""Entries of an archive that are looked at."""
CATALOGUE = 64 << 20
"""Bytes of the list of contents of a zip, which is read as a whole."""

MEMORY = 1 << 30
"""Bytes that the helper may address: an archive may say that one of its headers is as long as the whole of it."""

BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError),
    *(OverflowError, IndexError, MemoryError),
)
"""What reading nonsense ends with."""

Found = list[Any]
"""What a helper answers: the kind (dir, zip, tar), the name of the OVF, its bytes."""


def find_ovf(path: str) -> Found:
    """OSError for what is not there; an empty kind, and the reason in the place of the name, for what is no OVA."""
    try:
        if stat.S_ISDIR(Path(path).stat().st_mode):
            return ["dir", *_in_folder(path)]
        with _open(path) as file:
            if zipfile.is_zipfile(file):
                return ["zip", *_in_zip(file)]
            file.seek(0)
            return ["tar", *_in_tar(file)]
    except BROKEN as problem:
        return ["", str(problem) or type(problem).__name__, b""]
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # a list of contents that points before the beginning
            raise
        return ["", "its list of contents is nonsense", b""]


def _open(path: str | Path, flags: int = 0) -> IO[bytes]:
    """A regular file; a pipe would make the helper wait for ever."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("it is neither a file nor a folder")
    return file


def _in_folder(path: str) -> tuple[str, bytes]:
    """A link is not followed: it could show any file of this host."""
    for name in sorted(os.listdir(path))[:ENTRIES]:  # noqa: PTH208
        if name.lower().endswith(".ovf"):
            with _open(Path(path) / name, os.O_NOFOLLOW) as file:
                return name, _whole(file)
    raise ValueError("no file in the folder ends in .ovf")


def _in_zip(file: IO[bytes]) -> tuple[str, bytes]:
    if os.fstat(file.fileno()).st_size > CATALOGUE and _catalogue(file) > CATALOGUE:
        raise ValueError("its list of contents is too long")
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist()[:ENTRIES]:
            if entry.filename.lower().endswith(".ovf"):
                with archive.open(entry) as inside:
                    return entry.filename, _whole(inside)
    raise ValueError("no entry ends in .ovf")


def _catalogue(file: IO[bytes]) -> int:
    """Bytes of the list at the end of a zip, by its last record."""
    file.seek(-min(os.fstat(file.fileno()).st_size, 65_557), os.SEEK_END)
    tail = file.read()
    place = tail.rfind(b"PK\5\6")
    return int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0


def _in_tar(file: IO[bytes]) -> tuple[str, bytes]:
    """Uncompressed, as the standard wants it: a compressed one would have to be read as a whole."""
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for number, entry in enumerate(archive):
            if entry.name.endswith(".ovf") and entry.isreg():
                inside = archive.extractfile(entry)
                assert inside is not None
                return entry.name, _whole(inside)
            archive.members = []  # type: ignore[attr-defined]  # it would remember them all
            if number >= ENTRIES:
                break
    raise ValueError("no entry ends in .ovf")


def _whole(file: IO[bytes]) -> bytes:
    data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError(f"its description is longer than {LONGEST} bytes")
    return data


def find_ovf_within_limits(path: str) -> Found:
    """For a process of its own: its memory stays bounded from now on."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    return find_ovf(path)


OPERATIONS: dict[str, Callable[..., Any]] = {"find_ovf": find_ovf_within_limits}
