"""What can go wrong with the file system that a block domain keeps for its pool (codes 366 to 368)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class MasterNotUnmounted(StorageError):
    code: ClassVar[int] = 366
    text: ClassVar[str] = "Cannot unmount master file system {self.place}: {self.reason}"
    place: str
    reason: str


@error
class MasterNotChecked(StorageError):
    """It has errors that only a person may let be mended."""

    code: ClassVar[int] = 367
    text: ClassVar[str] = "Master file system {self.device} is damaged; run fsck on it by hand: {self.reason}"
    device: str
    reason: str


@error
class MasterNotMounted(StorageError):
    code: ClassVar[int] = 368
    text: ClassVar[str] = "Cannot mount master file system {self.device}: {self.reason}"
    device: str
    reason: str
