"""What can go wrong with imports, in the codes of the old API (spec xmlrpc-host-vm 1.9)."""

from typing import ClassVar

from virgate.errors import VirgateError, error


class ImportProblem(VirgateError):
    """Base of this room's errors."""


@error
class UnsupportedSource(ImportProblem):
    """No way to read machines from there."""

    code: ClassVar[int] = 44
    text: ClassVar[str] = "Not implemented: importing from {self.source}; known are vpx://, esx://, xen+ssh:// and qemu"
    source: str


@error
class NoConverter(ImportProblem):
    """The program that converts is not installed."""

    code: ClassVar[int] = 40
    text: ClassVar[str] = "Resource unavailable: {self.program} is not on this host; install the package {self.package}"
    program: str
    package: str


@error
class CannotConnect(ImportProblem):
    """The other hypervisor cannot be reached, refuses the password or breaks off. Never holds a password."""

    code: ClassVar[int] = 65
    text: ClassVar[str] = "error connecting to hypervisor {self.uri}: {self.detail}"
    uri: str
    detail: str


@error
class NoSuchJob(ImportProblem):
    """Never started, deleted, or lost with the daemon that ran it."""

    code: ClassVar[int] = 66
    text: ClassVar[str] = "Job Id does not exists: {self.job}"
    job: str


@error
class NoSuchOvf(ImportProblem):
    """The conversion left no description: imports from KVM have none."""

    code: ClassVar[int] = 67
    text: ClassVar[str] = "OVF file does not exists: job {self.job} has left none"
    job: str


@error
class JobNotDone(ImportProblem):
    """Asked for its result too early, or for one that it will never have."""

    code: ClassVar[int] = 68
    text: ClassVar[str] = "Job status is not done: job {self.job} is {self.status}"
    job: str
    status: str


@error
class JobExists(ImportProblem):
    """Each job has an id of its own."""

    code: ClassVar[int] = 69
    text: ClassVar[str] = "Job id already exists: {self.job}"
    job: str


@error
class BadArchive(ImportProblem):
    """Nothing that could be read as a machine; old clients know it by the general code."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "{self.path!r} is no OVA that can be read: {self.detail}"
    path: str
    detail: str


@error
class ConversionFailed(ImportProblem):
    """What a failed job says of itself; the log of the program has more."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "The conversion failed: {self.detail}"
    detail: str
