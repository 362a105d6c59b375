"""What can go wrong with external leases and the jobs they stand for."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError
from virgate.node.storage.errors.jobs import AnotherGeneration, NotSupported


@error
class NoExternalLeases(NotSupported):
    text: ClassVar[str] = "Domain {self.domain} has no external leases: {self.reason}"
    domain: str
    reason: str


@error
class WrongLeaseGeneration(AnotherGeneration):
    text: ClassVar[str] = "The job of lease {self.lease} is of generation {self.found}, not {self.wanted}"
    lease: str
    wanted: int
    found: int


@error
class JobMismatch(StorageError):
    code: ClassVar[int] = 912
    text: ClassVar[str] = "Lease {self.lease} is not that of a pending job {self.job}: {self.found}"
    lease: str
    job: str
    found: str
