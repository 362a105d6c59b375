"""Messages between hosts and the SPM in `inbox` and `outbox` (spec storage-format 6).

A mailbox is one block of 4096 bytes: 63 slots of 64 bytes and a checksum that hosts write and the SPM does not.
"""

from collections.abc import Mapping
from uuid import UUID

from attrs import field, frozen
from attrs.validators import ge, instance_of, le

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.units import MiB, Size

MAILBOX = 4096
SLOT = 64
SLOTS = 63
CLEAN = b"\x01" * SLOT
EMPTY = b"\0" * SLOT
BLANK = b"\0" * MAILBOX

_MATCHED = 37
_EXTEND = b"1xtnd"
_PADDING = b"0" * 11
_EVENT = b"\0evt"
_CHECKED = MAILBOX - 4


@frozen
class Extend:
    """A wish for a larger volume, and the SPM's reply to it. In a reply 0 MiB means that it failed."""

    domain: str
    volume: str
    mib: int = field(validator=[instance_of(int), ge(0), le(0xFFFFFFFF)])

    @classmethod
    def to(cls, domain: str, volume: str, size: Size) -> "Extend":
        return cls(domain, volume, -(-size.bytes // MiB))

    @property
    def failed(self) -> "Extend":
        """The reply to a wish that was not granted."""
        return Extend(self.domain, self.volume, 0)

    def encode(self) -> bytes:
        return _EXTEND + _uuid(self.domain) + _uuid(self.volume) + f"{self.mib:016x}".encode() + _PADDING

    @classmethod
    def decode(cls, message: bytes) -> "Extend":
        """UnreadableMetadata for a message of another kind; see `is_empty` and CLEAN for those that are none."""
        if len(message) != SLOT or message[:5] != _EXTEND:
            raise UnreadableMetadata(f"mailbox message {message[:5]!r}")
        try:
            mib = int(message[37:53], 16)
            return cls(_uuid_text(message[5:21]), _uuid_text(message[21:37]), mib)
        except ValueError:
            raise UnreadableMetadata(f"size {message[37:53]!r} in a mailbox message") from None


def is_empty(message: bytes) -> bool:
    """Also with ASCII zeros, as hosts of the 3.x series leave it."""
    return message[:1] in (b"\0", b"0")


def answers(reply: bytes, request: bytes) -> bool:
    """Whether a reply belongs to a request: everything before the size must be equal."""
    return reply[:_MATCHED] == request[:_MATCHED]


def checksum(block: bytes | bytearray) -> int:
    return sum(block[:_CHECKED]) & 0xFFFFFFFF


def encode(messages: Mapping[int, bytes], *, sealed: bool = True) -> bytes:
    """A mailbox with a message in each given slot. Hosts seal theirs, the SPM does not."""
    block = bytearray(MAILBOX)
    for slot, message in messages.items():
        if not 0 <= slot < SLOTS or len(message) != SLOT:
            raise InvalidParameter("slot", slot)
        block[slot * SLOT : (slot + 1) * SLOT] = message
    if sealed and messages:
        block[_CHECKED:] = checksum(block).to_bytes(4, "little")
    return bytes(block)


def decode(block: bytes) -> dict[int, bytes]:
    """Messages by slot, clean ones included."""
    slots = {slot: bytes(block[slot * SLOT : (slot + 1) * SLOT]) for slot in range(SLOTS)}
    return {slot: message for slot, message in slots.items() if not is_empty(message)}


def is_sealed(block: bytes) -> bool:
    """Whether the checksum is there and right; otherwise the SPM takes the mailbox for empty this time."""
    stored = int.from_bytes(block[_CHECKED:MAILBOX], "little")
    return len(block) >= MAILBOX and stored != 0 and stored == checksum(block)


def place(host: int) -> int:
    """The offset of a host's mailbox; 0 is the event block."""
    return host * MAILBOX


def encode_event(event: UUID) -> bytes:
    """The block at offset 0 of `inbox` that makes the SPM look at once."""
    return (_EVENT + event.bytes).ljust(MAILBOX, b"\0")


def decode_event(block: bytes) -> UUID | None:
    """None when no host of the newer kind ever wrote."""
    return UUID(bytes=bytes(block[4:20])) if block[:4] == _EVENT and len(block) >= 20 else None


def _uuid(text: str) -> bytes:
    try:
        return UUID(text).bytes[::-1]
    except ValueError:
        raise InvalidParameter("uuid", text) from None


def _uuid_text(packed: bytes) -> str:
    return str(UUID(bytes=bytes(packed[::-1])))
