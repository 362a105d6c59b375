"""FCP: disks that are there without logging in: Fibre Channel, FCoE, SAS. Whatever is no iSCSI counts as such."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attrs import frozen

from virgate import hookimpl
from virgate.hookspecs.storage import Kind, StorageHost, StorageType, shared_lease


@frozen
class FibreChannel:
    """Zoning and cabling are the administrator's; connecting only looks for disks that came meanwhile."""

    name: ClassVar[str] = "FCP"
    number: ClassVar[int] = 2
    kind: ClassVar[Kind] = Kind.BLOCK

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        return cls()

    @classmethod
    def check_remote(cls, remote: str) -> None:
        """A domain is made on a volume group, which the core checks."""

    @classmethod
    def lease(cls, version: int) -> str:
        return shared_lease(version)

    async def connect(self, host: StorageHost) -> None:
        await host.rescan()

    async def disconnect(self, host: StorageHost) -> None:
        """Nothing was done that could be undone."""


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    return FibreChannel if name == "fcp" else None
