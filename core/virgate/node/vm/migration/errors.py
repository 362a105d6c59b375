"""What can go wrong with moves, in the codes of the old API (spec migration 1)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.vm.errors import MachineError, Moving


@error
class MigrationFault(MachineError):
    """The move was given up; the guest goes on where it was."""

    code: ClassVar[int] = 12
    text: ClassVar[str] = "Fatal error during migration"


@error
class MigrationFailed(MigrationFault):
    """The same, with what is known."""

    text: ClassVar[str] = "Fatal error during migration: {self.detail}"
    detail: str


@error
class PeerUnreachable(MigrationFault):
    """The destination could not be asked."""

    text: ClassVar[str] = "Fatal error during migration: {self.where} cannot be called: {self.why}"
    where: str
    why: str


@error
class BusyForOldHosts(MigrationFault):
    """This host is busy, said to a source that does not know code 82."""

    text: ClassVar[str] = "Fatal error during migration: the destination takes in as many machines as it may"


@error
class Busy(MachineError):
    """This host takes in as many machines as it may; the source asks again."""

    code: ClassVar[int] = 82
    text: ClassVar[str] = "Incoming migration limit exceeded"


@error
class Canceled(MachineError):
    """Somebody, or the schedule, stopped the move."""

    code: ClassVar[int] = 47
    text: ClassVar[str] = "Migration canceled"


@error
class NothingToCancel(Canceled):
    """The machine does not move, or is past the point where it could stay."""

    text: ClassVar[str] = "Migration not in progress"


@error
class NotUnderWay(MachineError):
    """There is no stream whose parameters could be changed."""

    code: ClassVar[int] = 81
    text: ClassVar[str] = "Migration not in progress"


@error
class DisksFailing(Moving):
    """The guest waits for storage that does not answer: what it has not written would be lost on the way."""

    text: ClassVar[str] = "The machine is paused by an I/O error; it can move when its storage is back"


@error
class Transient(MachineError):
    """Disks whose changes lie on this host alone."""

    code: ClassVar[int] = 59
    text: ClassVar[str] = "Action not permitted on a VM with transient disks"


@error
class CannotSee(MigrationFault):
    """The destination is too old: a disk that grew now would be too short there."""

    text: ClassVar[str] = "The destination cannot be told that a disk grows: it does when the move is over"


@error
class SeesLess(MigrationFault):
    """The destination did not see what storage has."""

    text: ClassVar[str] = "The destination sees {self.seen} bytes of disk {self.disk}, which has {self.size}"
    disk: str
    seen: int
    size: int


@error
class NotReadyInTime(MachineError):
    """The disks were not prepared before the source lost its patience."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "Error creating the requested VM: its disks were not ready after {self.seconds:g} seconds"
    seconds: float


@error
class DestinationHookFailed(MachineError):
    """A script forbade the arrival."""

    code: ClassVar[int] = 78
    text: ClassVar[str] = "Destination hook failed: {self.detail}"
    detail: str


@error
class StreamFailed(MachineError):
    """libvirt began and could not go on."""

    code: ClassVar[int] = 102
    text: ClassVar[str] = "Migration operation failed: {self.detail}"
    detail: str


@error
class BadOrder(MachineError):
    """A parameter of `migrate` that cannot be meant."""

    code: ClassVar[int] = 91
    text: ClassVar[str] = "Invalid parameter: {self.name}: {self.why}"
    name: str
    why: str


class PeerRefused(MachineError):
    """The destination answered with a code of its own, which the client of the move is shown."""

    def __init__(self, answer: int, message: str) -> None:
        super().__init__(answer, message)
        self.answer = answer
        self.message = message

    def __str__(self) -> str:
        return self.message
