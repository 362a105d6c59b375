"""Verbs about the places of storage: servers, folders, targets (spec xmlrpc-storage 3.1)."""

from typing import Any

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array
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


def _statuses(found: list[tuple[str, int]]) -> Reply:
    told: list[dict[str, Any]] = [{"id": id, "status": status} for id, status in found]
    return Reply({"statuslist": told})
