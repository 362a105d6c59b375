"""What can go wrong with leases and the pool's manager (codes 651 to 701, 2005)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class LeaseNotAcquired(StorageError):
    code: ClassVar[int] = 651
    text: ClassVar[str] = "Cannot obtain the lock of domain {self.domain}: {self.reason}"
    domain: str
    reason: str


@error
class CannotStopSpm(StorageError):
    code: ClassVar[int] = 653
    text: ClassVar[str] = "SPM of pool {self.pool} cannot stop: {self.reason}"
    pool: str
    reason: str


@error
class NotSpm(StorageError):
    code: ClassVar[int] = 654
    text: ClassVar[str] = "Not SPM of pool {self.pool}"
    pool: str


@error
class IsSpm(StorageError):
    code: ClassVar[int] = 656
    text: ClassVar[str] = "Operation not allowed while this host is SPM of pool {self.pool}"
    pool: str


@error
class LeaseNotReleased(StorageError):
    code: ClassVar[int] = 660
    text: ClassVar[str] = "Cannot release the lock of domain {self.domain}: {self.reason}"
    domain: str
    reason: str


@error
class HostIdNotAcquired(StorageError):
    code: ClassVar[int] = 661
    text: ClassVar[str] = "Cannot acquire host id {self.host} in domain {self.domain}: {self.reason}"
    domain: str
    host: int
    reason: str


@error
class HostIdMismatch(StorageError):
    code: ClassVar[int] = 700
    text: ClassVar[str] = "Host id {self.given} is not this host's id {self.own}"
    given: int
    own: int


@error
class NoLeaseManager(StorageError):
    code: ClassVar[int] = 701
    text: ClassVar[str] = "No lease manager is called {self.name}{self.advice}"
    name: str

    @property
    def advice(self) -> str:
        if self.name == "safelease":
            return ": shared domains of version 0 and 2 need a plugin that keeps its leases; versions from 3 on do not"
        return ": install or enable a plugin that has it"


@error
class InProgress(StorageError):
    code: ClassVar[int] = 2005
    text: ClassVar[str] = "Operation in progress: {self.what}"
    what: str


@error
class HostIdNotReleased(StorageError):
    code: ClassVar[int] = 662
    text: ClassVar[str] = "Cannot release host id {self.host} in domain {self.domain}: {self.reason}"
    domain: str
    host: int
    reason: str


@error
class LeasesNotMade(StorageError):
    code: ClassVar[int] = 703
    text: ClassVar[str] = "Cannot make the leases of domain {self.domain}: {self.reason}"
    domain: str
    reason: str


@error
class LeaseUnknown(StorageError):
    """Whether somebody holds it cannot be said."""

    code: ClassVar[int] = 702
    text: ClassVar[str] = "Cannot look at lease {self.lease} of domain {self.domain}: {self.reason}"
    domain: str
    lease: str
    reason: str
