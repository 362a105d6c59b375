"""The root of the storage family."""

from typing import ClassVar

from virgate.errors import VirgateError


class StorageError(VirgateError):
    """Base of the storage family. Monitors report its codes as they are and anything else as 200."""

    code: ClassVar[int] = 200
    text: ClassVar[str] = "General Storage Exception"
