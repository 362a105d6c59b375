"""What can go wrong with iSCSI (codes 465 to 476)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class IscsiSetupFailed(StorageError):
    """No session, for another cause than the credentials."""

    code: ClassVar[int] = 465
    text: ClassVar[str] = "No iSCSI session with {self.target}: {self.reason}"
    target: str
    reason: str


@error
class IscsiInterfaceDiffers(StorageError):
    code: ClassVar[int] = 473
    text: ClassVar[str] = "iSCSI interface {self.iface} cannot be used: {self.reason}"
    iface: str
    reason: str


@error
class IscsiLogoutFailed(StorageError):
    code: ClassVar[int] = 474
    text: ClassVar[str] = "The iSCSI session with {self.target} did not end: {self.reason}"
    target: str
    reason: str


@error
class IscsiDiscoveryFailed(StorageError):
    code: ClassVar[int] = 475
    text: ClassVar[str] = "iSCSI portal {self.portal} tells no targets: {self.reason}"
    portal: str
    reason: str


@error
class IscsiLoginRefused(StorageError):
    """Wrong credentials, or credentials where none were sent."""

    code: ClassVar[int] = 476
    text: ClassVar[str] = "{self.target} refuses the login: user name or password is wrong or missing"
    target: str
