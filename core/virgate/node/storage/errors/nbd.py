"""What can go wrong when a volume is served."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class CannotServe(StorageError):
    text: ClassVar[str] = "Cannot serve volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class VolumeNotPrepared(StorageError):
    code: ClassVar[int] = 230
    text: ClassVar[str] = "Volume {self.volume} is not prepared on this host: its image has to be prepared first"
    volume: str
