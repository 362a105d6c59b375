"""Making and unmaking domains (createStorageDomain, formatStorageDomain)."""

from collections.abc import Sequence

from attrs import frozen

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage import file_domain
from virgate.node.storage.domains import Domains, storage_type
from virgate.node.storage.errors import (
    DomainExists,
    FormatAttached,
    FormatInConnectedPool,
    NoDirectIo,
    NoSuchDomain,
    NotAscii,
    NotEmpty,
    NotMounted,
    StorageUnusable,
    UnsupportedVersion,
    WrongDomainType,
)
from virgate.node.storage.formats.mount_name import normalize
from virgate.node.storage.record import new_record
from virgate.node.storage.repository import part
from virgate.node.storage.values import VERSIONS, Class


@frozen
class DomainMaker:
    domains: Domains

    async def create(
        self, type_wanted: object, domain: str, name: str, remote: str, domain_class: object, version: int
    ) -> None:
        """Makes a domain at a connected place. It is in no pool; a failure leaves nothing there."""
        part(domain)
        wanted_class = Class.numbered(domain_class)
        if version not in VERSIONS:
            raise UnsupportedVersion(version)
        type = await storage_type(self.domains.hooks, type_wanted)
        await self._must_be_new(domain)
        check_name(name, version)
        type.check_remote(remote)
        if type.kind is not Kind.FILE:
            raise WrongDomainType(type_wanted)
        await self._make_files(type, domain, name, remote, wanted_class, version)

    async def format(self, domain: str, auto_detach: bool, connected: Sequence[str], pool: str) -> None:
        """Destroys the domain with all its images, also when its metadata cannot be read."""
        part(domain)
        if domain in connected:
            raise FormatInConnectedPool(domain, pool)
        try:
            found = await self.domains.find(domain)
            record = await found.refresh()
        except NoSuchDomain:
            raise
        except VirgateError:
            path = await self.domains.folder_of(domain)
            await self.domains.helpers[str(path.parent)].call("remove_tree", str(path))
        else:
            if record.pools and not auto_detach:
                raise FormatAttached(domain)
            await found.destroy()
        self.domains.forget()
        self.domains.drop_lease(domain)

    async def _must_be_new(self, domain: str) -> None:
        try:
            await self.domains.find(domain)
        except NoSuchDomain:
            return
        except VirgateError:
            pass  # something of that name is there and broken
        raise DomainExists(domain)

    async def _make_files(
        self, type: type[StorageType], domain: str, name: str, remote: str, domain_class: Class, version: int
    ) -> None:
        mount = self.domains.repository.mount_point(remote)
        files = self.domains.helpers[str(mount)]
        if await self.domains.repository.files.call("read_link", str(mount)) is None and not await files.call(
            "list_folder", str(mount)
        ):
            raise NotMounted(remote)
        if problem := await files.call("check_folder", str(mount)):
            raise StorageUnusable(remote, problem)
        if not await files.call("direct_io_works", str(mount)):
            raise NoDirectIo(remote)
        if await files.call("anything_there", str(mount)):
            raise NotEmpty(remote)
        record = new_record(domain, name, type.name, domain_class, version, normalize(remote))
        path = mount / domain
        await file_domain.lay_out(files, path, record, self.domains.owner)
        self.domains.drop_lease(domain)
        lease = await self.domains.lease(record, path, type)
        await lease.initialize()
        self.domains.forget()


def check_name(name: str, version: int) -> None:
    """Old domains keep their names in ASCII; a name is one line."""
    if len(name.splitlines()) > 1 or "\0" in name:
        raise InvalidParameter("name", name)
    if version < 3 and not name.isascii():
        raise NotAscii(name)
