"""Verbs about the descriptions of machines kept on a master or backup domain (spec xmlrpc-storage 3.6)."""

from typing import Any

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Text
from virgate.errors import InvalidParameter
from virgate.node.node import Node

STORAGE = Family.STORAGE


@verb("StoragePool.updateVMs", xmlrpc="updateVM", family=STORAGE)
async def update(node: Node, pool: Text, machines: Array, domain: Anything = None, options: Anything = None) -> None:
    """Keep the OVF of machines."""
    await node.storage.machine_files.update(pool, [_item(item) for item in machines if item], domain)


@verb("StoragePool.removeVM", xmlrpc="removeVM", family=STORAGE)
async def remove(node: Node, pool: Text, machine: Text, domain: Anything = None, options: Anything = None) -> None:
    """Forget a machine's OVF."""
    await node.storage.machine_files.remove(pool, machine, domain)


@verb("StoragePool.getBackedUpVmsList", xmlrpc="getVmsList", family=STORAGE)
async def names(node: Node, pool: Text, domain: Anything = None, options: Anything = None) -> Reply:
    """The machines whose OVF is kept."""
    return Reply({"vmlist": await node.storage.machine_files.names(pool, domain)})


@verb("StoragePool.getBackedUpVmsInfo", xmlrpc="getVmsInfo", family=STORAGE)
async def contents(
    node: Node, pool: Text, domain: Anything, machines: Anything = None, options: Anything = None
) -> Reply:
    """The OVF of machines."""
    return Reply({"vmlist": await node.storage.machine_files.contents(pool, domain, machines or [])})


def _item(item: Any) -> tuple[str, str]:
    for key in ("vm", "ovf", "imglist"):
        if not isinstance(item, dict) or key not in item:
            raise InvalidParameter("vmList", key)
    return str(item["vm"]), str(item["ovf"])
