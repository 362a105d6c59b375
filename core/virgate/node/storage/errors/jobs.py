"""What can go wrong with jobs of any host (spec xmlrpc-storage 10, the codes of newer hosts)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class WrongGeneration(StorageError):
    code: ClassVar[int] = 911
    text: ClassVar[str] = "Volume {self.volume} is of generation {self.found}, not {self.wanted}: it was changed"
    volume: str
    wanted: int | None
    found: int


@error
class CannotUpdateVolume(StorageError):
    code: ClassVar[int] = 235
    text: ClassVar[str] = "Cannot update volume {self.volume}: {self.reason}"
    volume: str
    reason: str
