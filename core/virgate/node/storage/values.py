"""Values that the managers of storage hand each other, and the words of the old API for them."""

import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.errors import IncorrectFormat, IncorrectType, WrongClass, WrongStatus
from virgate.node.storage.formats.volume_metadata import BLANK_UUID, Allocation, VolumeFormat

VERSIONS = (0, 2, 3, 4, 5)
ISO_IMAGE = "11111111-1111-1111-1111-111111111111"
SECTOR = 512
_DIGITS = re.compile(r"\s*-?[0-9]{1,19}\s*", re.ASCII)


class Files(Protocol):
    """The helper process of a mount: `virgate.run.helper.Helper` running `virgate.node.storage.operations`."""

    def call(self, operation: str, *args: Any, timeout: float | None = None) -> Awaitable[Any]: ...


class Clock(Protocol):
    """The reactor, or a clock that a test moves."""

    def seconds(self) -> float: ...

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> Any: ...


class Class(Enum):
    """What a domain is for. The name is stored and told, the value is the API's number."""

    Data = 1
    Iso = 2
    Backup = 3

    @classmethod
    def numbered(cls, value: object) -> "Class":
        try:
            return cls(int(value))  # type: ignore[call-overload]
        except (TypeError, ValueError):
            raise WrongClass(value) from None


class Status(Enum):
    """What a pool thinks of one of its domains."""

    ACTIVE = "Active"
    ATTACHED = "Attached"
    UNATTACHED = "Unattached"
    UNKNOWN = "Unknown"

    @classmethod
    def read(cls, word: object) -> "Status":
        """The status of any spelling; `inactive` is an old word for attached."""
        text = str(word).capitalize()
        try:
            return cls.ATTACHED if text == "Inactive" else cls(text)
        except ValueError:
            raise WrongStatus(word) from None


def is_blank(uuid: str | None) -> bool:
    return not uuid or uuid == BLANK_UUID


def new_format(value: int) -> VolumeFormat:
    """The format a new volume may have."""
    if value not in (VolumeFormat.COW.value, VolumeFormat.RAW.value):
        raise IncorrectFormat(value)
    return VolumeFormat(value)


def new_allocation(value: int) -> Allocation:
    """The allocation a new volume may have."""
    if value not in (Allocation.PREALLOCATED.value, Allocation.SPARSE.value):
        raise IncorrectType(value)
    return Allocation(value)


def size_in_bytes(name: str, value: object, least: int = 0) -> int:
    """A size as clients send it: decimal digits in a string, never a number (spec xmlrpc-storage C6, vector 14)."""
    if not isinstance(value, str) or not _DIGITS.fullmatch(value) or int(value) < least:
        raise InvalidParameter(name, value)
    return int(value)


@frozen
class VolumeAddress:
    """Where a volume is."""

    domain: str
    image: str
    volume: str


@frozen
class PreparedVolume:
    """A volume that a machine may open now. The chain is every volume it consists of, base first."""

    path: str
    format: str
    """`raw` or `cow`."""
    chain: tuple[dict[str, Any], ...]
    info: dict[str, Any]
    """The member of the chain that was asked for: domainID, imageID, volumeID, path, volType, and with leases of
    volumes leasePath and leaseOffset."""
    kind: str = "file"
    """`file` or `block`: what the path leads to."""
