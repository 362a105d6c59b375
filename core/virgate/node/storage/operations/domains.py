"""Domain trees: found, laid out, looked at; and the machines kept in a domain's `master/vms`."""

import fnmatch
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from virgate.node.storage.operations.files import Owner, dress, read_file, sync_folder, write_file
from virgate.node.storage.operations.folders import make_folders
from virgate.node.tasks.folders import give

LONGEST_OVF = 32 << 20


def find_domains(mount: str) -> list[tuple[str, bytes | None]]:
    """The folders of a mount that look like a domain, sorted, each with its metadata (None: not readable)."""
    found: list[tuple[str, bytes | None]] = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted(Path(mount).iterdir()):
            if path.name != "master" and fnmatch.fnmatchcase(path.name, "*-*-*-*-*") and (path / "dom_md").is_dir():
                try:
                    found.append((path.name, read_file(str(path / "dom_md" / "metadata"))))
                except OSError:
                    found.append((path.name, None))
    return found


def anything_there(mount: str) -> bool:
    """Whether some folder directly under the mount holds a `dom_md`, whatever its name."""
    return any((path / "dom_md").exists() for path in Path(mount).iterdir())


def lay_out_domain(root: str, folders: Sequence[str], files: Sequence[tuple[str, int]], owner: Owner = None) -> None:
    """Makes a domain's tree without metadata: they say that it is complete. A failure leaves nothing behind."""
    base = Path(root)
    try:
        make_folders([root, *(str(base / name) for name in folders)], 0o755, owner)
        for name, size in files:
            with (base / name).open("xb") as file:
                dress(file.fileno(), 0o660, owner)
                os.ftruncate(file.fileno(), size)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


def check_domain(root: str) -> dict[str, Any]:
    """One look at a domain's health: seconds for a direct read of its metadata, the metadata, and its space."""
    space = os.statvfs(root)
    started = time.monotonic()
    metadata = read_file(str(Path(root) / "dom_md" / "metadata"))
    return {
        "delay": time.monotonic() - started,
        "metadata": metadata,
        "total": space.f_frsize * space.f_blocks,
        "free": space.f_frsize * space.f_bavail,
    }


def copy_master(source: str, target: str) -> None:
    """Makes `target` hold what `source` holds: the machines and the journal of a pool move to another domain.

    All of it belongs to whom the target belongs, and is lasting when this comes back: the source is emptied next.
    """
    empty_master(target)
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lost+found"))
    owner = Path(target).stat()
    for folder, folders, names in os.walk(target):
        for name in (*folders, *names):
            if not (Path(folder) / name).is_symlink():
                give(str(Path(folder) / name), owner)
        for name in names:
            _sync_file(Path(folder) / name)
        sync_folder(Path(folder))


def _sync_file(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def empty_master(folder: str) -> None:
    """Removes what is kept in `vms` and `tasks`."""
    for room in ("vms", "tasks"):
        with suppress(FileNotFoundError):
            for path in (Path(folder) / room).iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def store_machine(folder: str, machine: str, ovf: bytes, owner: Owner = None) -> None:
    """Keeps a machine's OVF as the only file of its folder, replacing what was there."""
    place = Path(folder) / machine
    make_folders([str(place)], 0o755, owner)
    for other in place.iterdir():
        if other.name != f"{machine}.ovf" and not other.is_dir():
            other.unlink()
    write_file(str(place / f"{machine}.ovf"), ovf, 0o644, owner)


def load_machines(folder: str, machines: Sequence[str]) -> dict[str, bytes | None]:
    """The OVF of each named machine that has a folder (all machines if none is named); None without an OVF in it."""
    found: dict[str, bytes | None] = {}
    for name in machines or sorted(place.name for place in Path(folder).iterdir() if place.is_dir()):
        place = Path(folder) / name
        if place.is_dir():
            ovf = place / f"{name}.ovf"
            found[name] = read_file(str(ovf), LONGEST_OVF) if os.path.lexists(ovf) else None
    return found


OPERATIONS: tuple[Callable[..., Any], ...] = (
    find_domains,
    anything_there,
    lay_out_domain,
    check_domain,
    copy_master,
    empty_master,
    store_machine,
    load_machines,
)
