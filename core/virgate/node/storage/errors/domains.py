"""What can go wrong with a domain or its place (codes 353 to 469, 900)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


@error
class NotInPool(StorageError):
    code: ClassVar[int] = 353
    text: ClassVar[str] = "Domain {self.domain} is not in pool {self.pool}"
    domain: str
    pool: str


@error
class MasterUnreadable(StorageError):
    code: ClassVar[int] = 355
    text: ClassVar[str] = "Metadata of the pool cannot be read from master {self.domain}"
    domain: str


@error
class NoSuchDomain(StorageError):
    """Not visible on this host."""

    code: ClassVar[int] = 358
    text: ClassVar[str] = "Storage domain does not exist: {self.domain}"
    domain: str


@error
class NotMounted(StorageError):
    code: ClassVar[int] = 360
    text: ClassVar[str] = "Storage is not connected: {self.path}"
    path: str


@error
class NotEmpty(StorageError):
    """One domain per folder."""

    code: ClassVar[int] = 361
    text: ClassVar[str] = "Something is already there: {self.path}"
    path: str


@error
class DomainExists(StorageError):
    code: ClassVar[int] = 365
    text: ClassVar[str] = "Storage domain already exists: {self.domain}"
    domain: str


@error
class DomainNotActive(StorageError):
    code: ClassVar[int] = 369
    text: ClassVar[str] = "Storage domain is not active: {self.domain}"
    domain: str


@error
class WrongDomainType(StorageError):
    code: ClassVar[int] = 372
    text: ClassVar[str] = "Domain type is unknown or cannot be created: {self.type}"
    type: object


@error
class NotMember(StorageError):
    code: ClassVar[int] = 375
    text: ClassVar[str] = "Domain {self.domain} is not a member of pool {self.pool}"
    domain: str
    pool: str


@error
class WrongStatus(StorageError):
    code: ClassVar[int] = 376
    text: ClassVar[str] = "Domain status is wrong: {self.status}"
    status: object


@error
class NotBackup(StorageError):
    code: ClassVar[int] = 378
    text: ClassVar[str] = "Not a backup domain: {self.domain}"
    domain: str


@error
class StaleMount(StorageError):
    code: ClassVar[int] = 384
    text: ClassVar[str] = "Domain {self.domain} is on a server that forgot what is mounted here; it is mounted again"
    domain: str


@error
class DomainAccess(StorageError):
    code: ClassVar[int] = 379
    text: ClassVar[str] = "Domain is either partially accessible or entirely inaccessible: {self.domain}"
    domain: str


@error
class AlreadyAttached(StorageError):
    code: ClassVar[int] = 380
    text: ClassVar[str] = "Domain {self.domain} is attached to pool {self.pool}"
    domain: str
    pool: str


@error
class CannotDetachMaster(StorageError):
    code: ClassVar[int] = 383
    text: ClassVar[str] = "The master domain cannot be detached: {self.domain}"
    domain: str


@error
class WrongClass(StorageError):
    code: ClassVar[int] = 386
    text: ClassVar[str] = "Domain class is unknown: {self.value}"
    value: object


@error
class DomainNameTooLong(StorageError):
    code: ClassVar[int] = 387
    text: ClassVar[str] = "Domain name is longer than 50 characters: {self.name}"
    name: str


@error
class IllegalRemotePath(StorageError):
    code: ClassVar[int] = 390
    text: ClassVar[str] = "Remote path is not absolute and normal: {self.path}"
    path: str


@error
class FormatAttached(StorageError):
    code: ClassVar[int] = 391
    text: ClassVar[str] = "Domain {self.domain} is attached to a pool and cannot be formatted"
    domain: str


@error
class FormatInConnectedPool(StorageError):
    code: ClassVar[int] = 392
    text: ClassVar[str] = "Domain {self.domain} is in the connected pool {self.pool} and cannot be formatted"
    domain: str
    pool: str


@error
class UnsupportedVersion(StorageError):
    code: ClassVar[int] = 394
    text: ClassVar[str] = "Domain version is not supported: {self.version}"
    version: object


@error
class VersionTooAdvanced(StorageError):
    code: ClassVar[int] = 395
    text: ClassVar[str] = "Domain {self.domain} has version {self.version}, newer than asked"
    domain: str
    version: int


@error
class UpgradeInProgress(StorageError):
    code: ClassVar[int] = 396
    text: ClassVar[str] = "Pool {self.pool} is being upgraded"
    pool: str


@error
class DomainFull(StorageError):
    code: ClassVar[int] = 397
    text: ClassVar[str] = "No space left on domain {self.domain}"
    domain: str


@error
class MixedVersions(StorageError):
    code: ClassVar[int] = 398
    text: ClassVar[str] = "Domain {self.domain} of version {self.version} does not fit a pool of version {self.master}"
    domain: str
    version: int
    master: int


@error
class NoDirectIo(StorageError):
    code: ClassVar[int] = 399
    text: ClassVar[str] = "Storage at {self.path} does not support direct I/O"
    path: str


@error
class IsMemberOfPool(StorageError):
    code: ClassVar[int] = 900
    text: ClassVar[str] = "Domain {self.domain} is monitored by its pool"
    domain: str


@error
class CannotConnect(StorageError):
    code: ClassVar[int] = 451
    text: ClassVar[str] = "Cannot connect storage: {self.reason}"
    reason: str


@error
class StorageUnusable(StorageError):
    """Not a folder, or not readable and writable by those who must use it."""

    code: ClassVar[int] = 469
    text: ClassVar[str] = "Permission settings on {self.path} do not allow access to the storage: {self.reason}"
    path: str
    reason: str


@error
class WrongMountType(StorageError):
    code: ClassVar[int] = 470
    text: ClassVar[str] = "Not the name of a file system type: {self.type}"
    type: object


@error
class IllegalMountOptions(StorageError):
    code: ClassVar[int] = 471
    text: ClassVar[str] = "Cannot mount with '{self.value}': {self.reason}"
    value: str
    reason: str


@error
class CannotMount(StorageError):
    """`cause` says in one word what kept it: a name of `servers.mount_causes.Cause`, or empty."""

    code: ClassVar[int] = 477
    text: ClassVar[str] = "Cannot mount {self.remote}: {self.reason}"
    remote: str
    reason: str
    cause: str = ""


@error
class ReferenceInUse(StorageError):
    code: ClassVar[int] = 478
    text: ClassVar[str] = "Connection reference is in use: {self.reference}"
    reference: str


@error
class UnknownReference(StorageError):
    code: ClassVar[int] = 479
    text: ClassVar[str] = "Connection reference is not known: {self.reference}"
    reference: str


@error
class IllegalReference(StorageError):
    code: ClassVar[int] = 453
    text: ClassVar[str] = "Connection reference '{self.reference}' is not valid: {self.reason}"
    reference: str
    reason: str


@error
class BlockSizeMismatch(StorageError):
    code: ClassVar[int] = 348
    text: ClassVar[str] = "Storage at {self.path} has blocks of {self.found} bytes, {self.wanted} were asked for"
    path: str
    found: int
    wanted: int


@error
class NotAscii(StorageError):
    """Domains below version 3 keep names in ASCII."""

    code: ClassVar[int] = 4900
    text: ClassVar[str] = "Text must be ASCII: {self.value}"
    value: str
