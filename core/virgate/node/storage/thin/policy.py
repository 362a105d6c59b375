"""When a thin volume grows, and to what (spec xmlrpc-storage 8.7). Pure."""

from enum import Enum

from attrs import evolve, field, frozen
from attrs.validators import ge, lt

from virgate.node.storage.formats.sizes import CHUNK
from virgate.units import MiB, Size

_MIB = Size(MiB)


class Verdict(Enum):
    """What to do about a disk."""

    REST = "rest"
    """It has room enough, or all it can ever need."""
    GROW = "grow"
    PAUSE = "pause"
    """It says more was written than could be: figures that nothing may be built on."""


@frozen
class Figures:
    """A disk as the hypervisor sees it."""

    capacity: Size
    """What the guest sees."""
    allocation: Size
    """How far the image reaches that was written."""
    physical: Size
    """What there is room for."""


@frozen
class Policy:
    """Steps of growing. While a disk is replicated two volumes have to be kept ahead of it: `doubled`."""

    chunk: Size = CHUNK
    percent: int = field(default=20, validator=[ge(0), lt(100)])

    @property
    def doubled(self) -> "Policy":
        return evolve(self, chunk=Size(2 * self.chunk.bytes))

    @property
    def watermark(self) -> Size:
        """With less free room than this a volume grows."""
        return Size(self.chunk.bytes * (100 - self.percent) // 100)

    def most(self, capacity: Size) -> Size:
        """What a volume of this capacity can ever need."""
        return Size(capacity.bytes * 11 // 10).up_to(_MIB)

    def next_size(self, physical: Size, capacity: Size) -> Size:
        return min(Size(physical.bytes + self.chunk.bytes).up_to(_MIB), self.most(capacity))

    def judge(self, found: Figures) -> Verdict:
        if found.allocation > self.next_size(found.physical, found.capacity):
            return Verdict.PAUSE
        if found.physical >= self.most(found.capacity):
            return Verdict.REST
        free = found.physical.bytes - found.allocation.bytes
        return Verdict.GROW if free < self.watermark.bytes else Verdict.REST

    def threshold(self, found: Figures) -> int:
        """The offset in bytes whose writing leaves too little room; 0 for a volume that never has to grow.

        A volume smaller than the watermark is watched from its first byte on.
        """
        if found.physical >= self.most(found.capacity):
            return 0
        return max(found.physical.bytes - self.watermark.bytes, 1)
