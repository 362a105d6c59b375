"""The pool that this host is connected to: its map, its role in it, its domains in the repository."""

from typing import Any, Protocol

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.monitor import Monitors
from virgate.node.storage.errors import MasterNotFound, NoIsoDomain, NoSuchDomain, WrongMaster
from virgate.node.storage.pools.map import Backend, PoolMap
from virgate.node.storage.pools.spm import Spm, can_be_master
from virgate.node.storage.values import ISO_IMAGE, Class, Status


class Attendant(Protocol):
    """What runs on every host of a pool as long as it is connected."""

    async def joined(self, pool: "Pool") -> None:
        """The pool is shown, perhaps once more. Failures are its own business."""

    async def left(self) -> None:
        """The pool is about to be hidden. Nothing happens if it was not joined."""


@define(eq=False)
class Pool:
    log = Logger()

    id: str
    host: int
    backend: Backend
    spm: Spm
    domains: Domains
    monitors: Monitors
    shown: frozenset[str] = frozenset()
    """The domains that had a link when links were made last."""
    candidate: bool = True
    """Whether this host may be elected SPM: not after a command took the role from it."""
    attendants: list[Attendant] = field(factory=list)

    @property
    def map(self) -> PoolMap:
        return self.backend.map

    async def master(self) -> Domain:
        return await self.backend.master()

    async def verify(self, master_version: int) -> None:
        """That the master is the pool's, in this version; `MasterNotFound` (304), `WrongMaster` (324)."""
        try:
            master = await self.master()
        except NoSuchDomain:
            raise MasterNotFound(self.id, self.map.master) from None
        record = await master.refresh()
        map = await self.backend.read()
        right = record.is_master and can_be_master(master) and self.id in record.pools and map.version == master_version
        if not right or map.domains.get(map.master) is not Status.ACTIVE:
            raise WrongMaster(self.id, map.master, master_version)

    async def renew(self, backend: Backend, master_version: int) -> None:
        """Goes on with another map; the old one stays if the new one is not right."""
        old = self.backend
        self.backend = self.spm.backend = backend
        try:
            await self.verify(master_version)
        except BaseException:
            self.backend = self.spm.backend = old
            raise

    async def show(self) -> None:
        """Links and watches exactly the active domains; one that is not visible is watched, too."""
        paths = {}
        for domain in self.map.active:
            try:
                paths[domain] = (await self.domains.find(domain)).path
            except VirgateError as problem:
                self.log.warn("pool {pool}: {problem}", pool=self.id, problem=problem)
        await self.domains.repository.show_pool(self.id, paths, self.map.master)
        self.shown = frozenset(paths)
        await self.monitors.watch(self.map.active, self.host)
        for attendant in self.attendants:
            await attendant.joined(self)

    async def hide(self) -> None:
        for attendant in reversed(self.attendants):
            await attendant.left()
        await self.monitors.watch((), self.host)
        await self.domains.repository.hide_pool(self.id)

    async def info(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """`info` and `dominfo` of getStoragePoolInfo (spec xmlrpc-storage 4.2)."""
        map = await self.backend.read()
        master = await self.master()
        version, owner = await self.backend.owner()
        info = {
            "type": master.type.name,
            "name": map.name,
            "domains": ",".join(f"{domain}:{status.value}" for domain, status in map.domains.items()),
            "master_uuid": map.master,
            "master_ver": map.version,
            "lver": version,
            "spm_id": owner,
            "version": str(master.version),
            "isoprefix": await self._iso_prefix(),
            "pool_status": "connected",
        }
        return info, {domain: self._domain_info(domain, status) for domain, status in map.domains.items()}

    def _domain_info(self, domain: str, status: Status) -> dict[str, Any]:
        found = self.domains.known().get(domain)
        told: dict[str, Any] = {"status": status.value, "alerts": [], "isoprefix": ""}
        if found is not None and found.record.domain_class is Class.Iso:
            told["isoprefix"] = str(found.path / "images" / ISO_IMAGE)
        if status is Status.ACTIVE:
            monitor = self.monitors.get(domain)
            told["version"] = monitor.version if monitor else -1
            if monitor is not None and monitor.health is not None:
                told |= {"disktotal": str(monitor.health.total), "diskfree": str(monitor.health.free)}
        return told

    async def _iso_prefix(self) -> str:
        try:
            return str((await self.iso_domain()).path / "images" / ISO_IMAGE)
        except NoIsoDomain:
            return ""

    async def iso_domain(self) -> Domain:
        """The first active domain of ISO files; `NoIsoDomain` (314)."""
        for domain in self.map.active:
            found = self.domains.known().get(domain)
            if found is not None and found.record.domain_class is Class.Iso:
                return found
        raise NoIsoDomain(self.id)
