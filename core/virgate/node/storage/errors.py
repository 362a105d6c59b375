"""What can go wrong with storage, one class per code that this room raises (spec xmlrpc-storage 10)."""

from typing import ClassVar

from virgate.errors import VirgateError, error


class StorageError(VirgateError):
    """Base of the storage family. Monitors report its codes as they are and anything else as 200."""

    code: ClassVar[int] = 200
    text: ClassVar[str] = "General Storage Exception"


# volumes


@error
class VolumeDoesNotExist(StorageError):
    code: ClassVar[int] = 201
    text: ClassVar[str] = "Volume does not exist: {self.volume}"
    volume: str


@error
class IncorrectFormat(StorageError):
    """The format is unknown or does not fit, such as RAW with a parent."""

    code: ClassVar[int] = 202
    text: ClassVar[str] = "Incorrect volume format: {self.format}"
    format: object


@error
class VolumeHasChildren(StorageError):
    """Others are based on it."""

    code: ClassVar[int] = 204
    text: ClassVar[str] = "Volume {self.volume} still has children: {self.children}"
    volume: str
    children: tuple[str, ...]


@error
class CannotCreateVolume(StorageError):
    code: ClassVar[int] = 205
    text: ClassVar[str] = "Cannot create volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class CannotExtendVolume(StorageError):
    code: ClassVar[int] = 206
    text: ClassVar[str] = "Cannot extend volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class VolumeMetadataUnreadable(StorageError):
    code: ClassVar[int] = 207
    text: ClassVar[str] = "Metadata of volume {self.volume} cannot be read: {self.reason}"
    volume: str
    reason: str


@error
class VolumeExists(StorageError):
    code: ClassVar[int] = 212
    text: ClassVar[str] = "Volume already exists: {self.volume}"
    volume: str


@error
class VolumeNotWritable(StorageError):
    """It is neither the leaf nor a growable base, or it is shared."""

    code: ClassVar[int] = 213
    text: ClassVar[str] = "Volume is not writable: {self.volume}"
    volume: str


@error
class VolumeNotShareable(StorageError):
    """A template is a volume without a parent, alone in its image."""

    code: ClassVar[int] = 214
    text: ClassVar[str] = "Volume cannot be shared: {self.volume}"
    volume: str


@error
class NoSuchParent(StorageError):
    code: ClassVar[int] = 216
    text: ClassVar[str] = "Volume {self.volume} cannot get its parent {self.parent}"
    volume: str
    parent: str


@error
class CannotDeleteVolume(StorageError):
    code: ClassVar[int] = 222
    text: ClassVar[str] = "Cannot delete volume {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class VolumeIsShared(StorageError):
    """A template that other images are based on."""

    code: ClassVar[int] = 223
    text: ClassVar[str] = "Shared volume is in use: {self.volume}"
    volume: str


@error
class IllegalParent(StorageError):
    code: ClassVar[int] = 226
    text: ClassVar[str] = "Volume {self.volume} is illegal and cannot be a parent"
    volume: str


@error
class IllegalVolume(StorageError):
    """Data of it may be missing; nothing may run from its image."""

    code: ClassVar[int] = 227
    text: ClassVar[str] = "Volume is illegal: {self.volume}"
    volume: str


@error
class IncorrectType(StorageError):
    code: ClassVar[int] = 231
    text: ClassVar[str] = "Incorrect volume preallocation: {self.allocation}"
    allocation: object


@error
class CannotShrink(StorageError):
    code: ClassVar[int] = 232
    text: ClassVar[str] = "Volume {self.volume} has {self.current} bytes, more than the wanted {self.wanted}"
    volume: str
    current: int
    wanted: int


# images


@error
class CannotCreateImage(StorageError):
    code: ClassVar[int] = 251
    text: ClassVar[str] = "Cannot make the copy {self.volume}: {self.reason}"
    volume: str
    reason: str


@error
class CannotMerge(StorageError):
    code: ClassVar[int] = 252
    text: ClassVar[str] = "Cannot merge {self.ancestor} into {self.successor}: {self.reason}"
    ancestor: str
    successor: str
    reason: str


@error
class CannotMove(StorageError):
    code: ClassVar[int] = 253
    text: ClassVar[str] = "Cannot move image {self.image}: {self.reason}"
    image: str
    reason: str


@error
class NoImageFolder(StorageError):
    code: ClassVar[int] = 254
    text: ClassVar[str] = "Image folder does not exist: {self.image}"
    image: str


@error
class ChainsDiffer(StorageError):
    code: ClassVar[int] = 260
    text: ClassVar[str] = "Image {self.image} differs between source and destination"
    image: str


@error
class IllegalChain(StorageError):
    code: ClassVar[int] = 262
    text: ClassVar[str] = "Image {self.image} is not a legal chain: {self.reason}"
    image: str
    reason: str


@error
class CannotCopyImage(StorageError):
    code: ClassVar[int] = 261
    text: ClassVar[str] = "Cannot copy {self.source} to {self.target}: {self.reason}"
    source: str
    target: str
    reason: str


@error
class CannotOverwrite(StorageError):
    code: ClassVar[int] = 265
    text: ClassVar[str] = "Image {self.image} cannot be overwritten"
    image: str


@error
class TemplateInUse(StorageError):
    code: ClassVar[int] = 266
    text: ClassVar[str] = "Image {self.image} is a template in use and cannot be moved"
    image: str


@error
class NoSuchImage(StorageError):
    code: ClassVar[int] = 268
    text: ClassVar[str] = "Image {self.image} does not exist in domain {self.domain}"
    image: str
    domain: str


# pools


@error
class MasterNotFound(StorageError):
    code: ClassVar[int] = 304
    text: ClassVar[str] = "Cannot find master domain {self.domain} of pool {self.pool}"
    pool: str
    domain: str


@error
class UnknownPool(StorageError):
    code: ClassVar[int] = 309
    text: ClassVar[str] = "Unknown pool id, pool not connected: {self.pool}"
    pool: str


@error
class NoPoolConnected(StorageError):
    code: ClassVar[int] = 313
    text: ClassVar[str] = "No storage pool is connected"


@error
class NoIsoDomain(StorageError):
    code: ClassVar[int] = 314
    text: ClassVar[str] = "Pool {self.pool} has no active ISO domain"
    pool: str


@error
class IsoCannotBeMaster(StorageError):
    code: ClassVar[int] = 317
    text: ClassVar[str] = "An ISO domain cannot be the master: {self.domain}"
    domain: str


@error
class BackupCannotBeMaster(StorageError):
    code: ClassVar[int] = 319
    text: ClassVar[str] = "A backup domain cannot be the master: {self.domain}"
    domain: str


@error
class MissingOvf(StorageError):
    code: ClassVar[int] = 320
    text: ClassVar[str] = "No OVF is stored for {self.machine}"
    machine: str


@error
class NoMachinesFolder(StorageError):
    code: ClassVar[int] = 322
    text: ClassVar[str] = "Domain {self.domain} has no folder of machines"
    domain: str


@error
class AnotherPoolConnected(StorageError):
    """A host is in one pool at a time."""

    code: ClassVar[int] = 323
    text: ClassVar[str] = "Another pool is connected: {self.pool}"
    pool: str


@error
class WrongMaster(StorageError):
    code: ClassVar[int] = 324
    text: ClassVar[str] = "Wrong master domain {self.domain} or version {self.version} of pool {self.pool}"
    pool: str
    domain: str
    version: int


@error
class PoolIsConnected(StorageError):
    """Also for another host id or an older back end than the live one."""

    code: ClassVar[int] = 325
    text: ClassVar[str] = "Pool is already connected: {self.pool}"
    pool: str


@error
class PoolNameTooLong(StorageError):
    code: ClassVar[int] = 327
    text: ClassVar[str] = "Pool name is longer than 50 characters: {self.name}"
    name: str


@error
class TooManyDomains(StorageError):
    code: ClassVar[int] = 328
    text: ClassVar[str] = "Pool {self.pool} has too many domains"
    pool: str


@error
class NoFileList(StorageError):
    code: ClassVar[int] = 330
    text: ClassVar[str] = "Domain {self.domain} has no folder of files to list"
    domain: str


# domains


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
class NoPermission(StorageError):
    code: ClassVar[int] = 385
    text: ClassVar[str] = "Storage at {self.path} is not usable: {self.reason}"
    path: str
    reason: str


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
class ProgramFailed(StorageError):
    """qemu-img or another program said no; callers turn it into the code of what they did."""

    text: ClassVar[str] = "{self.program} failed: {self.reason}"
    program: str
    reason: str


# servers


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


# the pool's manager (SPM) and its lease


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
    text: ClassVar[str] = "No lease manager is called {self.name}"
    name: str


@error
class InProgress(StorageError):
    code: ClassVar[int] = 2005
    text: ClassVar[str] = "Operation in progress: {self.what}"
    what: str


# metadata


@error
class NotAscii(StorageError):
    """Domains below version 3 keep names in ASCII."""

    code: ClassVar[int] = 4900
    text: ClassVar[str] = "Text must be ASCII: {self.value}"
    value: str
