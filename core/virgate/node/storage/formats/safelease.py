"""The lock record of domains of version 0 and 2, at offset 0 of `leases` (spec storage-format 5.7)."""

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import UnreadableMetadata

RECORD = 512
TAG = 32
FREE = b"------FREE------0000000000000000"
LEASE_MS = 60_000
OPERATION_MS = 10_000

_ID = 16


@frozen
class Tag:
    """Who holds the lock and when it was last renewed, in microseconds since the epoch."""

    owner: str
    stamp: int

    @property
    def free(self) -> bool:
        return self.encode() == FREE

    def encode(self) -> bytes:
        owner = self.owner.encode()
        if not owner or len(owner) > _ID or self.stamp < 0 or self.stamp.bit_length() > 64:
            raise InvalidParameter("owner", f"{self.owner}@{self.stamp}")
        return owner.ljust(_ID) + f"{self.stamp:016x}".encode()

    @classmethod
    def decode(cls, record: bytes) -> "Tag":
        try:
            return cls(record[:_ID].decode("ascii").rstrip(" "), int(record[_ID:TAG].decode("ascii"), 16))
        except ValueError:
            raise UnreadableMetadata(f"lock record {record[:TAG]!r}") from None

    def expired(self, now: int, lease_ms: int = LEASE_MS) -> bool:
        """Whether its owner may no longer renew it."""
        return now - self.stamp > lease_ms * 1000


def replace_tag(record: bytes, tag: bytes) -> bytes:
    """The record with another tag; the rest of the 512 bytes stays as it was found."""
    return tag + record[TAG:RECORD].ljust(RECORD - TAG, b"\0")


def patience_ms(lease_ms: int = LEASE_MS, operation_ms: int = OPERATION_MS) -> int:
    """How long to watch a lock that is held before taking it: unchanged all the time means that its owner is gone."""
    return lease_ms + 6 * operation_ms
