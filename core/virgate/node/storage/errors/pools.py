"""What can go wrong with a pool (codes 304 to 330)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.storage.errors.base import StorageError


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
