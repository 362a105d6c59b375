"""Verbs about the host: what it is, how busy it is, what it is made of."""

from virgate.api.verb import Caller, Reply, verb
from virgate.node.node import Node


@verb("Host.getCapabilities", xmlrpc="getVdsCapabilities")
async def capabilities(node: Node, caller: Caller) -> Reply:
    """What this host is and can do: processors, memory, networks, versions, installed hook scripts."""
    info = await node.host.capabilities()
    info["lastClient"] = caller.peer
    info["lastClientIface"] = node.host.device_with(caller.local)
    return Reply({"info": info})


@verb("Host.getStats", xmlrpc="getVdsStats")
async def statistics(node: Node) -> Reply:
    """How busy this host is: processors, memory, network, storage domains, machines."""
    return Reply({"info": await node.host.statistics()})


@verb("Host.getHardwareInfo", xmlrpc="getVdsHardwareInfo")
async def hardware(node: Node) -> Reply:
    """Manufacturer, model and serial number of this host."""
    return Reply({"info": await node.host.hardware()})
