"""What remains of a lab: found by the lab's name and folder, never by a program's name.

A process belongs to a lab when its environment carries the lab's mark, or when it is one of a private libvirtd of the
lab (QEMU's environment is libvirt's own). Nothing else makes it ours.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lab.owned import kill_found, own_line, processes_of
from lab.process import MARK, run

BASE = Path("/tmp")
PREFIX = "virgate-lab-"


def find(name: str) -> list[str]:
    """Everything that remains of the lab, in the operator's words; empty when clean."""
    return [
        *(f"process {pid} ({_comm(pid)})" for pid in processes(name)),
        *(f"network namespace {each}" for each in _namespaces(name)),
        *(f"mount {each}" for each in _mounts(name)),
        *(f"loop device {each}" for each in _loops(name)),
        *(f"folder {each}" for each in [BASE / name] if each.exists()),
    ]


def end(name: str, patience: float = 10.0) -> None:
    """Removes everything that `find` finds."""
    kill_found(lambda: processes(name), patience)
    for namespace in _namespaces(name):
        run(["ip", "netns", "delete", namespace], check=False)
    for target in reversed(_mounts(name)):
        run(["umount", "--lazy", target], check=False)
    for device in _loops(name):
        run(["losetup", "--detach", device], check=False)
    remove_folder(BASE / name)


def sweep() -> list[str]:
    """Ends the labs whose owner is dead; returns their names."""
    swept = []
    for folder in BASE.glob(f"{PREFIX}*"):
        if not _owner_lives(folder):
            end(folder.name)
            swept.append(folder.name)
    return swept


def sign(folder: Path) -> None:
    """Writes down who owns the lab: pid, start time, because pids come again, and the namespace where the pid holds."""
    (folder / "owner").write_text(f"{os.getpid()} {_start_time(os.getpid())} {_pid_namespace()}")


def remove_folder(folder: Path) -> None:
    """Never follows a mount: while one is left below, the folder stays and `find` tells."""
    if not _mounts(folder.name):
        shutil.rmtree(folder, ignore_errors=True)


def processes(name: str) -> Iterator[int]:
    """Whoever is listed here is killed, so the rules are narrow: our mark, or `processes_of` a libvirtd of the lab.

    That a process sees a mount of the lab says nothing: every process of the machine sees what is mounted there.
    """
    mark = f"{MARK}={name}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    for settings in (BASE / name).glob("**/etc/libvirtd.conf"):
        found.update(processes_of(settings.parents[1]))
    yield from sorted(found - own_line())


def _owner_lives(folder: Path) -> bool:
    try:
        pid, started, namespace = (folder / "owner").read_text().split()
    except (OSError, ValueError):  # just being made by another run, or half removed
        return folder.exists() and time.time() - folder.stat().st_mtime < 60
    return namespace != _pid_namespace() or _start_time(int(pid)) == started


def _pid_namespace() -> str:
    return os.readlink("/proc/self/ns/pid")


def _start_time(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return "dead"


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "gone"


def _namespaces(name: str) -> list[str]:
    listed = run(["ip", "netns", "list"]).stdout.splitlines()
    return [line.split()[0] for line in listed if line.startswith(f"{name}-")]


def _mounts(name: str) -> list[str]:
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [target for target in targets if Path(target).is_relative_to(BASE / name)]


def _loops(name: str) -> list[str]:
    listed = run(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"]).stdout.splitlines()
    return [line.split()[0] for line in listed if f" {BASE / name}/" in line]
