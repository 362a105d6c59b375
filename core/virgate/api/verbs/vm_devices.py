"""Devices of running machines: plugged, unplugged, changed (spec xmlrpc-host-vm 2.7, 2.8, 2.11)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Array, Struct, Text
from virgate.domxml.errors import MissingParameter
from virgate.node.node import Node
from virgate.node.vm import describe

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


def _machine(node: Node, params: Mapping[str, Any], member: str) -> "Machine":
    """What is missing is told before a machine that is not there."""
    vm = params.get("vmId") or params.get("vmID")
    if not vm:
        raise MissingParameter.named("vmId")
    if not params.get(member) and not params.get("xml"):
        raise MissingParameter.named(member)
    return node.machines.find(str(vm))


async def _changed(machine: "Machine", change: Callable[..., Awaitable[Any]], *arguments: Any) -> Reply:
    """The whole machine as it is after the change."""
    await change(machine, *arguments)
    return Reply({"vmList": describe.full(machine)})


@verb("VM.hotplugDisk", xmlrpc="hotplugDisk")
async def hotplug_disk(node: Node, params: Struct) -> Reply:
    """Add a disk to a running machine: `drive`, or a document in `xml`."""
    from virgate.node.vm.plugging import disk

    return await _changed(_machine(node, params, "drive"), disk.plug, params)


@verb("VM.hotunplugDisk", xmlrpc="hotunplugDisk")
async def hotunplug_disk(node: Node, params: Struct) -> Reply:
    """Take a disk from a running machine. Comes back when the guest has let it go."""
    from virgate.node.vm.plugging import disk

    return await _changed(_machine(node, params, "drive"), disk.unplug, params)


@verb("VM.hotplugNic", xmlrpc="hotplugNic")
async def hotplug_nic(node: Node, params: Struct) -> Reply:
    """Add a network interface to a running machine: `nic`, or a document in `xml`."""
    from virgate.node.vm.plugging import nic

    return await _changed(_machine(node, params, "nic"), nic.plug, params)


@verb("VM.hotunplugNic", xmlrpc="hotunplugNic")
async def hotunplug_nic(node: Node, params: Struct) -> Reply:
    """Take a network interface from a running machine. Comes back when the guest has let it go."""
    from virgate.node.vm.plugging import nic

    return await _changed(_machine(node, params, "nic"), nic.unplug, params)


@verb("VM.hotplugMemory", xmlrpc="hotplugMemory")
async def hotplug_memory(node: Node, params: Struct) -> Reply:
    """Add memory to a running machine that was created with room for it."""
    from virgate.node.vm.plugging import memory

    return await _changed(_machine(node, params, "memory"), memory.plug, params)


@verb("VM.hotunplugMemory", xmlrpc="hotunplugMemory")
async def hotunplug_memory(node: Node, params: Struct) -> Reply:
    """Take a memory module from a running machine. Comes back when the guest has let it go."""
    from virgate.node.vm.plugging import memory

    return await _changed(_machine(node, params, "memory"), memory.unplug, params)


@verb("VM.hotplugLease", xmlrpc="hotplugLease")
async def hotplug_lease(node: Node, vm: Text, lease: Struct) -> Reply:
    """Let a running machine hold an external lease (sd_id, lease_id)."""
    from virgate.node.vm.plugging import lease as leases

    return await _changed(node.machines.find(vm), leases.plug, lease)


@verb("VM.hotunplugLease", xmlrpc="hotunplugLease")
async def hotunplug_lease(node: Node, vm: Text, lease: Struct) -> Reply:
    """Let a running machine give an external lease back."""
    from virgate.node.vm.plugging import lease as leases

    return await _changed(node.machines.find(vm), leases.unplug, lease)


@verb("VM.hostdevHotplug", xmlrpc="hostdevHotplug")
async def hotplug_host_devices(node: Node, vm: Text, devices: Array) -> Reply:
    """Lend devices of the host to a running machine; answers those that it got."""
    from virgate.node.vm.plugging import hostdev

    return Reply({"assignedDevices": await hostdev.plug(node.machines.find(vm), [str(one) for one in devices])})


@verb("VM.hostdevHotunplug", xmlrpc="hostdevHotunplug")
async def hotunplug_host_devices(node: Node, vm: Text, devices: Array) -> Reply:
    """Take devices of the host back from a running machine."""
    from virgate.node.vm.plugging import hostdev

    return Reply({"unpluggedDevices": await hostdev.unplug(node.machines.find(vm), [str(one) for one in devices])})


@verb("VM.hotplugHostdev", xmlrpc="hotplugHostdev")
async def hotplug_host_device_documents(node: Node, vm: Text, devices: Array) -> Reply | None:
    """Lend devices of the host, each given as XML, to a running machine."""
    return await hotplug_host_devices(node, vm, devices)


@verb("VM.hotunplugHostdev", xmlrpc="hotunplugHostdev")
async def hotunplug_host_device_documents(node: Node, vm: Text, devices: Array) -> Reply | None:
    """Take devices of the host, each given as XML, back from a running machine."""
    return await hotunplug_host_devices(node, vm, devices)


@verb("VM.setNumberOfCpus", xmlrpc="setNumberOfCpus")
async def set_number_of_cpus(node: Node, vm: Text, number: Anything = None, cpusets: Array = []) -> Reply:  # noqa: B006
    """Change how many CPUs a running machine has; `cpusets` says for each where it may run on the host."""
    from virgate.node.vm.plugging import cpus

    return await _changed(node.machines.find(vm), cpus.set_number, number, cpusets)


@verb("VM.changeCD", xmlrpc="changeCD")
async def change_cd(node: Node, vm: Text, medium: Anything = "") -> Reply:
    """Put a path or a volume into the CD drive; nothing ejects."""
    from virgate.node.vm.plugging import media

    return await _changed(node.machines.find(vm), media.change_cd, medium)


@verb("VM.changeFloppy", xmlrpc="changeFloppy")
async def change_floppy(node: Node, vm: Text, medium: Anything = "") -> Reply:
    """Put a path or a volume into the floppy drive; nothing ejects."""
    from virgate.node.vm.plugging import media

    return await _changed(node.machines.find(vm), media.change_floppy, medium)


@verb("VM.updateDevice", xmlrpc="vmUpdateDevice", secret=("params",))
async def update_device(node: Node, vm: Text, params: Struct) -> Reply:
    """Change a network interface of a running machine, or the password of a display."""
    from virgate.node.vm.plugging import update

    update.kind_of(params)
    return await _changed(node.machines.find(vm), update.update, params)


@verb("VM.setTicket", xmlrpc="setVmTicket", secret=("password",))
async def set_ticket(
    node: Node, vm: Text, password: Text, ttl: Anything = 0, action: Text = "disconnect", params: Anything = None
) -> None:
    """Set the password of a machine's first display, and for how many seconds it opens it."""
    from virgate.node.vm.plugging import tickets

    await tickets.set_ticket(
        node.machines.find(vm), password, ttl, action, params if isinstance(params, Mapping) else {}
    )
