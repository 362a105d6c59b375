"""Quantities. Bare integers cross only at the doors: wire, libvirt, disk."""

from typing import Self

from attrs import field, frozen
from attrs.validators import ge, instance_of

KiB = 1 << 10
MiB = 1 << 20
GiB = 1 << 30


@frozen(order=True)
class Size:
    """An amount of memory or storage."""

    bytes: int = field(validator=[instance_of(int), ge(0)])

    @classmethod
    def kib(cls, count: int) -> Self:
        return cls(count * KiB)

    @classmethod
    def mib(cls, count: int) -> Self:
        return cls(count * MiB)

    @classmethod
    def gib(cls, count: int) -> Self:
        return cls(count * GiB)

    def up_to(self, step: "Size") -> "Size":
        """The smallest multiple of `step` that is not below this size."""
        return Size(-(-self.bytes // step.bytes) * step.bytes)
