"""A second connection, to somebody else's hypervisor, for as long as one look takes. Blocks; used in threads.

It knows no documents: which disks a machine has is told by the caller's function.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import libvirt
from attrs import frozen

from virgate.libvirt.errors import HypervisorFailed

CREDENTIALS = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]

Where = tuple[str, str, str]
"""Of a disk: type (file, block, volume), name, pool."""


@frozen
class Seen:
    """A machine over there; `sizes` holds (capacity, allocation) of those disks that can be read."""

    xml: str
    running: bool
    sizes: dict[Where, tuple[int, int]]
    snapshots: bool | None


@contextmanager
def connected(uri: str, user: str, password: str) -> Iterator[libvirt.virConnect]:
    """Raises HypervisorFailed whatever fails inside, without the password."""

    def answer(asked: list[Any], _: object) -> int:
        for one in asked:
            one[4] = user if one[0] == libvirt.VIR_CRED_AUTHNAME else password
        return 0

    try:
        connection = libvirt.openAuth(uri, [CREDENTIALS, answer, None], 0)
        try:
            yield connection
        finally:
            with suppress(libvirt.libvirtError):
                connection.close()
    except libvirt.libvirtError as problem:
        detail = problem.get_error_message() or str(problem)
        hidden = detail.replace(password, "***") if password else detail
        raise HypervisorFailed(problem.get_error_code() or libvirt.VIR_ERR_INTERNAL_ERROR, hidden) from None


def machines(
    uri: str, user: str, password: str, disks: Callable[[str], Sequence[Where]], wanted: Sequence[str] | None
) -> list[Seen]:
    """All machines, or those of the names `wanted`. One that goes away meanwhile is left out."""
    with connected(uri, user, password) as connection:
        found = []
        for domain in connection.listAllDomains():
            with suppress(libvirt.libvirtError):
                if wanted is None or domain.name() in wanted:
                    found.append(_seen(connection, domain, disks))
        return found


def names(uri: str, user: str, password: str) -> list[str]:
    with connected(uri, user, password) as connection:
        return sorted(str(domain.name()) for domain in connection.listAllDomains())


def _seen(connection: libvirt.virConnect, domain: libvirt.virDomain, disks: Callable[[str], Sequence[Where]]) -> Seen:
    xml = str(domain.XMLDesc(0))
    sizes = {}
    for where in disks(xml):
        size = _size(connection, domain, where)
        if size is not None:
            sizes[where] = size
    return Seen(xml, bool(domain.isActive()), sizes, _has_snapshots(domain))


def _size(connection: libvirt.virConnect, domain: libvirt.virDomain, where: Where) -> tuple[int, int] | None:
    """By its storage pool, else by the machine that has it; drivers know the one or the other."""
    kind, name, pool = where
    if not name:
        return None
    with suppress(libvirt.libvirtError):
        if kind == "volume":
            _, capacity, allocation = connection.storagePoolLookupByName(pool).storageVolLookupByName(name).info()
        else:
            _, capacity, allocation = connection.storageVolLookupByPath(name).info()
        return int(capacity), int(allocation)
    if kind != "volume":
        with suppress(libvirt.libvirtError):
            capacity, allocation, _ = domain.blockInfo(name)
            return int(capacity), int(allocation)
    return None


def _has_snapshots(domain: libvirt.virDomain) -> bool | None:
    """None from drivers that know none."""
    try:
        return bool(domain.snapshotNum(0))
    except libvirt.libvirtError:
        return None
