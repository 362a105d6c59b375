"""What can be wrong with a device of the host."""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class DeviceNotFound(VirgateError):
    """Named by a client, unknown to libvirt; it may have been pulled out."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "This host has no device {self.name}"
    name: str


@error
class CannotSplit(VirgateError):
    """The kernel does not make virtual functions of it."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "{self.name} cannot have that number of virtual functions: {self.detail}"
    name: str
    detail: str
