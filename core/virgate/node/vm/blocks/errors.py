"""What can go wrong with the volumes of running machines, in the codes of the old API (spec xmlrpc-host-vm 1.9)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.vm.errors import MachineError


@error
class NoSuchDrive(MachineError):
    """The machine has no disk of this description."""

    code: ClassVar[int] = 13
    text: ClassVar[str] = "Drive image file could not be found: machine {self.vm} has no drive {self.drive}"
    vm: str
    drive: str


@error
class AgentDead(MachineError):
    """The guest's QEMU agent does not answer."""

    code: ClassVar[int] = 19
    text: ClassVar[str] = "Guest agent non-responsive: {self.detail}"
    vm: str
    detail: str


@error
class NotInSync(MachineError):
    """A replication has not caught up yet: the client asks again a little later."""

    code: ClassVar[int] = 40
    text: ClassVar[str] = "Resource unavailable: drive {self.drive} is not replicated yet, {self.left} bytes are left"
    vm: str
    drive: str
    left: int


@error
class CannotLeaveReplica(MachineError):
    """The hypervisor did not end a replication; it goes on."""

    code: ClassVar[int] = 41
    text: ClassVar[str] = "Failed to change disk image: replication of {self.drive} was not ended: {self.detail}"
    vm: str
    drive: str
    detail: str


@error
class LeasedDrive(MachineError):
    """A volume lease follows no disk to another volume yet."""

    code: ClassVar[int] = 44
    text: ClassVar[str] = "Not implemented: drive {self.drive} holds the lease of its volume"
    vm: str
    drive: str


@error
class SnapshotFailed(MachineError):
    """All disks are on the volumes that they were on, as far as was seen."""

    code: ClassVar[int] = 48
    text: ClassVar[str] = "Snapshot failed: {self.detail}"
    vm: str
    detail: str


@error
class SnapshotUnseen(SnapshotFailed):
    """The disks are all on their new volumes or all on the old ones: the machine shows which when libvirt is back."""

    text: ClassVar[str] = (
        "Snapshot failed: {self.detail} in the middle of it. "
        "Where the disks are is seen when libvirt is back; {self.advice}"
    )
    advice: str


@error
class MergeFailed(MachineError):
    """No merge was begun; the chain is what it was."""

    code: ClassVar[int] = 52
    text: ClassVar[str] = "Merge failed: {self.detail}"
    vm: str
    detail: str


@error
class ReplicationFailed(MachineError):
    """The disk is on the volume that it was on."""

    code: ClassVar[int] = 55
    text: ClassVar[str] = "Drive replication error: {self.detail}"
    vm: str
    detail: str


@error
class CannotResize(MachineError):
    """The guest sees the disk as it was."""

    code: ClassVar[int] = 56
    text: ClassVar[str] = "Failed to update device: drive {self.drive} was not extended: {self.detail}"
    vm: str
    drive: str
    detail: str


@error
class BadSize(MachineError):
    """A disk is never made smaller under a guest."""

    code: ClassVar[int] = 58
    text: ClassVar[str] = "Wrong resize disk parameter: drive {self.drive} has {self.size} bytes, not {self.wanted}"
    vm: str
    drive: str
    size: int
    wanted: int


@error
class TransientDrive(MachineError):
    """What a transient disk is given to write is thrown away when the machine ends."""

    code: ClassVar[int] = 59
    text: ClassVar[str] = "Action not permitted on a VM with transient disks: {self.drive}"
    vm: str
    drive: str


@error
class CannotFreeze(MachineError):
    """The guest's file systems are as they were."""

    code: ClassVar[int] = 76
    text: ClassVar[str] = "Unable to freeze guest filesystems: {self.detail}"
    vm: str
    detail: str


@error
class CannotThaw(MachineError):
    """File systems of the guest may still be frozen."""

    code: ClassVar[int] = 77
    text: ClassVar[str] = "Unable to thaw guest filesystems: {self.detail}"
    vm: str
    detail: str


@error
class NoFreezing(MachineError):
    """The machine has no channel to a QEMU agent, or the hypervisor cannot ask one."""

    code: ClassVar[int] = 75
    text: ClassVar[str] = "Operation not supported: {self.detail}"
    vm: str
    detail: str


@error
class BaseTooSmall(MachineError):
    """A raw block volume cannot hold what would be merged into it; the client extends it first."""

    code: ClassVar[int] = 79
    text: ClassVar[str] = (
        "Destination volume is too small: {self.base} has {self.size} bytes, {self.top} needs {self.needed}"
    )
    base: str
    size: int
    top: str
    needed: int


@error
class NotUnderWay(MachineError):
    """There is nothing to abort: the job is over, or was never begun."""

    code: ClassVar[int] = 84
    text: ClassVar[str] = "Job {self.job} is not active"
    job: str


@error
class BadTimeout(MachineError):
    """A timeout that is no positive number of minutes."""

    code: ClassVar[int] = 91
    text: ClassVar[str] = "Invalid parameter: {self.name} must be more than 0 minutes, not {self.value}"
    name: str
    value: int
