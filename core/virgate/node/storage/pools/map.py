"""Where a pool's map lives: in its master's metadata, or in the memory of a host that was told (spec 7.1, 3.4)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from attrs import evolve, frozen

from virgate.errors import VirgateError
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.record import NONE, written_domains
from virgate.node.storage.errors import MasterUnreadable
from virgate.node.storage.values import Status


@frozen
class PoolMap:
    """Which domains a pool has, and who is its master by which version."""

    master: str
    version: int
    domains: Mapping[str, Status]
    name: str = "No Description"

    @property
    def active(self) -> tuple[str, ...]:
        return tuple(domain for domain, status in self.domains.items() if status is Status.ACTIVE)

    def having(self, domain: str, status: Status) -> "PoolMap":
        return evolve(self, domains={**self.domains, domain: status})

    def without(self, domain: str) -> "PoolMap":
        return evolve(self, domains={id: status for id, status in self.domains.items() if id != domain})


class Backend(ABC):
    """`map` is what was read or written last."""

    in_memory: ClassVar[bool]
    map: PoolMap

    def __init__(self, domains: Domains, map: PoolMap) -> None:
        self._domains = domains
        self.map = map

    async def master(self) -> Domain:
        return await self._domains.find(self.map.master)

    async def find(self, domain: str) -> Domain:
        return await self._domains.find(domain)

    @abstractmethod
    async def read(self) -> PoolMap:
        """The map as it is now."""

    @abstractmethod
    async def write(self, map: PoolMap) -> None:
        """Another map of the same master."""

    @abstractmethod
    async def move(self, map: PoolMap) -> None:
        """The same pool with another master; the old one's copy is worthless from then on."""

    @abstractmethod
    async def owner(self) -> tuple[int, int]:
        """(version, host id) of the SPM, -1 where there is none."""

    @abstractmethod
    async def took(self, host: int) -> None:
        """The lease is held: this host is the SPM."""

    @abstractmethod
    async def gave(self) -> None:
        """The lease is about to be given back."""


class DiskBackend(Backend):
    """The map of clients that send none."""

    in_memory = False

    async def read(self) -> PoolMap:
        record = await (await self.master()).refresh()
        self.map = PoolMap(self.map.master, record.master_version, record.pool_domains, record.pool_name)
        return self.map

    async def write(self, map: PoolMap) -> None:
        await (await self.master()).change({"POOL_DOMAINS": written_domains(map.domains)})
        self.map = map

    async def move(self, map: PoolMap) -> None:
        old = await self.master()
        new = await self._domains.find(map.master)
        await new.change(
            {
                "MASTER_VERSION": map.version,
                "POOL_DOMAINS": written_domains(map.domains),
                "POOL_DESCRIPTION": old.record.pool_name,
                "POOL_SPM_ID": old.record.spm_id,
                "POOL_SPM_LVER": old.record.spm_version,
                "ROLE": "Master",
            }
        )
        await old.change({"ROLE": "Regular", "MASTER_VERSION": 0})
        self.map = map

    async def owner(self) -> tuple[int, int]:
        try:
            record = await (await self.master()).refresh()
        except (OSError, VirgateError):
            raise MasterUnreadable(self.map.master) from None
        return record.spm_version, record.spm_id

    async def took(self, host: int) -> None:
        master = await self.master()
        record = await master.refresh()  # another host may have had the role since it was read last
        await master.change({"POOL_SPM_LVER": record.spm_version + 1, "POOL_SPM_ID": host})

    async def gave(self) -> None:
        await (await self.master()).change({"POOL_SPM_ID": NONE})


class MemoryBackend(Backend):
    """The map of clients that send it with every connection; the SPM is who holds the lease."""

    in_memory = True

    async def read(self) -> PoolMap:
        return self.map

    async def write(self, map: PoolMap) -> None:
        self.map = map

    async def move(self, map: PoolMap) -> None:
        old = await self.master()
        await (await self._domains.find(map.master)).change({"ROLE": "Master"})
        await old.change({"ROLE": "Regular"})
        self.map = map

    async def owner(self) -> tuple[int, int]:
        """A lease manager that keeps no count shows as version -1."""
        owner = await (await self.master()).lease.inquire()
        return (owner.version or NONE, owner.host or NONE) if owner else (NONE, NONE)

    async def took(self, host: int) -> None:
        """The lease says it."""

    async def gave(self) -> None:
        """The lease says it."""
