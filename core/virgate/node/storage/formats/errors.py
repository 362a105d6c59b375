"""What can be wrong with the bytes of a storage domain. Codes are those of spec xmlrpc-storage 10."""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class UnreadableMetadata(VirgateError):
    """Bytes that are not this format at all."""

    code: ClassVar[int] = 749
    text: ClassVar[str] = "Metadata cannot be read: {self.detail}"
    detail: str


@error
class MetadataKeyMissing(VirgateError):
    """A key that the format requires is not there."""

    code: ClassVar[int] = 751
    text: ClassVar[str] = "Metadata has no key {self.key}"
    key: str


@error
class SealBroken(VirgateError):
    """The stored checksum is not that of the stored keys: somebody else wrote, or a write was torn."""

    code: ClassVar[int] = 752
    text: ClassVar[str] = "Metadata checksum is {self.computed}, the stored one is {self.stored}"
    computed: str
    stored: str


@error
class InvalidMetadata(VirgateError):
    """A key is there, its value means nothing."""

    code: ClassVar[int] = 753
    text: ClassVar[str] = "Metadata value is not valid: {self.key}={self.value}"
    key: str
    value: str


@error
class MetadataOverflow(VirgateError):
    """More text than the format has room for; nothing was written."""

    code: ClassVar[int] = 756
    text: ClassVar[str] = "Metadata needs {self.size} bytes, there is room for {self.limit}"
    size: int
    limit: int


@error
class MetadataCleared(VirgateError):
    """The volume was deleted by an old host, which overwrites metadata instead of removing it."""

    code: ClassVar[int] = 757
    text: ClassVar[str] = "Metadata was cleared: the volume is deleted"


@error
class NoSuchLease(VirgateError):
    """The index has no usable record of that name."""

    code: ClassVar[int] = 936
    text: ClassVar[str] = "There is no lease {self.name}"
    name: str
