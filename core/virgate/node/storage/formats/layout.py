"""Where things lie on a domain: alignment, metadata slots, leases, special files and volumes.

Spec storage-format 1.3, 2.2, 2.5, 3.5, 5.3. All results are in bytes unless a name says MiB.
"""

from collections.abc import Iterable

from virgate.errors import InvalidParameter
from virgate.units import MiB

BLOCK_512 = 512
BLOCK_4K = 4096
MAX_HOSTS = 250
HOSTS_LIMIT = 2000

MAILBOX_FILE = 16 * MiB
XLEASES_INDEX = 62 * 4096

SLOT_TEXT = 512
MAX_SLOT = 1947
"""The last metadata slot that has a lease beside it."""

SDM_SLOT = 1
_FIRST_VOLUME_LEASE = 100
_FIRST_VM_LEASE = 3
_V5_BASE, _V5_STRIDE = MiB, 8192
_LEASE_SLOTS, _XLEASE_SLOTS = 2048, 1024


def alignment(block_size: int, max_hosts: int = MAX_HOSTS) -> int:
    """The size of one lease: it must hold a block for every host. InvalidParameter for what no domain can have."""
    if not 1 <= max_hosts <= HOSTS_LIMIT:
        raise InvalidParameter("max_hosts", max_hosts)
    if block_size == BLOCK_512:
        return MiB
    if block_size != BLOCK_4K:
        raise InvalidParameter("block_size", block_size)
    return next(size * MiB for hosts, size in ((250, 1), (500, 2), (1000, 4), (2000, 8)) if max_hosts <= hosts)


def metadata_offset(slot: int, version: int) -> int:
    """Where the 512 bytes of a metadata slot begin in LV `metadata`.

    For version 0 the slot counts from the start of the volume group, see `physical_volumes`.
    """
    return _V5_BASE + slot * _V5_STRIDE if version >= 5 else slot * SLOT_TEXT


def first_slot(version: int) -> int:
    """Slots before it are reserved: there old hosts look for the metadata of a version 0 domain."""
    return 1 if version >= 5 else 4


def free_slot(occupied: Iterable[int], version: int) -> int | None:
    """The lowest slot that no `MD_` tag names; None when there is no lease left for another one."""
    taken = set(occupied)
    free = first_slot(version)
    while free in taken:
        free += 1
    return free if free <= MAX_SLOT else None


def sdm_offset(align: int) -> int:
    """The lease of the SPM in `leases`."""
    return SDM_SLOT * align


def lease_offset(slot: int, align: int) -> int:
    """The lease, in LV `leases`, of the volume whose metadata has `slot`. On file domains a lease is a file."""
    return (_FIRST_VOLUME_LEASE + slot) * align


def vm_lease_offset(record: int, align: int) -> int:
    """The lease of record `record` in `xleases`; the offset stored in the index only informs."""
    return (_FIRST_VM_LEASE + record) * align


def vm_leases(size: int, align: int) -> int:
    """How many leases fit in an `xleases` of `size` bytes."""
    return max(0, size // align - _FIRST_VM_LEASE)


def xleases_file(align: int) -> int:
    """The size of a fresh `xleases` file."""
    return align + XLEASES_INDEX


def special_volumes_mib(version: int, align: int) -> dict[str, int]:
    """Name and size of the special logical volumes, in the order they are made."""
    unit = align // MiB
    sizes = {"metadata": 128, "ids": 8, "inbox": 16, "outbox": 16, "leases": _LEASE_SLOTS * unit}
    if version >= 4:
        sizes["xleases"] = _XLEASE_SLOTS * unit
    return sizes | {"master": 1024}
