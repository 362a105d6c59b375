"""Whose process is whose: what lives in a namespace of a private libvirtd, and killing only that.

Tests run as root on machines where others work too; an earlier version once killed bystanders. Who changes this prints
the list first, before anything is sent a signal.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PLACES = {
    "run": "/run/libvirt",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
}


class NotApart(Exception):
    """A folder's mounts are seen where they should not be: whose processes are whose cannot be told. None is killed."""


class NotEnded(Exception):
    """Killed processes are still there."""


def processes_of(root: Path) -> list[int]:
    """Every process that lives in a namespace made for `root`: daemons, guests, helpers.

    Such a process finds our very folder at /run/libvirt, and lives in another mount namespace than we do. Both are
    asked: no name, no pid file and no path that merely looks alike may ever put a stranger on this list. Should we find
    the folder's mounts in our own namespace, or one of our ancestors among those found, the mounts leaked to the
    machine and the rule proves nothing: NotApart.
    """
    try:
        mine = (root.absolute() / "run").stat()
    except FileNotFoundError:
        return []
    for name, place in PLACES.items():
        with contextlib.suppress(OSError):
            if os.path.samefile(root / name, place):
                raise NotApart(f"{root / name} is seen at {place} by everybody: `umount {place}` first")
    our_namespace = Path("/proc/self/ns/mnt").readlink()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                apart = (entry / "ns/mnt").readlink() != our_namespace
                if apart and os.path.samestat(mine, Path(f"{entry}/root{PLACES['run']}").stat()):
                    found.append(int(entry.name))
    if strangers := own_line().intersection(found):
        raise NotApart(f"{root / 'run'} is seen at {PLACES['run']} by processes {sorted(strangers)}, which started us")
    return found


def own_line() -> set[int]:
    """This process, its parent, that one's parent ... and process 1."""
    pid, line = os.getpid(), {1}
    while pid and pid not in line:
        line.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return line


def end_processes(root: Path, patience: float = 10.0) -> None:
    """Kills what `processes_of` finds until nothing is found."""
    if left := kill_found(lambda: processes_of(root), patience):
        raise NotEnded(f"processes {left} of {root} do not end")


def kill_found(find: Callable[[], Iterable[int]], patience: float = 10.0) -> list[int]:
    """Kills what `find` finds until it finds nothing, or patience ends: returns what is left then.

    A pid may become a stranger's between finding and killing. So each is taken hold of, found once more, and only then
    killed by that hold: what it holds was there when we looked the second time, or is dead.
    """
    deadline = time.monotonic() + patience
    while found := set(find()):
        with contextlib.ExitStack() as ends:
            held = {}
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    held[pid] = os.pidfd_open(pid)
                    ends.callback(os.close, held[pid])
            for pid in held.keys() & set(find()):
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(held[pid], signal.SIGKILL)
        if time.monotonic() > deadline:
            return sorted(found)
        time.sleep(0.02)
    return []
