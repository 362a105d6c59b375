"""The process that sanlock knows as the owner of this host's leases in one domain.

    python -P holder.py WRITERS

Standard input is a socket to the daemon, WRITERS the descriptor of the read end of the writers' pipe. It says "ready"
when sanlock has registered it, "lost" when sanlock wants its leases back, "error" with a number and a text when it
cannot begin. Any byte from the daemon ends it. When the daemon dies it stays until the last writer has gone.

Two processes share the connection to sanlock, for that is what sanlock watches. SIGKILL can end one of them only: the
other keeps the connection, and so the leases, until it is told to go or nobody writes any more.
"""

import os
import select
import signal
import socket
import sys

from virgate_plugins.leases.sanlock_programs.registering import registered


def main() -> None:
    line, writers = socket.socket(fileno=0), int(sys.argv[1])
    connection = registered(line)
    if connection is None:
        return
    signal.signal(signal.SIGTERM, lambda *_: line.send(b"lost\n", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL))
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        line.sendall(b"ready\n")
    stay(line, writers)
    os.close(connection)


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
