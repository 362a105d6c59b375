"""Making and unmaking domains (createStorageDomain, formatStorageDomain)."""

from collections.abc import Sequence

from attrs import frozen

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.domains.domains import Domains, storage_type
from virgate.node.storage.errors import (
    DomainExists,
    FormatAttached,
    FormatInConnectedPool,
    NoSuchDomain,
    NotAscii,
    UnsupportedVersion,
)
from virgate.node.storage.formats.layout import BLOCK_512, MAX_HOSTS
from virgate.node.storage.repository import part
from virgate.node.storage.values import VERSIONS, Class


@frozen(kw_only=True)
class NewDomain:
    """A domain to be made."""

    type: type[StorageType]
    id: str
    name: str
    remote: str
    """What was connected, as the client named it; of a block domain the UUID of its volume group."""
    domain_class: Class
    version: int
    block_size: int = BLOCK_512
    """Bytes: 512, 4096, or 0 for what the storage has."""
    max_hosts: int = MAX_HOSTS


@frozen
class DomainMaker:
    domains: Domains

    async def create(
        self,
        type_wanted: object,
        domain: str,
        name: str,
        remote: str,
        domain_class: object,
        version: int,
        block_size: int = BLOCK_512,
        max_hosts: int = MAX_HOSTS,
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
        wanted = NewDomain(
            type=type,
            id=domain,
            name=name,
            remote=remote,
            domain_class=wanted_class,
            version=version,
            block_size=block_size,
            max_hosts=max_hosts,
        )
        if type.kind is Kind.FILE:
            from virgate.node.storage.file.making import make
        else:
            from virgate.node.storage.block.making import make
        await make(self.domains, wanted)

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
            await self._raze(domain)
        else:
            if record.pools and not auto_detach:
                raise FormatAttached(domain)
            await found.destroy()
            await self.domains.drop_helper(found)
        self.domains.forget()
        self.domains.drop_lease(domain)

    async def _raze(self, domain: str) -> None:
        """Without asking what it says of itself."""
        if self.domains.is_group(domain):
            await self.domains.lvm.remove_group(domain)
        else:
            path = await self.domains.folder_of(domain)
            await self.domains.helpers[str(path.parent)].call("remove_tree", str(path))

    async def _must_be_new(self, domain: str) -> None:
        try:
            await self.domains.find(domain)
        except NoSuchDomain:
            return
        except VirgateError:
            pass  # something of that name is there and broken
        raise DomainExists(domain)


def check_name(name: str, version: int) -> None:
    """Old domains keep their names in ASCII; a name is one line."""
    if len(name.splitlines()) > 1 or "\0" in name:
        raise InvalidParameter("name", name)
    if version < 3 and not name.isascii():
        raise NotAscii(name)
