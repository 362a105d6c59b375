"""Verbs about external leases (spec xmlrpc-storage 11). Changes are tasks of the SPM; any host may look."""

from typing import Any

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Struct, Uuid, struct, uuid
from virgate.errors import InvalidParameter
from virgate.node.node import Node

STORAGE = Family.STORAGE


@verb("Lease.create", xmlrpc="createLease", family=STORAGE)
async def create(node: Node, lease: Struct, metadata: Anything = None) -> Reply:
    """Make a lease `{sd_id, lease_id}`; `metadata` name the job that it stands for."""
    job = struct(metadata) if metadata else None
    return Reply({"uuid": await node.storage.external_leases.create(*_address(lease), job)})


@verb("Lease.delete", xmlrpc="deleteLease", family=STORAGE)
async def delete(node: Node, lease: Struct) -> Reply:
    """Remove a lease."""
    return Reply({"uuid": await node.storage.external_leases.delete(*_address(lease))})


@verb("Lease.info", xmlrpc="getLeaseInfo", family=STORAGE)
async def info(node: Node, lease: Struct) -> Reply:
    """Where a lease is: path and offset."""
    return Reply({"result": await node.storage.external_leases.info(*_address(lease))})


@verb("Lease.status", xmlrpc="getLeaseStatus", family=STORAGE)
async def status(node: Node, lease: Struct) -> Reply:
    """Which host holds a lease, and the job it stands for."""
    return Reply({"result": await node.storage.external_leases.status(*_address(lease))})


@verb("Lease.fence", xmlrpc="fenceLease", family=STORAGE)
async def fence(node: Node, lease: Struct, metadata: Struct) -> None:
    """End the pending job that a lease stands for, once no host holds the lease."""
    await node.storage.external_leases.fence(*_address(lease), metadata)


@verb("Lease.rebuild_leases", xmlrpc="rebuildLeases", family=STORAGE)
async def rebuild(node: Node, domain: Uuid) -> Reply:
    """Make the index of a domain's leases agree with what lies in their slots."""
    return Reply({"uuid": await node.storage.external_leases.rebuild(domain)})


def _address(lease: dict[str, Any]) -> tuple[str, str]:
    try:
        return uuid(lease["sd_id"]), uuid(lease["lease_id"])
    except KeyError as missing:
        raise InvalidParameter("lease", f"without {missing.args[0]}") from None
