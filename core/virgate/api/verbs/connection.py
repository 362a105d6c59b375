"""Verbs about the places of storage: servers, folders, targets (spec xmlrpc-storage 3.1)."""

from typing import Any

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Struct
from virgate.node.node import Node


@verb(
    "StoragePool.connectStorageServer",
    xmlrpc="connectStorageServer",
    family=Family.STORAGE,
    default_code=451,
    secret=("connections",),
)
async def connect(node: Node, type: Anything, pool: Anything, connections: Array, options: Anything = None) -> Reply:
    """Make places of storage reachable from this host; each gets a status of its own."""
    return _statuses(await node.storage.servers.connect(type, connections))


@verb(
    "StoragePool.disconnectStorageServer",
    xmlrpc="disconnectStorageServer",
    family=Family.STORAGE,
    default_code=452,
    secret=("connections",),
)
async def disconnect(node: Node, type: Anything, pool: Anything, connections: Array, options: Anything = None) -> Reply:
    """End what connectStorageServer did."""
    return _statuses(await node.storage.servers.disconnect(type, connections))


@verb(
    "ConnectionRefs.acquire",
    xmlrpc="storageServer_ConnectionRefs_acquire",
    family=Family.STORAGE,
    secret=("references",),
)
async def acquire(node: Node, references: Struct) -> Reply:
    """Keep connections to storage servers: they are connected again whenever they are lost."""
    return Reply({"results": await node.storage.references.acquire(references)})


@verb("ConnectionRefs.release", xmlrpc="storageServer_ConnectionRefs_release", family=Family.STORAGE)
async def release(node: Node, references: Array) -> Reply:
    """Stop keeping connections; one that nobody else uses is ended."""
    return Reply({"results": await node.storage.references.release(references)})


@verb(
    "ConnectionRefs.statuses",
    xmlrpc="storageServer_ConnectionRefs_statuses",
    family=Family.STORAGE,
    default_code=450,
)
async def statuses(node: Node) -> Reply:
    """The connections that are kept, and how they are."""
    return Reply({"connectionslist": node.storage.references.statuses()})


def _statuses(found: list[tuple[str, int]]) -> Reply:
    told: list[dict[str, Any]] = [{"id": id, "status": status} for id, status in found]
    return Reply({"statuslist": told})
