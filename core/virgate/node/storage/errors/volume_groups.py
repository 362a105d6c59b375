"""What can go wrong with volume groups and their devices (codes 500 to 621 of spec xmlrpc-storage 10)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class CannotMakeDomain(StorageError):
    code: ClassVar[int] = 351
    text: ClassVar[str] = "Cannot make a storage domain of volume group {self.group}: {self.reason}"
    group: str
    reason: str


@error
class UnreadableReport(StorageError):
    code: ClassVar[int] = 513
    text: ClassVar[str] = "LVM reports something that cannot be read: {self.line}"
    line: str


@error
class DomainIsActive(StorageError):
    code: ClassVar[int] = 382
    text: ClassVar[str] = "Domain {self.domain} is active; no host may use it while its devices change places"
    domain: str


@error
class CannotListGroups(StorageError):
    code: ClassVar[int] = 514
    text: ClassVar[str] = "Volume groups cannot be listed: {self.reason}"
    reason: str


@error
class CannotCreateGroup(StorageError):
    code: ClassVar[int] = 502
    text: ClassVar[str] = "Cannot create volume group {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotExtendGroup(StorageError):
    code: ClassVar[int] = 503
    text: ClassVar[str] = "Cannot extend volume group {self.what}: {self.reason}"
    what: str
    reason: str


@error
class GroupTooSmall(StorageError):
    code: ClassVar[int] = 504
    text: ClassVar[str] = "Volume group {self.group} has {self.size} bytes, a storage domain needs {self.least}"
    group: str
    size: int
    least: int


@error
class NoSuchGroup(StorageError):
    code: ClassVar[int] = 506
    text: ClassVar[str] = "Volume group does not exist: {self.group}"
    group: str


@error
class CannotRemoveGroup(StorageError):
    code: ClassVar[int] = 508
    text: ClassVar[str] = "Cannot remove volume group {self.what}: {self.reason}"
    what: str
    reason: str


@error
class GroupNotUnready(StorageError):
    """It belongs to a domain, or to somebody who does not make storage domains of it."""

    code: ClassVar[int] = 515
    text: ClassVar[str] = "Volume group {self.group} is not waiting to become a storage domain; its tags: {self.tags}"
    group: str
    tags: str


@error
class CannotTagGroup(StorageError):
    code: ClassVar[int] = 516
    text: ClassVar[str] = "Cannot change tags of volume group {self.what}: {self.reason}"
    what: str
    reason: str


@error
class MixedBlockSizes(StorageError):
    code: ClassVar[int] = 517
    text: ClassVar[str] = "Devices of a volume group must have the same block sizes: {self.devices}"
    devices: str


@error
class UnsupportedBlockSize(StorageError):
    code: ClassVar[int] = 518
    text: ClassVar[str] = "Device {self.device} has blocks of {self.logical} (physical {self.physical}) bytes, not 512"
    device: str
    logical: int
    physical: int


@error
class CannotReduceGroup(StorageError):
    code: ClassVar[int] = 519
    text: ClassVar[str] = "Cannot take a device from volume group {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotCreateLogicalVolume(StorageError):
    code: ClassVar[int] = 550
    text: ClassVar[str] = "Cannot create logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotRemoveLogicalVolume(StorageError):
    code: ClassVar[int] = 551
    text: ClassVar[str] = "Cannot remove logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotDeactivate(StorageError):
    code: ClassVar[int] = 552
    text: ClassVar[str] = "Cannot deactivate {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotResizeLogicalVolume(StorageError):
    code: ClassVar[int] = 554
    text: ClassVar[str] = "Cannot resize logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotListVolumes(StorageError):
    code: ClassVar[int] = 555
    text: ClassVar[str] = "Logical volumes of {self.what} cannot be listed: {self.reason}"
    what: str
    reason: str


@error
class CannotRefreshLogicalVolume(StorageError):
    code: ClassVar[int] = 556
    text: ClassVar[str] = "Cannot refresh logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotActivate(StorageError):
    code: ClassVar[int] = 558
    text: ClassVar[str] = "Cannot activate logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotRenameLogicalVolume(StorageError):
    code: ClassVar[int] = 566
    text: ClassVar[str] = "Cannot rename logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotTagLogicalVolume(StorageError):
    code: ClassVar[int] = 572
    text: ClassVar[str] = "Cannot change tags of logical volume {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotInitializeDevice(StorageError):
    """Something is on it already, or it cannot be written."""

    code: ClassVar[int] = 601
    text: ClassVar[str] = "Cannot initialize device {self.what}: {self.reason}"
    what: str
    reason: str


@error
class CannotListDevices(StorageError):
    code: ClassVar[int] = 603
    text: ClassVar[str] = "Physical volumes cannot be listed: {self.reason}"
    reason: str


@error
class DeviceInaccessible(StorageError):
    code: ClassVar[int] = 606
    text: ClassVar[str] = "Device is not accessible on this host: {self.device}"
    device: str


@error
class CannotMakeFileSystem(StorageError):
    code: ClassVar[int] = 608
    text: ClassVar[str] = "Cannot make a file system on {self.device}: {self.reason}"
    device: str
    reason: str


@error
class NoSuchLogicalVolume(StorageError):
    code: ClassVar[int] = 610
    text: ClassVar[str] = "Logical volume does not exist: {self.group}/{self.name}"
    group: str
    name: str


@error
class CannotResizeDevice(StorageError):
    code: ClassVar[int] = 615
    text: ClassVar[str] = "Cannot use what device {self.what} gained: {self.reason}"
    what: str
    reason: str


@error
class CannotMoveData(StorageError):
    code: ClassVar[int] = 616
    text: ClassVar[str] = "Cannot move data away from device {self.what}: {self.reason}"
    what: str
    reason: str
