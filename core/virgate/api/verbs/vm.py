"""Virtual machines: their life and what is known of them (spec xmlrpc-host-vm 2.2 to 2.4)."""

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Array, Flag, Integer, Struct, Text, Truthy
from virgate.node.node import Node
from virgate.node.vm import console as consoles
from virgate.node.vm import describe
from virgate.node.vm.polling import all_statistics, one_statistics
from virgate.node.vm.powerdown import power_down


@verb("VM.create", xmlrpc="create")
async def create(node: Node, params: Struct) -> Reply:
    """Define a machine and begin to start it. The answer comes before the guest runs; watch its status."""
    machine = await node.machines.create(params)
    return Reply({"vmList": describe.full(machine)})


@verb("VM.destroy", xmlrpc="destroy")
async def destroy(node: Node, vm: Text, attempts: Integer = 1) -> Reply:
    """Power a machine off at once and take it from the list. Also the way to remove a machine that is Down."""
    await node.machines.destroy(vm, attempts)
    return Reply(message="Machine destroyed")


@verb("Host.getVMList", xmlrpc="list")
async def list_(node: Node, full: Truthy = False, vms: Array = []) -> Reply:  # noqa: B006 (never changed)
    """List machines: id and status, or with `full` everything known. `vms` limits it to those ids."""
    wanted = [node.machines.get(vm) for vm in vms if isinstance(vm, str)] if vms else list(node.machines)
    form = describe.full if full else describe.short
    return Reply({"vmList": [form(machine) for machine in wanted if machine is not None]})


@verb("VM.pause", xmlrpc="pause")
async def pause(node: Node, vm: Text) -> Reply:
    """Stop the guest's CPUs. Memory and devices stay."""
    await node.machines.find(vm).pause()
    return Reply({"output": [""]})


@verb("VM.cont", xmlrpc="cont")
async def cont(node: Node, vm: Text) -> Reply:
    """Let a paused guest go on."""
    await node.machines.find(vm).cont()
    return Reply({"output": [""]})


@verb("VM.hibernate", xmlrpc="hibernate")
async def hibernate(node: Node, vm: Text, handle: Text) -> Reply:
    """Begin to save a machine to the volumes of the handle and to stop it. Watch its status."""
    from virgate.node.vm.hibernation.handle import Handle
    from virgate.node.vm.hibernation.save import hibernate

    hibernate(node.machines.find(vm), Handle.parse(handle))
    return Reply(message="Hibernation process starting")


@verb("VM.reset", xmlrpc="reset")
async def reset(node: Node, vm: Text) -> None:
    """Press the guest's reset button."""
    await node.machines.find(vm).reset()


@verb("VM.shutdown", xmlrpc="shutdown")
async def shutdown(
    node: Node,
    vm: Text,
    delay: Anything = None,
    message: Anything = None,
    reboot: Flag = False,
    timeout: Anything = None,  # noqa: ASYNC109 (the client's word for the guest, not for this call)
    force: Flag = False,
) -> Reply:
    """Ask the guest to go down or to reboot: guest agent, power button and, with `force`, the plug."""
    machine = node.machines.find(vm)
    power_down(machine, reboot=reboot, force=force, delay=delay, timeout=timeout, message=message)
    return Reply(message="Machine rebooting" if reboot else "Machine shutting down")


@verb("VM.getStats", xmlrpc="getVmStats")
async def get_vm_stats(node: Node, vm: Text) -> Reply:
    """What one machine uses and does."""
    return Reply({"statsList": [await one_statistics(node.machines, vm)]})


@verb("Host.getAllVmStats", xmlrpc="getAllVmStats")
async def get_all_vm_stats(node: Node) -> Reply:
    """What every machine uses and does."""
    return Reply({"statsList": await all_statistics(node.machines)})


@verb("VM.getConsole", xmlrpc="getVmConsole")
async def get_console(node: Node, vm: Text) -> Reply:
    """Where the machine's console can be opened on this host: kind (pty, unix, file) and path."""
    place = await consoles.find(node.machines.find(vm))
    return Reply({"console": {"type": place.kind, "path": place.path}})
