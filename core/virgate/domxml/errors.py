"""What can be wrong with the parameters of a machine (codes: spec xmlrpc-host-vm 1.9 and 3.1)."""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class MachineExists(VirgateError):
    """Two machines of one id would write to the same disks."""

    code: ClassVar[int] = 4
    text: ClassVar[str] = "Virtual machine already exists"
    id: str


@error
class CannotCreate(VirgateError):
    """The request can be read, and no host could run what it asks for."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "{self.detail}"
    detail: str


@error
class MissingParameter(VirgateError):
    """A parameter that has no default is not there, or says nothing."""

    code: ClassVar[int] = 11
    text: ClassVar[str] = "{self.detail}"
    detail: str

    @classmethod
    def named(cls, name: str) -> "MissingParameter":
        return cls(f"Missing required parameter {name}")


@error
class BadDevice(VirgateError):
    """One device of the machine cannot be built; a machine with it goes Down when it starts."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "{self.kind} device: {self.detail}"
    kind: str
    detail: str


@error
class UnsafeXml(VirgateError):
    """XML of a client that is malformed, or that wants more than to be read."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "Refused XML: {self.detail}"
    detail: str
