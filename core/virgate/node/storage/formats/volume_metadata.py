"""Volume metadata: at most 512 bytes of `KEY=VALUE` lines that end with `EOF` (spec storage-format 4).

The same text is a `.meta` file on file domains and a slot on block domains. Version 5 counts the capacity in bytes
(`CAP`), older versions in 512-byte blocks (`SIZE`); `decode` reads all of them, because hard-linked template
metadata of an upgraded domain keeps its old form.
"""

from enum import Enum
from typing import TypeVar

from attrs import evolve, field, frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import (
    InvalidMetadata,
    MetadataCleared,
    MetadataKeyMissing,
    MetadataOverflow,
)
from virgate.units import Size

E = TypeVar("E", bound=Enum)

BLANK_UUID = "00000000-0000-0000-0000-000000000000"
LIMIT = 512
DESCRIPTION_LIMIT = 210
BLOCK = 512
MAX_GENERATION = 999
CLEARED = b"NONE=" + b"#" * 502 + b"\nEOF\n"


class VolumeFormat(Enum):
    """The name is stored, the value is the API's number."""

    UNKNOWN = 3
    COW = 4
    RAW = 5


class Allocation(Enum):
    """Key `TYPE`. The name is stored, the value is the API's number."""

    UNKNOWN = 0
    PREALLOCATED = 1
    SPARSE = 2


class VolumeRole(Enum):
    """Key `VOLTYPE`: a template, a volume with children, the writable end. The value is the API's number."""

    SHARED = 6
    INTERNAL = 7
    LEAF = 8


class Legality(Enum):
    """FAKE stands in for a missing template on an export domain."""

    LEGAL = "LEGAL"
    ILLEGAL = "ILLEGAL"
    FAKE = "FAKE"


def _cut(description: str) -> str:
    return description[:DESCRIPTION_LIMIT]


@frozen(kw_only=True)
class VolumeMetadata:
    """What is known of a volume besides its data."""

    domain: str
    image: str
    capacity: Size
    format: VolumeFormat
    allocation: Allocation
    parent: str = BLANK_UUID
    role: VolumeRole = VolumeRole.LEAF
    legality: Legality = Legality.LEGAL
    disk_type: str = "DATA"
    """Four letters; old managers store decimal numbers. Kept as given."""
    description: str = field(default="", converter=_cut)
    created: int = 0
    """Seconds since the epoch."""
    generation: int = 0
    sequence: int = 0

    @property
    def has_parent(self) -> bool:
        return self.parent != BLANK_UUID

    def next_generation(self) -> "VolumeMetadata":
        """What a finished data operation writes: legal again, one generation later."""
        return evolve(self, legality=Legality.LEGAL, generation=(self.generation + 1) % (MAX_GENERATION + 1))


def encode(meta: VolumeMetadata, version: int = 5, *, converting: bool = False) -> bytes:
    """The `.meta` text for a domain version. `converting` adds `CAP` to an old form, the middle step of an upgrade.

    MetadataOverflow when a long non-ASCII description does not fit, InvalidParameter for text of several lines.
    """
    values = {
        "CTIME": str(meta.created),
        "DESCRIPTION": meta.description,
        "DISKTYPE": meta.disk_type,
        "DOMAIN": meta.domain,
        "FORMAT": meta.format.name,
        "GEN": str(meta.generation),
        "IMAGE": meta.image,
        "LEGALITY": meta.legality.value,
        "PUUID": meta.parent,
        "TYPE": meta.allocation.name,
        "VOLTYPE": meta.role.name,
    }
    if version >= 5 or converting:
        values["CAP"] = str(meta.capacity.bytes)
    if version >= 5:
        values["SEQ"] = str(meta.sequence)
    else:
        values |= {"MTIME": "0", "SIZE": str(-(-meta.capacity.bytes // BLOCK))}
    text = "".join(f"{key}={_one_line(key, values[key])}\n" for key in sorted(values)) + "EOF\n"
    data = text.encode()
    if len(data) > LIMIT:
        raise MetadataOverflow(len(data), LIMIT)
    return data


def encode_slot(meta: VolumeMetadata, version: int = 5, *, converting: bool = False) -> bytes:
    """The same as one slot of a block domain: exactly 512 bytes, written at once."""
    return encode(meta, version, converting=converting).ljust(LIMIT, b"\0")


def decode(data: bytes) -> VolumeMetadata:
    """Any version. Raises MetadataCleared, MetadataKeyMissing or InvalidMetadata; unknown keys are passed over."""
    values = _parse(data)
    if "NONE" in values:
        raise MetadataCleared()
    return VolumeMetadata(
        domain=_required(values, "DOMAIN"),
        image=_required(values, "IMAGE"),
        parent=_required(values, "PUUID"),
        capacity=_capacity(values),
        format=_named(VolumeFormat, values, "FORMAT"),
        allocation=_named(Allocation, values, "TYPE"),
        role=_named(VolumeRole, values, "VOLTYPE"),
        disk_type=_required(values, "DISKTYPE"),
        description=_required(values, "DESCRIPTION"),
        legality=_named(Legality, values, "LEGALITY"),
        created=_number(values, "CTIME"),
        generation=_number(values, "GEN", "0"),
        sequence=_number(values, "SEQ", "0"),
    )


def _parse(data: bytes) -> dict[str, str]:
    values = {}
    for line in data.rstrip(b"\0").splitlines():
        if line.startswith(b"EOF"):
            break
        key, equals, value = line.partition(b"=")
        if not equals:
            continue
        try:
            values[key.decode().strip()] = value.decode().strip()
        except UnicodeDecodeError:
            continue  # a required key is then reported as missing
    return values


def _required(values: dict[str, str], key: str) -> str:
    try:
        return values[key]
    except KeyError:
        raise MetadataKeyMissing(key) from None


def _capacity(values: dict[str, str]) -> Size:
    key, unit = ("CAP", 1) if "CAP" in values else ("SIZE", BLOCK)
    return Size(_number(values, key) * unit)


def _number(values: dict[str, str], key: str, default: str | None = None) -> int:
    text = values.get(key, default) if default is not None else _required(values, key)
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise InvalidMetadata(key, text)
    return number


def _named(kind: type[E], values: dict[str, str], key: str) -> E:
    text = _required(values, key)
    try:
        return kind[text]
    except KeyError:
        raise InvalidMetadata(key, text) from None


def _one_line(key: str, value: str) -> str:
    if set("\r\n\0").intersection(value):
        raise InvalidParameter(key, value)
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise InvalidParameter(key, ascii(value)) from problem
    return value
