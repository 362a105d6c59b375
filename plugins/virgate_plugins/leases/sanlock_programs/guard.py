"""The process that holds the leases of one machine's disks in one domain, for as long as its QEMU lives.

    python -P guard.py MACHINE

It is no part of the daemon: that may be restarted or killed meanwhile. Standard input is a socket to the daemon;
"ready" or "error ..." is said there as `holder.py` does. The daemon's first byte means: "s" the guest was started, "x"
it was not. A daemon that dies without a word may have started it, so then, too, QEMU is looked for by the machine's id.

When sanlock wants the leases back it runs `kill -USR1` (SIGTERM is what a stopped service gets): QEMU is killed.
sanlock knows by the connection that it is gone; a twin shares that connection, so that SIGKILL to one process does not
give back what a QEMU stuck in the kernel still uses: then the watchdog resets the host.
"""

import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from virgate_plugins.leases.sanlock_programs.registering import ended, registered

KILL = "/bin/kill"
PATIENCE = 60.0
"""Seconds within which a started guest's QEMU is there."""


class Wish:
    """Whether sanlock wants the leases back."""

    def __init__(self) -> None:
        self.pidfd = -1
        self.said = False
        signal.signal(signal.SIGUSR1, self.hear)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def hear(self, *_: object) -> None:
        self.said = True
        self.obey()

    def obey(self) -> None:
        if self.said and self.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


def main() -> None:
    line, machine, wish = socket.socket(fileno=0), sys.argv[1], Wish()
    connection = registered(line, killpath=(KILL, ["-USR1", str(os.getpid())]))
    if connection is None:
        return
    line.sendall(b"ready\n")
    if told(line) == b"x":
        return
    wish.pidfd = find(machine)
    if wish.pidfd < 0:
        return
    wish.obey()
    if os.fork() == 0:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    else:
        watch(wish, connection)
    select.select([wish.pidfd], [], [])
    os.close(connection)


def watch(wish: Wish, connection: int) -> None:
    """Comes back when the guest has ended, or has to: a sanlock that died renews nothing any more."""
    while wish.pidfd not in select.select([wish.pidfd, connection], [], [])[0]:
        if ended(connection):
            wish.hear()
            return


def told(line: socket.socket) -> bytes:
    try:
        return line.recv(1)
    except OSError:
        return b""


def find(machine: str) -> int:
    """The pidfd of the machine's QEMU; -1 if there is none within the time a start may take."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and runs(entry, machine):
                with suppress(OSError):
                    pidfd = os.pidfd_open(int(entry.name))
                    if runs(entry, machine):  # and its number is not another's by now
                        return pidfd
                    os.close(pidfd)
        time.sleep(0.2)
    return -1


def runs(entry: Path, machine: str) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return (b"-uuid", machine.encode()) in pairwise(words)


if __name__ == "__main__":
    main()
