"""POSIXFS: whatever mount(8) can mount and several hosts may use at once: CephFS, Gluster, a cluster file system."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attrs import field, frozen

from virgate import hookimpl
from virgate.hookspecs.storage import Kind, StorageHost, StorageType, shared_lease
from virgate.node.storage.errors import IllegalRemotePath
from virgate.node.storage.servers.mount_arguments import checked_options, checked_remote, checked_type


@frozen
class PosixFileSystem:
    """The client names the type of file system and all of the options."""

    name: ClassVar[str] = "POSIXFS"
    number: ClassVar[int] = 6
    kind: ClassVar[Kind] = Kind.FILE

    remote: str
    file_system: str = field(eq=False)
    options: str = field(eq=False)

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        file_system, options = (str(parameters.get(key) or "") for key in ("vfs_type", "mnt_options"))
        return cls(str(parameters["connection"]), file_system, options)

    @classmethod
    def check_remote(cls, remote: str) -> None:
        if not remote or remote.endswith("/"):
            raise IllegalRemotePath(remote)

    @classmethod
    def lease(cls, version: int) -> str:
        return shared_lease(version)

    async def connect(self, host: StorageHost) -> None:
        remote, file_system = checked_remote(self.remote), checked_type(self.file_system)
        await host.mount(remote, file_system, checked_options(self.options))

    async def connected(self, host: StorageHost) -> bool:
        return host.mounted(self.remote)

    async def disconnect(self, host: StorageHost) -> None:
        await host.unmount(self.remote)


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    return PosixFileSystem if name == "posixfs" else None
