"""Leases as sanlock writes them, without sanlock: one host that plays fair."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from virgate import hookimpl
from virgate.hookspecs.leases import LeaseOwner
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.formats import lvb, sanlock
from virgate_plugins.leases.local import LocalLease

MIB = 1 << 20
VALUE = 2002 * 512


class WrittenLease(LocalLease):
    """Leases as sanlock writes them; `held` says who holds which."""

    volume_leases = True
    held_by: ClassVar[dict[str, LeaseOwner]] = {}
    others: ClassVar[list[Callable[[str], Awaitable[None]]]] = []
    steps: ClassVar[list[tuple[str, str]]] = []

    def fresh(self, name):
        return sanlock.resource(self._space.domain, name, 512, MIB)[:1024]

    async def write_other(self, lease, name):
        self.steps.append(("write", name))
        put(lease.path, lease.offset, sanlock.resource(self._space.domain if name else "", name, 512, MIB))

    async def change_value(self, lease, change):
        if lease.name in self.held_by:
            raise LeaseNotAcquired(self._space.domain, "it is held")
        put(lease.path, lease.offset + VALUE, change(get(lease.path, lease.offset + VALUE, lvb.SIZE)))

    async def inquire_other(self, lease):
        return self.held_by.get(lease.name)

    async def acquire_other(self, lease):
        if lease.name in self.held_by:
            raise LeaseNotAcquired(self._space.domain, "it is held")
        self.steps.append(("take", lease.name))
        self.held_by[lease.name] = LeaseOwner(1, 1)

    def when_others_lost(self, tell):
        self.others.append(tell)
        return lambda: self.others.remove(tell)

    async def release_other(self, lease):
        self.steps.append(("give", lease.name))
        self.held_by.pop(lease.name, None)


class Plugin:
    __name__ = "written leases"

    @hookimpl(tryfirst=True)
    def lease_manager(self, name: str) -> type[LocalLease]:
        return WrittenLease


def put(path: Path, offset: int, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY)
    os.pwrite(file, data, offset)
    os.close(file)


def get(path: Path, offset: int, length: int) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.pread(file, length, offset)
    finally:
        os.close(file)
