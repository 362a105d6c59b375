"""Verbs about the host's own devices that machines could have."""

from typing import TYPE_CHECKING

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Integer, Text, array
from virgate.hookspecs.documents import JsonDocument
from virgate.node.node import Node

if TYPE_CHECKING:
    from virgate.node.host.hostdev import HostDevices


def _devices(node: Node) -> "HostDevices":
    from virgate.node.host.hostdev import HostDevices

    return HostDevices(node.hypervisor)


@verb("Host.hostdevListByCaps", xmlrpc="hostdevListByCaps")
async def list_by_caps(node: Node, caps: Anything = None) -> Reply:
    """Devices of this host that machines could use; of some kinds only (pci, usb_device, scsi, net, system)."""
    kinds = [str(kind) for kind in array(caps)] if caps else []
    found = JsonDocument(await _devices(node).list(kinds))
    await node.hooks.after_hostdev_list_by_caps(data=found)
    return Reply({"deviceList": found.value})


@verb("Host.hostdevChangeNumvfs", xmlrpc="hostdevChangeNumvfs")
async def change_functions(node: Node, device_name: Text, numvfs: Integer) -> None:
    """Set how many virtual functions a device has."""
    await _devices(node).change_functions(device_name, numvfs)


@verb("Host.hostdevReattach", xmlrpc="hostdevReattach")
async def reattach(node: Node, device_name: Text) -> None:
    """Give a device back to the host's own driver."""
    await _devices(node).reattach(device_name)
