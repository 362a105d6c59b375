"""LOCALFS: a folder of this host. It is shown in the repository by a symbolic link."""

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from attrs import frozen

from virgate import hookimpl
from virgate.hookspecs.storage import Kind, StorageHost, StorageType
from virgate.node.storage.errors import IllegalRemotePath, StorageUnusable


@frozen
class LocalFolder:
    """Only one host sees it, so a lock of the host's kernel is all the lease it needs, in every domain version."""

    name: ClassVar[str] = "LOCALFS"
    number: ClassVar[int] = 4
    kind: ClassVar[Kind] = Kind.FILE
    block_sizes: ClassVar[tuple[int, ...]] = (512, 4096)

    remote: str

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        return cls(str(parameters["connection"]))

    @classmethod
    def check_remote(cls, remote: str) -> None:
        if not remote.startswith("/") or remote.startswith("//") or posixpath.normpath(remote) != remote:
            raise IllegalRemotePath(remote)

    @classmethod
    def lease(cls, version: int) -> str:
        return "local"

    async def connect(self, host: StorageHost) -> None:
        folder = Path(posixpath.normpath(self.remote))
        if not folder.is_absolute() or ".." in Path(self.remote).parts:
            raise StorageUnusable(self.remote, "not an absolute path")
        await host.check_folder(folder)
        await host.link(folder, self.remote)

    async def disconnect(self, host: StorageHost) -> None:
        await host.unlink(self.remote)


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    return LocalFolder if name == "localfs" else None
