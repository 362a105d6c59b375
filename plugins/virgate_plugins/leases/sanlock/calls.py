"""What worker processes ask of sanlock through its Python binding: plain blocking functions.

The binding's own errors travel as OSError: its number (sanlock's own are below -200), and what failed and why.
Text that can be told to an administrator is made in `reasons.py`.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOT_INSTALLED = -1
SOCKET = "/run/sanlock/sanlock.sock"
GUARD = b"/sanlock_programs/guard.py"
LIVE = 3
FREE = (2, 5)
"""States of a host that holds nothing any more: free, dead."""
NO_LEASE = (-223, -224, -225, -226)
"""What reading answers where there is no lease of that name: wrong magic, version, lockspace or resource."""


def _call(name: str, *arguments: Any, **options: Any) -> Any:
    try:
        import sanlock
    except ImportError as problem:
        raise OSError(NOT_INSTALLED, str(problem)) from None
    try:
        return getattr(sanlock, name)(*arguments, **options)
    except sanlock.SanlockException as problem:
        number, what, why = problem.args
        if number == errno.ENOENT and not Path(SOCKET).exists():  # and not a file of the domain
            number = errno.ECONNREFUSED
        raise OSError(number, f"{what}: {why}") from None


def make(space: str, ids: str, leases: str, name: str, sector: int, align: int, io_timeout: int) -> None:
    """An empty lockspace, and a free lease in the slot of the SPM."""
    _call("write_lockspace", space.encode(), ids, offset=0, iotimeout=io_timeout, align=align, sector=sector)
    _call("write_resource", space.encode(), name.encode(), [(leases, align)], align=align, sector=sector)


def write(space: str, name: str, path: str, offset: int, sector: int, align: int) -> None:
    """A free lease in place of whatever was there."""
    _call("write_resource", space.encode(), name.encode(), [(path, offset)], align=align, sector=sector)


def begin_join(space: str, host: int, ids: str, io_timeout: int) -> None:
    """Comes back at once; `joined` tells how it goes."""
    try:
        _call("add_lockspace", space.encode(), host, ids, offset=0, iotimeout=io_timeout, wait=False)
    except OSError as problem:
        if problem.errno not in (errno.EEXIST, errno.EINPROGRESS):
            raise


def joined(space: str, host: int, ids: str) -> bool | None:
    """None while sanlock joins or leaves."""
    answer: bool | None = _call("inq_lockspace", space.encode(), host, ids, offset=0, wait=False)
    return answer


def begin_leave(space: str, host: int, ids: str) -> None:
    """EBUSY while somebody holds a lease there: nobody is killed for it."""
    try:
        _call("rem_lockspace", space.encode(), host, ids, offset=0, wait=False, unused=True)
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.ENOSPC, errno.EINPROGRESS):
            raise


def held_by(holder: int) -> list[list[Any]]:
    """[lockspace, name, version, [[path, offset], ...]] of each lease that the process holds. Touches no storage."""
    return [
        [
            _text(found["lockspace"]),
            _text(found["resource"]),
            found["version"],
            [[_text(p), o] for p, o in found["disks"]],
        ]
        for found in _call("inquire", pid=holder)
    ]


def acquire(space: str, name: str, path: str, offset: int, holder: int, value: bool) -> None:
    try:
        _call("acquire", space.encode(), name.encode(), [(path, offset)], pid=holder, lvb=value)
    except OSError as problem:
        if problem.errno != errno.EEXIST:  # an earlier call of ours whose answer was lost
            raise


def release(space: str, name: str, path: str, offset: int, holder: int) -> None:
    try:
        _call("release", space.encode(), name.encode(), [(path, offset)], pid=holder)
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.EPERM):  # not held (any more)
            raise


def release_guarded(space: str, name: str, path: str, offset: int, machine: str) -> None:
    """Takes a lease from whatever process guards the machine's disks; it may have been begun by an earlier daemon."""
    for guard in _guards(machine):
        try:
            release(space, name, path, offset, guard)
        except OSError as problem:
            if problem.errno != errno.ESRCH:  # a twin, which sanlock does not know
                raise


def _guards(machine: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if machine.encode() in words and any(word.endswith(GUARD) for word in words):
                found.append(int(entry.name))
    return found


def read_value(space: str, name: str, path: str, offset: int, size: int) -> bytes:
    """The lease must be held, taken with its value."""
    answer: bytes = _call("get_lvb", space.encode(), name.encode(), [(path, offset)], size)
    return answer


def write_value(space: str, name: str, path: str, offset: int, data: bytes) -> None:
    """Others see it when the lease is released."""
    _call("set_lvb", space.encode(), name.encode(), [(path, offset)], data)


def owner(space: str, name: str, path: str, offset: int, sector: int, align: int) -> list[int] | None:
    """[host, version] of who holds a lease (spec storage-format 5.3); None for a free one, and where there is none."""
    try:
        found = _call("read_resource", path, offset, align=align, sector=sector)
    except OSError as problem:
        if problem.errno in NO_LEASE:
            return None
        raise
    if _text(found["resource"]) != name or _text(found["lockspace"]) != space:
        return None
    for host in _call(
        "read_resource_owners", space.encode(), name.encode(), [(path, offset)], align=align, sector=sector
    ):
        if _holds(space, host["host_id"], host["generation"]):
            return [host["host_id"], found["version"]]
    return None


def lives(space: str, host: int) -> bool:
    """Whether sanlock here has seen the host renew its id lately. Who has not joined, or has this very moment, cannot
    know."""
    try:
        return any(seen["flags"] == LIVE for seen in _call("get_hosts", space.encode(), host))
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOSPC, errno.EAGAIN):
            return False
        raise


def _holds(space: str, host: int, generation: int) -> bool:
    """Whether the host lives, and since before it took the lease. Who has not joined, or has this very moment (EAGAIN),
    cannot know; then it does."""
    try:
        known = _call("get_hosts", space.encode(), host)
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOSPC, errno.EAGAIN):
            return True
        raise
    return all(seen["generation"] == generation and seen["flags"] not in FREE for seen in known)


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


OPERATIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        make,
        write,
        begin_join,
        joined,
        begin_leave,
        held_by,
        acquire,
        release,
        release_guarded,
        read_value,
        write_value,
        owner,
        lives,
    )
}
