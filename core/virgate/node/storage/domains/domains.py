"""The domains that this host sees: found under the connected places, remembered, made into objects."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseManager, LeaseSpace
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.record import DomainRecord
from virgate.node.storage.errors import DomainAccess, NoLeaseManager, NoSuchDomain, WrongDomainType
from virgate.node.storage.file.domain import FileDomain
from virgate.node.storage.formats.sizes import CHUNK
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.repository import BLOCK_DOMAINS, Repository
from virgate.node.storage.values import Files
from virgate.plugins import Hooks
from virgate.units import Size

if TYPE_CHECKING:  # only hosts with disks of storage networks load them
    from virgate.node.storage.devices.devices import Devices
    from virgate.node.storage.devices.settings import DeviceSettings
    from virgate.node.storage.lvm.lvm import Lvm

TYPES = {1: "nfs", 2: "fcp", 3: "iscsi", 4: "localfs", 5: "cifs", 6: "posixfs", 7: "glusterfs"}
"""What the numbers of the old API mean (spec xmlrpc-storage 2)."""


class FilesOf(Protocol):
    """The helper of each mount: `virgate.run.helper.Helpers`."""

    def __getitem__(self, key: str) -> Files: ...

    async def drop(self, key: str) -> None: ...

    async def close(self) -> None: ...


async def storage_type(hooks: Hooks, wanted: object) -> type[StorageType]:
    """The class for a number or name; `WrongDomainType` (372) if no plugin has it."""
    text = str(wanted).strip().lower()
    name = TYPES.get(int(text), text) if text.isdecimal() else text
    found: type[StorageType] | None = await hooks.storage_domain_type(name=name)
    if found is None:
        raise WrongDomainType(wanted)
    return found


@define(eq=False)
class Domains:
    """Asked by id; looks at storage only for an id it does not know."""

    log = Logger()

    repository: Repository
    helpers: FilesOf
    hooks: Hooks
    qemu: QemuImg
    owner: Sequence[int] | None = None
    device_settings: "DeviceSettings | None" = None
    lvm_method: str = "devices"
    chunk: Size = CHUNK
    """What a thin volume on block storage begins with."""
    term: Callable[[str], object | None] = lambda domain: None
    """The same object for as long as this host alone may change the domain, None while it may not."""
    _found: dict[str, Domain] = field(factory=dict)
    _unsure: set[str] = field(factory=set)
    """Domains whose place may have changed since they were found."""
    _broken: dict[str, tuple[Path, VirgateError]] = field(factory=dict)
    """Domains that are there and cannot be used: where, and why."""
    _leases: dict[str, LeaseManager] = field(factory=dict)
    _devices: "Devices | None" = None
    _lvm: "Lvm | None" = None
    _met: set[str] = field(factory=set)
    """Block domains that were opened since the daemon started."""
    _groups: DeferredLock = field(factory=DeferredLock)

    @property
    def devices(self) -> "Devices":
        """The disks of this host."""
        if self._devices is None:
            from virgate.node.storage.devices.devices import Devices
            from virgate.node.storage.devices.settings import DeviceSettings

            self._devices = Devices(self.helpers, self.device_settings or DeviceSettings())
        return self._devices

    @property
    def lvm(self) -> "Lvm":
        """The volume groups on those disks."""
        if self._lvm is None:
            from virgate.node.storage.lvm.commands import Method
            from virgate.node.storage.lvm.lvm import Lvm

            method = Method(self.lvm_method)
            self._lvm = Lvm(self.devices.paths_for_lvm, self.devices.rescan, method, forget=self.devices.forget)
        return self._lvm

    async def find(self, domain: str) -> Domain:
        """`NoSuchDomain` (358); for one that is there and cannot be used, what is wrong with it."""
        if domain in self._unsure and domain in self._found:
            await self._look_again(domain)
        if domain not in self._found:
            await self.scan()
        if domain in self._found:
            return self._found[domain]
        if domain in self._broken:
            raise self._broken[domain][1]
        raise NoSuchDomain(domain)

    async def _look_again(self, domain: str) -> None:
        """At its own place only: another one that hangs must not keep this one from being used."""
        self._unsure.discard(domain)
        known = self._found[domain]
        if domain not in await (self._look_at_groups() if known.kind is Kind.BLOCK else self._look(known.path.parent)):
            await self._lose(domain)

    async def all(self) -> list[Domain]:
        """Every usable domain, after a look at all connected places."""
        await self.scan()
        return [self._found[domain] for domain in sorted(self._found)]

    def known(self) -> Mapping[str, Domain]:
        """What was found so far."""
        return self._found

    def forget(self) -> None:
        """The next question looks at storage again."""
        self._unsure = set(self._found)

    async def close_groups(self) -> None:
        """Disks may go: what is active of block domains that no pool uses here is ended. They can be found again."""
        for domain in [known for known in self._found.values() if known.kind is Kind.BLOCK]:
            if domain.lease.joined is None:
                self._found.pop(domain.id, None)
                await self._close(domain)

    async def drop_helper(self, domain: Domain) -> None:
        """Of a block domain that is closed or gone; file domains have that of their mount."""
        if domain.kind is Kind.BLOCK:
            from virgate.node.storage.block.domain import helper_of

            await self.helpers.drop(helper_of(domain.id))

    def is_group(self, domain: str) -> bool:
        """Whether it was found as a volume group, usable or not."""
        known = self._found.get(domain)
        place = known.path.parent if known else self._broken.get(domain, (None,))[0]
        return place == self._block_domains

    async def folder_of(self, domain: str) -> Path:
        """The folder of a file domain, also if its metadata cannot be read."""
        for mount in await self.repository.connected():
            for name, _ in await self.helpers[str(mount)].call("find_domains", str(mount)):
                if name == domain:
                    return mount / domain
        raise NoSuchDomain(domain)

    async def scan(self) -> None:
        """Looks at every connected place at once. A place that does not answer is logged and left out."""
        self._unsure.clear()
        mounts = await self.repository.connected()
        looks = [Deferred.fromCoroutine(self._look(mount)) for mount in mounts]
        looks.append(Deferred.fromCoroutine(self._look_at_groups()))
        seen = {domain for found in await gatherResults(looks) for domain in found}
        for gone in set(self._found) - seen:
            await self._lose(gone)
        for place in {place for place, _ in self._broken.values()} - {*mounts, self._block_domains}:
            self._note(place, {})

    async def _lose(self, domain: str) -> None:
        """Another host formatted it, or its place is not connected any more."""
        gone = self._found.pop(domain, None)
        if gone is not None and gone.kind is Kind.BLOCK:
            await self._close(gone)

    async def _close(self, domain: Domain) -> None:
        try:
            await domain.close()
        except VirgateError as problem:
            self.log.warn("domain {domain} stays open: {problem}", domain=domain.id, problem=problem)
        await self.drop_helper(domain)

    async def _look(self, mount: Path) -> list[str]:
        try:
            found = await self.helpers[str(mount)].call("find_domains", str(mount))
        except (OSError, VirgateError) as problem:
            self.log.warn("no look at {mount}: {problem}", mount=str(mount), problem=problem)
            return [domain.id for domain in self._found.values() if domain.path.parent == mount]
        broken: dict[str, VirgateError] = {}
        usable = []
        for name, data in found:
            try:
                if data is None:
                    raise DomainAccess(name)
                await self._meet(mount / name, DomainRecord.decoded(data), Kind.FILE)
            except VirgateError as problem:
                self._refuse(name, problem)
                broken[name] = problem
            else:
                usable = [name]  # one domain per place: the first one counts
                break
        self._note(mount, broken)
        return usable

    def _note(self, mount: Path, broken: Mapping[str, VirgateError]) -> None:
        """At once, and for one place only: others may be looked at meanwhile."""
        kept = {name: entry for name, entry in self._broken.items() if entry[0] != mount}
        self._broken = {**kept, **{name: (mount, problem) for name, problem in broken.items()}}

    def _refuse(self, domain: str, problem: VirgateError) -> None:
        self.log.warn("domain {domain} is not usable: {problem}", domain=domain, problem=problem)
        self._found.pop(domain, None)

    @property
    def _block_domains(self) -> Path:
        return self.repository.mounts / BLOCK_DOMAINS

    async def _look_at_groups(self) -> list[str]:
        """All volume groups that are domains. Nothing is run on a host without disks that may hold one."""
        if not await self.devices.paths_for_lvm():
            self._note(self._block_domains, {})
            return []
        from virgate.node.storage.block.finding import find_groups

        await self._groups.acquire()
        try:
            found = await find_groups(self.lvm, self.helpers)
            broken: dict[str, VirgateError] = {}
            for name, record in found.items():
                try:
                    if isinstance(record, VirgateError):
                        raise record
                    await self._meet(self._block_domains / name, record, Kind.BLOCK)
                except VirgateError as problem:
                    self._refuse(name, problem)
                    broken[name] = problem
            self._note(self._block_domains, broken)
            return [name for name in found if name not in broken]
        except VirgateError as problem:
            self.log.warn("no look at volume groups: {problem}", problem=problem)
            return [domain.id for domain in self._found.values() if domain.kind is Kind.BLOCK]
        finally:
            self._groups.release()

    async def _meet(self, path: Path, record: DomainRecord, kind: Kind) -> None:
        """A domain known already stays the same object, with what was read now."""
        known = self._found.get(path.name)
        if known is not None and known.path == path and record.id == known.id:
            known.record = record
        else:
            self._found[path.name] = await self._make(path, record, kind)

    async def _make(self, path: Path, record: DomainRecord, kind: Kind) -> Domain:
        type = await storage_type(self.hooks, record.type)
        if record.id != path.name or type.kind is not kind:
            raise NoSuchDomain(path.name)
        lease = await self.lease(record, path, type)
        if kind is Kind.BLOCK:
            return await self._make_block(path, record, type, lease)
        files = self.helpers[str(path.parent)]
        return FileDomain(
            record, path, files, type, lease, repository=self.repository, qemu=self.qemu, owner=self.owner
        )

    async def _make_block(
        self, path: Path, record: DomainRecord, type: type[StorageType], lease: LeaseManager
    ) -> Domain:
        from virgate.node.storage.block.domain import BlockDomain, helper_of

        domain = BlockDomain(
            record,
            path,
            self.helpers[helper_of(record.id)],
            type,
            lease,
            lvm=self.lvm,
            repository=self.repository,
            qemu=self.qemu,
            owner=self.owner,
            chunk=self.chunk,
            term=lambda: self.term(record.id),
        )
        await domain.open(tidy=record.id not in self._met)
        self._met.add(record.id)
        return domain

    async def lease(self, record: DomainRecord, path: Path, type: type[StorageType]) -> LeaseManager:
        """The guard of a domain; one object per domain for the life of the daemon."""
        if record.id not in self._leases:
            name = type.lease(record.version)
            made = await self.hooks.lease_manager(name=name)
            if made is None:
                raise NoLeaseManager(name)
            space = LeaseSpace(
                record.id,
                path / "dom_md" / "ids",
                path / "dom_md" / "leases",
                record.block_size,
                record.alignment,
                record.lease_parameters,
            )
            self._leases[record.id] = made(space)
        return self._leases[record.id]

    def drop_lease(self, domain: str) -> None:
        """The domain is gone for good."""
        self._leases.pop(domain, None)
