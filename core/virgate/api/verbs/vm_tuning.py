"""Limits of running machines: memory, processors, disks, policy (spec xmlrpc-host-vm 2.8)."""

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Array, Struct, Text
from virgate.domxml.errors import MissingParameter
from virgate.node.node import Node
from virgate.node.vm.describe import wire


@verb("VM.setBalloonTarget", xmlrpc="setBalloonTarget")
async def set_balloon_target(node: Node, vm: Text, target: Anything) -> None:
    """Set how much memory (KiB) the balloon leaves to the guest."""
    from virgate.node.vm.tuning import balloon

    await balloon.set_target(node.machines.find(vm), target)


@verb("VM.setCpuTuneQuota", xmlrpc="vmSetCpuTuneQuota")
async def set_cpu_tune_quota(node: Node, vm: Text, quota: Anything) -> None:
    """Set how many microseconds of a period each CPU of a machine may run; negative: no limit."""
    from virgate.node.vm.tuning import processors

    await processors.set_quota(node.machines.find(vm), quota)


@verb("VM.setCpuTunePeriod", xmlrpc="vmSetCpuTunePeriod")
async def set_cpu_tune_period(node: Node, vm: Text, period: Anything) -> None:
    """Set the period of a machine's CPU quota, in microseconds."""
    from virgate.node.vm.tuning import processors

    await processors.set_period(node.machines.find(vm), period)


@verb("VM.updateVmPolicy", xmlrpc="updateVmPolicy")
async def update_vm_policy(node: Node, params: Struct) -> None:
    """Change a machine's CPU and I/O policy: `vcpuLimit`, `ioTune`."""
    from virgate.node.vm.tuning import policy

    vm = params.get("vmId") or params.get("vmID")
    if not vm:
        raise MissingParameter.named("vmId")
    await policy.update(node.machines.find(str(vm)), params)


@verb("VM.getIoTunePolicy", xmlrpc="getIoTunePolicy")
async def get_io_tune_policy(node: Node, vm: Text) -> Reply:
    """The I/O policy of a machine's disks."""
    from virgate.node.vm.tuning import policy

    return Reply({"ioTunePolicy": wire(await policy.io_policy(node.machines.find(vm)))})


@verb("VM.getIoTune", xmlrpc="getIoTune")
async def get_io_tune(node: Node, vm: Text) -> Reply:
    """The I/O limits of a machine's disks."""
    from virgate.node.vm.tuning import disks

    return Reply({"ioTune": wire(await disks.limits(node.machines.find(vm)))})


@verb("VM.setIoTune", xmlrpc="setIoTune")
async def set_io_tune(node: Node, vm: Text, tunables: Array) -> None:
    """Set the I/O limits of a machine's disks."""
    from virgate.node.vm.tuning import disks

    await disks.set_limits(node.machines.find(vm), tunables)


@verb("Host.getAllVmIoTunePolicies", xmlrpc="getAllVmIoTunePolicies")
async def get_all_vm_io_tune_policies(node: Node) -> Reply:
    """I/O policies and limits of all machines."""
    from virgate.node.vm.tuning.overview import policies

    return Reply({"io_tune_policies_dict": wire(await policies(node.machines))})
