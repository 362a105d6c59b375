"""What can go wrong between a host and a guest's agent."""

from typing import ClassVar

from virgate.errors import VirgateError, error


class GuestError(VirgateError):
    """Base of this room's errors."""


@error
class BadMessage(GuestError):
    """A guest sent what is no message, or one with members of another kind; it is ignored."""

    text: ClassVar[str] = "The guest agent sent something that cannot be understood: {self.detail}"
    detail: str


@error
class NotResponsive(GuestError):
    """The guest has no agent, or it was not heard for two minutes."""

    code: ClassVar[int] = 19
    text: ClassVar[str] = "Guest agent non-responsive"
    vm: str


@error
class NotSupported(GuestError):
    """The agent speaks an older version of the protocol."""

    code: ClassVar[int] = 75
    text: ClassVar[str] = "Operation not supported: {self.message} needs version {self.needed} of the guest agent"
    message: str
    needed: int
