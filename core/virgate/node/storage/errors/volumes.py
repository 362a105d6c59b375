"""What can go wrong with a volume (codes 201 to 234)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class VolumeDoesNotExist(StorageError):
    code: ClassVar[int] = 201
    text: ClassVar[str] = "Volume does not exist: {self.volume}"
    volume: str


@error
class IncorrectFormat(StorageError):
    """The format is unknown or does not fit, such as RAW with a parent."""

    code: ClassVar[int] = 202
    text: ClassVar[str] = "Incorrect volume format: {self.format}"
    format: object


@error
class VolumeHasChildren(StorageError):
    """Others are based on it."""

    code: ClassVar[int] = 204
    text: ClassVar[str] = "Volume {self.volume} still has children: {self.children}"
    volume: str
    children: tuple[str, ...]


@error
class CannotCreateVolume(StorageError):
    code: ClassVar[int] = 205
    text: ClassVar[str] = "Cannot create volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class CannotExtendVolume(StorageError):
    code: ClassVar[int] = 206
    text: ClassVar[str] = "Cannot extend volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class VolumeExists(StorageError):
    code: ClassVar[int] = 212
    text: ClassVar[str] = "Volume already exists: {self.volume}"
    volume: str


@error
class VolumeNotWritable(StorageError):
    """It is neither the leaf nor a growable base, or it is shared."""

    code: ClassVar[int] = 213
    text: ClassVar[str] = "Volume is not writable: {self.volume}"
    volume: str


@error
class VolumeNotShareable(StorageError):
    """A template is a volume without a parent, alone in its image."""

    code: ClassVar[int] = 214
    text: ClassVar[str] = "Volume cannot be shared: {self.volume}"
    volume: str


@error
class NoSuchParent(StorageError):
    code: ClassVar[int] = 216
    text: ClassVar[str] = "Volume {self.volume} cannot get its parent {self.parent}"
    volume: str
    parent: str


@error
class VolumeIsShared(StorageError):
    """A template that other images are based on."""

    code: ClassVar[int] = 223
    text: ClassVar[str] = "Shared volume is in use: {self.volume}"
    volume: str


@error
class IllegalParent(StorageError):
    code: ClassVar[int] = 226
    text: ClassVar[str] = "Volume {self.volume} is illegal and cannot be a parent"
    volume: str


@error
class IllegalVolume(StorageError):
    """Data of it may be missing; nothing may run from its image."""

    code: ClassVar[int] = 227
    text: ClassVar[str] = "Volume is illegal: {self.volume}"
    volume: str


@error
class IncorrectType(StorageError):
    code: ClassVar[int] = 231
    text: ClassVar[str] = "Incorrect volume preallocation: {self.allocation}"
    allocation: object


@error
class CannotShrink(StorageError):
    code: ClassVar[int] = 232
    text: ClassVar[str] = "Volume {self.volume} has {self.current} bytes, more than the wanted {self.wanted}"
    volume: str
    current: int
    wanted: int
