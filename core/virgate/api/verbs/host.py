"""Verbs about the host: what it is, how busy it is, what it is made of."""

from typing import ClassVar

from virgate.api.verb import Caller, Reply, verb
from virgate.api.wire import Anything, Array, Flag, Struct, Text
from virgate.errors import VirgateError, error
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


@verb("Host.setKsmTune", xmlrpc="setKsmTune")
async def set_ksm_tune(node: Node, ksm_params: Struct) -> None:
    """Tune how the kernel merges same pages: run, merge_across_nodes, sleep_millisecs, pages_to_scan."""
    from virgate.node.host import ksm

    await ksm.tune(ksm_params)


@verb("Host.registerSecrets", xmlrpc="registerSecrets", secret=("secrets",))
async def register_secrets(node: Node, secrets: Array, clear: Flag = False) -> None:
    """Tell the hypervisor passwords of storage; with `clear` it forgets the others that came this way."""
    from virgate.node.host.secrets import register

    await register(node.hypervisor, secrets, clear=clear)


@verb("Host.unregisterSecrets", xmlrpc="unregisterSecrets")
async def unregister_secrets(node: Node, uuids: Array) -> None:
    """Make the hypervisor forget passwords of storage."""
    from virgate.node.host.secrets import unregister

    await unregister(node.hypervisor, uuids)


@error
class NoHostedEngine(VirgateError):
    """Nothing on this host keeps a manager's own machine running."""

    code: ClassVar[int] = 40
    text: ClassVar[str] = "Resource unavailable: this host has no Hosted Engine HA agent"


@error
class NoSuchMode(VirgateError):
    """Hosted Engine HA has two kinds of maintenance."""

    code: ClassVar[int] = 61
    text: ClassVar[str] = "Failed to set Hosted Engine HA policy: the mode is global or local, not {self.mode}"
    mode: str


@verb("Host.setHaMaintenanceMode", xmlrpc="setHaMaintenanceMode")
async def set_ha_maintenance_mode(node: Node, mode: Text, enabled: Anything) -> None:
    """Put the hosted engine into maintenance: refused, as this host has no agent for it."""
    if mode.lower() not in ("global", "local"):
        raise NoSuchMode(mode)
    raise NoHostedEngine()
