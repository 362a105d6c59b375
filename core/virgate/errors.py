"""Errors: one class per failure, with an oVirt code, a sentence for the operator and fields for the program.

A room declares its own errors beside what raises them; the wires render `code` and `str(error)` and nothing else
(spec xmlrpc-host-vm 1.9). A test walks every class and keeps the codes unique.
"""

from typing import Any, ClassVar

from attrs import define


class VirgateError(Exception):
    """Base of everything a caller may be told. `text` is formatted with the error itself as `self`."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "Unexpected exception"

    def __str__(self) -> str:
        return self.text.format(self=self)


def error(cls: type) -> Any:
    """Class decorator: fields from annotations (attrs), text from the template, identity comparison."""
    return define(eq=False, str=False, repr=False, auto_exc=True)(cls)


@error
class Unexpected(VirgateError):
    """A defect or a foreign exception; `detail` is one line without secrets."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "Unexpected exception: {self.detail}"
    detail: str


@error
class NotBuilt(VirgateError):
    """A verb that every client may name and that this version does not do yet."""

    code: ClassVar[int] = 44
    text: ClassVar[str] = "Not implemented: {self.verb}"
    verb: str


@error
class NotReady(VirgateError):
    """Machines are being recovered or storage is being opened; the caller asks again a little later."""

    code: ClassVar[int] = 99
    text: ClassVar[str] = "Recovering from crash or Initializing"


@error
class StorageNotOpened(VirgateError):
    """The repository could not be made or read when the daemon started."""

    code: ClassVar[int] = 99
    text: ClassVar[str] = "Failed to initialize storage"


@error
class InvalidParameter(VirgateError):
    """A value that no state of the host could make right."""

    code: ClassVar[int] = 1000
    text: ClassVar[str] = "Invalid parameter: '{self.name}={self.value}'"
    name: str
    value: object
