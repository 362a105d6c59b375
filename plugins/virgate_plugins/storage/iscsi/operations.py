"""What a helper process of this plugin does: waits for networks and name servers, reads sessions, writes records."""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from virgate.node.storage.operations.disks import multipathd_runs, scan_sessions
from virgate_plugins.storage.iscsi.records import ROOTS, changed

CAUSES = {
    errno.ECONNREFUSED: "the portal refuses connections; is the port right, does the server run?",
    errno.EHOSTUNREACH: "no route to the portal",
    errno.ENETUNREACH: "no route to the portal's network",
    errno.ETIMEDOUT: "the portal does not answer",
}


def addresses(host: str) -> list[str]:
    """The addresses of a portal, none if the name is not known."""
    with suppress(socket.gaierror):
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    return []


def obstacle(host: str, port: int, seconds: float) -> str:
    """Why no connection can be made to the portal; empty if it can."""
    try:
        socket.create_connection((host, port), seconds).close()
    except socket.gaierror as problem:
        return f"the name of the portal is not known: {problem.strerror}"
    except TimeoutError:
        return CAUSES[errno.ETIMEDOUT]
    except OSError as problem:
        return CAUSES.get(problem.errno or 0, problem.strerror or "no connection")
    return ""


def sessions() -> dict[str, dict[str, str]]:
    """All sessions with their passwords, to compare."""
    return scan_sessions(secrets=True)


def change_record(name: str, values: dict[str, str], roots: tuple[str, ...] = ROOTS) -> str:
    """Answers what the record said before. The new one has no moment in which others could read it."""
    root = _root(name, roots)
    before = (root / name).read_text()
    _write(root, name, changed(before, values))
    return before


def restore_record(name: str, text: str, roots: tuple[str, ...] = ROOTS) -> None:
    with suppress(FileNotFoundError):
        _write(_root(name, roots), name, text)


def has_record(name: str, roots: tuple[str, ...] = ROOTS) -> bool:
    return any(Path(root, name).is_file() for root in roots)


def _root(name: str, roots: tuple[str, ...]) -> Path:
    for root in roots:
        if Path(root, name).is_file():
            return Path(root)
    raise FileNotFoundError(errno.ENOENT, "iscsiadm left no record", name)


def _write(root: Path, name: str, text: str) -> None:
    fresh = root / f".virgate-{os.getpid()}"  # iscsiadm takes every file beside a record for one
    fresh.unlink(missing_ok=True)
    try:
        with open(fresh, "w", opener=_private) as file:
            file.write(text)
        fresh.replace(root / name)
    finally:
        fresh.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "addresses": addresses,
    "obstacle": obstacle,
    "sessions": sessions,
    "change_record": change_record,
    "restore_record": restore_record,
    "has_record": has_record,
    "multipathd_runs": multipathd_runs,
}
