"""What clients poll every few seconds, with the hook points around it (spec hooks 1.6, 2.5)."""

from typing import TYPE_CHECKING, Any

from virgate.hookspecs.documents import JsonDocument
from virgate.hookspecs.errors import HookError
from virgate.node.vm.errors import StatsHookFailed
from virgate.node.vm.figures import statistics

if TYPE_CHECKING:
    from virgate.node.vm.registry import Machines


async def one_statistics(machines: "Machines", vm: str) -> Any:
    """The struct of one machine. Raises `NoSuchMachine`, `StatsHookFailed` (code 78)."""
    machine, hooks = machines.find(vm), machines.means.hooks
    try:
        await hooks.before_get_vm_stats(data=JsonDocument({}))
    except HookError as refused:
        raise StatsHookFailed(str(refused)) from refused
    found = JsonDocument([statistics(machine)])
    await hooks.after_get_vm_stats(data=found)
    return found.value[0]


async def all_statistics(machines: "Machines") -> Any:
    """The structs of all machines, those that are Down included."""
    hooks = machines.means.hooks
    await hooks.before_get_all_vm_stats(data=JsonDocument({}))
    found = JsonDocument([statistics(machine) for machine in machines])
    await hooks.after_get_all_vm_stats(data=found)
    return found.value
