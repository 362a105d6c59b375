"""The lock of a domain that only this host sees: flock on its `ids` file (spec storage-format 5.6).

The kernel drops it with the process, however that ends. The lock must be the daemon's own and not a helper's, which
may be replaced; opening a file of a local file system does not wait.
"""

import fcntl
import os
from collections.abc import Callable
from typing import ClassVar

from virgate import hookimpl
from virgate.hookspecs.leases import LeaseManager, LeaseOwner, LeasePlace, LeaseSpace
from virgate.node.storage.errors import HostIdNotAcquired, LeaseNotAcquired


class LocalLease:
    """One host id per process; the version is always 0."""

    volume_leases: ClassVar[bool] = False

    def __init__(self, space: LeaseSpace) -> None:
        self._space = space
        self._host: int | None = None
        self._file: int | None = None

    @property
    def joined(self) -> int | None:
        return self._host

    @property
    def held(self) -> bool:
        return self._file is not None

    async def initialize(self) -> None:
        """The file stays empty: only its name is locked."""

    async def join(self, host: int) -> None:
        if self._host not in (None, host):
            raise HostIdNotAcquired(self._space.domain, host, f"this host is {self._host} there")
        self._host = host

    async def leave(self) -> None:
        self._host = None

    async def lives(self, host: int) -> bool:
        """Other hosts do not see the domain."""
        return host == self._host

    async def acquire(self) -> None:
        if self._file is not None:
            return
        if self._host is None:
            raise LeaseNotAcquired(self._space.domain, "this host has no id there")
        try:
            # Whoever can write to the folder may have put a pipe there, which would wait for a writer, or a link.
            file = os.open(self._space.ids, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as problem:
            raise LeaseNotAcquired(self._space.domain, problem.strerror or "not readable") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(file)
            raise LeaseNotAcquired(self._space.domain, problem.strerror or "it is locked") from None
        self._file = file

    async def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def inquire(self) -> LeaseOwner | None:
        """Another process that holds it has no number here; it is told as host 0."""
        if self._file is not None:
            return LeaseOwner(self._host or 0, 0)
        return None

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """The kernel takes no lock away from a process that lives."""

    def fresh(self, name: str) -> bytes:
        return b""

    async def acquire_other(self, lease: LeasePlace) -> None:
        """Only this host sees the domain: nobody else could take it."""

    async def release_other(self, lease: LeasePlace) -> None:
        """Nothing was taken."""

    async def inquire_other(self, lease: LeasePlace) -> LeaseOwner | None:
        return None


@hookimpl
def lease_manager(name: str) -> type[LeaseManager] | None:
    return LocalLease if name == "local" else None
