"""First process in the namespace of a private libvirtd: starts it, buries the dead, ends all when its owner does.

    python supervisor.py PROGRAM [ARGUMENT...]

Standard input is a UNIX socket whose other end the owner holds. For each byte that comes, PROGRAM is started and a
pidfd of it goes back: that is proof of who it is, in any pid namespace, and cannot become a stranger's. When the socket
ends, because the owner closed it or died in whatever way, every descendant is killed.

libvirt detaches its guests, and waits for a killed guest's pid to vanish before it calls it destroyed. Not every PID 1
buries orphans at once; here they come to us (PR_SET_CHILD_SUBREAPER), and we do.
"""

import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
NO_INPUT = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)


def supervise(owner: socket.socket, command: Sequence[str]) -> None:
    """Comes back when the owner is gone."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([owner, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            bury()
        if owner in ready:
            if not owner.recv(1):
                return
            child = os.pidfd_open(os.posix_spawnp(command[0], list(command), os.environ, file_actions=[NO_INPUT]))
            socket.send_fds(owner, [b"!"], [child])
            os.close(child)


def bury() -> None:
    """Takes in every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_descendants() -> None:
    """Kills our children until there are none; those of a dead child become ours.

    A child's pid is nobody else's before we bury it, so no stranger can be hit, provided that /proc counts pids as we
    do: where it shows another pid namespace nothing is killed here.
    """
    if os.readlink("/proc/self") != str(os.getpid()):
        return
    children = Path("/proc/thread-self/children")
    while pids := children.read_text().split():
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        os.wait()


def main(command: Sequence[str]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        supervise(socket.socket(fileno=0), command)
    except ConnectionError:
        pass
    finally:
        end_descendants()


if __name__ == "__main__":
    main(sys.argv[1:])
