"""Becoming known to sanlock, and telling the daemon how that went."""

import errno
import os
import socket


def registered(line: socket.socket, killpath: tuple[str, list[str]] | None = None) -> int | None:
    """The connection to sanlock, which must stay open; None if there is none, and the daemon was told why.

    `killpath` is a program, and its arguments, that sanlock runs instead of sending SIGTERM.
    """
    try:
        import sanlock

        connection: int = sanlock.register()
        if killpath is not None:
            sanlock.killpath(*killpath, slkfd=connection)
    except ImportError as problem:
        line.sendall(f"error -1 {problem}\n".encode())
        return None
    except sanlock.SanlockException as problem:
        number, what, why = problem.args
        number = errno.ECONNREFUSED if number == errno.ENOENT else number  # no file is involved but its socket
        line.sendall(f"error {number} {what}: {why}\n".encode())
        return None
    return connection


def ended(connection: int) -> bool:
    """Of a connection on which something happened: whether sanlock is gone."""
    try:
        return not os.read(connection, 1)
    except OSError:
        return True
