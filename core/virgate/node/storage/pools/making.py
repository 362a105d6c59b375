"""Making a pool, and making its metadata anew on another master: what a host does that is in no pool."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.leases import RESERVED_HOST, LeaseParameters
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.guard import guarded
from virgate.node.storage.domains.record import MASTER, NONE, written_domains, written_lease
from virgate.node.storage.errors import AlreadyAttached, DomainAccess, NotAscii, PoolNameTooLong, TooManyDomains
from virgate.node.storage.pools.membership import (
    check_attachable,
    check_class,
    check_version,
    join_pool,
    most_domains,
)
from virgate.node.storage.repository import part
from virgate.node.storage.values import Class, Status

NAME_LIMIT = 50


@frozen
class PoolMaker:
    domains: Domains

    async def create(
        self,
        pool: str,
        name: str,
        master: str,
        members: Sequence[str],
        version: int,
        lease: LeaseParameters | None,
    ) -> None:
        """Writes the pool into its master and attaches the other domains. No host is connected to it afterwards."""
        part(pool)
        if master not in members:
            raise InvalidParameter("masterDom", master)
        head = await self._usable(master)
        if len(set(members)) > most_domains(head):
            raise TooManyDomains(pool)
        found = {domain: await self._usable(domain) for domain in dict.fromkeys(members)}
        check_pool_name(name, head.version)
        check_class(head.record)
        for domain in found.values():
            if domain.record.pools and domain.record.domain_class is not Class.Iso:
                raise AlreadyAttached(domain.id, domain.record.pools[0])
            check_version(domain.record, head.version, exactly=True)
        async with guarded(head, RESERVED_HOST):
            statuses = dict.fromkeys(found, Status.ATTACHED) | {master: Status.ACTIVE}
            await self._write(head, pool, name, version, {master: Status.ACTIVE}, lease)
            for domain in found.values():
                if domain is not head:
                    async with guarded(domain, RESERVED_HOST):
                        await join_pool(domain, pool)
            await head.change({"POOL_DOMAINS": written_domains(statuses)})

    async def reconstruct(
        self,
        pool: str,
        name: str,
        master: str,
        domains: Mapping[str, object],
        version: int,
        lease: LeaseParameters | None,
        host: int | None,
    ) -> None:
        """Writes the pool anew into another master; the old one is not touched. The host id stays if one was given."""
        part(pool)
        if master not in domains:
            raise InvalidParameter("masterDom", master)
        statuses = {part(domain): Status.read(status) for domain, status in domains.items()}
        head = await self._usable(master)
        check_pool_name(name, head.version)
        check_class(head.record)
        check_attachable(head.record, pool)
        if host is not None:
            await head.lease.join(host)
        async with guarded(head, RESERVED_HOST if host is None else host):
            await self._write(head, pool, name, version, statuses, lease)

    async def _write(
        self,
        head: Domain,
        pool: str,
        name: str,
        version: int,
        statuses: Mapping[str, Status],
        lease: LeaseParameters | None,
    ) -> None:
        """One write: the pool is there as a whole or not at all."""
        await head.change(
            {
                "POOL_DESCRIPTION": name,
                "POOL_SPM_ID": NONE,
                "POOL_SPM_LVER": NONE,
                "MASTER_VERSION": version,
                "POOL_DOMAINS": written_domains(statuses),
                **written_lease(lease or LeaseParameters()),
                **({} if lease else {"LOCKPOLICY": "ON"}),
                "POOL_UUID": pool,
                "ROLE": MASTER,
            }
        )

    async def _usable(self, domain: str) -> Domain:
        """`DomainAccess` (379) for one that is missing or damaged."""
        try:
            found = await self.domains.find(domain)
            await found.refresh()
        except (VirgateError, OSError):
            raise DomainAccess(domain) from None
        return found


def check_pool_name(name: str, version: int) -> None:
    if len(name) > NAME_LIMIT:
        raise PoolNameTooLong(name)
    if len(name.splitlines()) > 1:
        raise InvalidParameter("poolName", name)
    if version < 3 and not name.isascii():
        raise NotAscii(name)


def lease_parameters(interval: int, lease: int, io_timeout: int, retries: int) -> LeaseParameters | None:
    """What a client gave, if it gave all four; None means the defaults."""
    if interval and lease and io_timeout and retries:
        return LeaseParameters(interval, lease, io_timeout, retries)
    return None
