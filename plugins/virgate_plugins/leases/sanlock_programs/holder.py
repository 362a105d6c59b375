"""The process that sanlock knows as the owner of this host's leases in one domain.

    python -P holder.py WRITERS

Standard input is a socket to the daemon, WRITERS the descriptor of the read end of the writers' pipe. It says "ready"
when sanlock has registered it, "lost" and why when sanlock wants its leases back, "error" with a number and a text when
it cannot begin. Any byte from the daemon ends it. When the daemon dies it stays until the last writer has gone.

Two processes share the connection to sanlock, for that is what sanlock watches. SIGKILL can end one of them only: the
other keeps the connection, and so the leases, until it is told to go or nobody writes any more.
"""

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from virgate_plugins.leases.sanlock_programs.registering import ended, registered


def main() -> None:
    line, writers = socket.socket(fileno=0), int(sys.argv[1])
    connection = registered(line)
    if connection is None:
        return
    signal.signal(signal.SIGTERM, lambda *_: tell_lost(line, "sanlock could not renew the host id"))
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        line.sendall(b"ready\n")
        watch(line, connection)
    stay(line, writers)
    os.close(connection)


def tell_lost(line: socket.socket, how: str) -> None:
    with suppress(OSError):
        line.send(f"lost {how}\n".encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def watch(line: socket.socket, connection: int) -> None:
    """Comes back when the daemon said something, or has ended. A sanlock that died renews nothing any more."""
    watched: list[Any] = [line, connection]
    while line not in select.select(watched, [], [])[0]:
        if ended(connection):
            tell_lost(line, "sanlock has died")
            return


def stay(line: socket.socket, writers: int) -> None:
    """Comes back when the leases may go. Looks only: what is said must reach the twin as well."""
    select.select([line], [], [])
    try:
        told = line.recv(1, socket.MSG_PEEK)
    except OSError:
        told = b""
    while not told and os.read(writers, 1):
        """Nobody ever writes into that pipe; it only ends."""


if __name__ == "__main__":
    main()
