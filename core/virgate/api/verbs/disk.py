"""Verbs about disks that no machine uses."""

from virgate.api.verb import Reply, verb
from virgate.api.wire import BLANK_UUID, Struct, Text
from virgate.node.node import Node


@verb("VM.getDiskAlignment", xmlrpc="getDiskAlignment")
async def alignment(node: Node, vm: Text, disk: Struct) -> Reply:
    """Whether a disk's partitions are aligned; the machine's id is the blank one."""
    from virgate.node.host.alignment import OnlyForDisks, scan_disk
    from virgate.node.vm.disks import HostDisks

    if vm != BLANK_UUID:
        raise OnlyForDisks(vm)
    return Reply({"alignment": await scan_disk(HostDisks(node.storage.images), disk)})
