"""What can go wrong with jobs of any host (spec xmlrpc-storage 10, the codes of newer hosts)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class AnotherGeneration(StorageError):
    """Somebody worked on it since the client looked."""

    code: ClassVar[int] = 911


@error
class WrongGeneration(AnotherGeneration):
    text: ClassVar[str] = "Volume {self.volume} is of generation {self.found}, not {self.wanted}: it was changed"
    volume: str
    wanted: int | None
    found: int


@error
class SharedNotWritable(StorageError):
    code: ClassVar[int] = 219
    text: ClassVar[str] = "Volume {self.volume} is shared: others are based on it, so it cannot be changed"
    volume: str


@error
class NotInChain(StorageError):
    code: ClassVar[int] = 920
    text: ClassVar[str] = "Volume {self.volume} is not in the chain of image {self.image}: it may be merged already"
    volume: str
    image: str


@error
class WrongParent(StorageError):
    code: ClassVar[int] = 921
    text: ClassVar[str] = "Volume {self.volume} is based on {self.found}, not on {self.wanted}"
    volume: str
    wanted: str
    found: str


@error
class UnexpectedState(StorageError):
    code: ClassVar[int] = 922
    text: ClassVar[str] = "Volume {self.volume} {self.reason}"
    volume: str
    reason: str


@error
class NoSuchBitmap(StorageError):
    code: ClassVar[int] = 946
    text: ClassVar[str] = "Volume {self.volume} has no valid bitmap {self.bitmap!r}"
    volume: str
    bitmap: str


@error
class CannotChangeBitmaps(StorageError):
    code: ClassVar[int] = 947
    text: ClassVar[str] = "Cannot change the bitmaps of volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class NotSupported(StorageError):
    """What a domain cannot hold."""

    code: ClassVar[int] = 2009


@error
class BitmapsNotSupported(NotSupported):
    text: ClassVar[str] = "Volume {self.volume} cannot have bitmaps: it is raw, or of a domain below version 4"
    volume: str


@error
class LevelNotSupported(NotSupported):
    text: ClassVar[str] = (
        "Volume {self.volume} keeps its qcow2 header: hosts of version {self.version} domains may not know a newer one"
    )
    volume: str
    version: int


@error
class CannotUpdateVolume(StorageError):
    code: ClassVar[int] = 235
    text: ClassVar[str] = "Cannot update volume {self.volume}: {self.reason}"
    volume: str
    reason: str
