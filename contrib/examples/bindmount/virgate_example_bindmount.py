"""BINDMOUNT: shared storage that somebody else mounts, say autofs or a systemd unit, used at its place.

Clients connect it as type 120 with {"connection": "/folder"}. A folder is taken only if it lies in one of those that
the administrator allows:

    [example_bindmount]
    allowed = ["/net", "/srv/shared"]
"""

import posixpath
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, Self

from attrs import frozen

from virgate import hookimpl
from virgate.config import Settings, option, section
from virgate.hookspecs.storage import Kind, StorageHost, StorageType, shared_lease
from virgate.node.storage.errors import IllegalRemotePath

virgate_api = 1
__version__ = "1.0"


@section("example_bindmount")
class BindMountSettings:
    """The example plugin that uses storage which somebody else mounts."""

    allowed: list[str] = option(["/net"], "Folders in which storage may lie.")


class _Plugin:
    """What was read last; a plugin is a module, so its state is kept in one object of it."""

    settings = BindMountSettings()


@frozen
class BindMount:
    """Every host of the pool must have the same storage at the same folder: leases are kept in it."""

    name: ClassVar[str] = "BINDMOUNT"
    number: ClassVar[int] = 120
    kind: ClassVar[Kind] = Kind.FILE

    remote: str

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        return cls(str(parameters["connection"]))

    @classmethod
    def check_remote(cls, remote: str) -> None:
        """What the client names comes from outside: one spelling only, and only where it is allowed."""
        allowed = [PurePosixPath(folder) for folder in _Plugin.settings.allowed]
        if posixpath.normpath(remote) != remote or not any(
            folder in PurePosixPath(remote).parents for folder in allowed
        ):
            raise IllegalRemotePath(remote)

    @classmethod
    def lease(cls, version: int) -> str:
        return shared_lease(version)

    async def connect(self, host: StorageHost) -> None:
        self.check_remote(self.remote)
        await host.mount(self.remote, "none", "bind")

    async def connected(self, host: StorageHost) -> bool:
        return host.mounted(self.remote)

    async def disconnect(self, host: StorageHost) -> None:
        await host.unmount(self.remote)


@hookimpl
def settings_loaded(settings: Settings) -> None:
    _Plugin.settings = settings[BindMountSettings]


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    return BindMount if name in ("bindmount", "120") else None
