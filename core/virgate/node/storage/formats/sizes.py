"""How large the logical volume of a disk is (spec storage-format 2.6). File domains leave that to the file system."""

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat
from virgate.units import MiB, Size

EXTENT = Size.mib(128)
CHUNK = Size.mib(2560)
"""What a thin volume starts with and grows by."""


def with_overhead(size: Size) -> Size:
    """Room for the tables of qcow2: a tenth more, rounded down."""
    return Size(size.bytes * 11 // 10)


def largest_cow(capacity: Size) -> Size:
    """More than this a qcow2 volume of `capacity` never needs."""
    return with_overhead(capacity).up_to(EXTENT)


def first_size(
    capacity: Size, form: VolumeFormat, allocation: Allocation, initial: Size | None = None, chunk: Size = CHUNK
) -> Size:
    """The size a new volume gets, before LVM rounds it to extents. InvalidParameter for what block domains refuse."""
    if allocation is Allocation.PREALLOCATED:
        if initial is not None and form is VolumeFormat.RAW:
            raise InvalidParameter("initial_size", initial.bytes)
        return capacity
    if form is VolumeFormat.RAW:
        raise InvalidParameter("format", "RAW and SPARSE on a block domain")
    if initial is None:
        return min(chunk, capacity)
    if initial > largest_cow(capacity):
        raise InvalidParameter("initial_size", initial.bytes)
    return with_overhead(initial)


def optimal_cow(capacity: Size, used: Size, *, leaf: bool, chunk: Size = CHUNK) -> Size:
    """What a thin volume that uses `used` bytes should have; only the writable end needs room to grow."""
    room = chunk.bytes if leaf else 0
    return min(largest_cow(capacity), Size(used.bytes + room).up_to(EXTENT))


def in_mib(size: Size) -> int:
    """As LVM is told it: whole MiB, rounded up."""
    return -(-size.bytes // MiB)


def extents(size: Size) -> int:
    """As LVM makes it of that."""
    return -(-size.bytes // EXTENT.bytes)
