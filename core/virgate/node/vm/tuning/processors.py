"""How much of the host's processors a running machine gets (spec xmlrpc-host-vm 2.8, mom 7.3)."""

from typing import TYPE_CHECKING, Any

from virgate.libvirt import tuning as hypervisor
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm import readback
from virgate.node.vm.plugging import steps
from virgate.node.vm.tuning.errors import CpuTuneUnavailable

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


async def set_quota(machine: "Machine", microseconds: Any) -> None:
    """What each processor may run in a period; negative: all of it. Raises `CpuTuneUnavailable` (62)."""
    await _set(machine, "vcpu_quota", microseconds)


async def set_period(machine: "Machine", microseconds: Any) -> None:
    """How long a period is. Raises `CpuTuneUnavailable` (62)."""
    await _set(machine, "vcpu_period", microseconds)


async def _set(machine: "Machine", name: str, value: Any) -> None:
    try:
        wanted = int(str(value).strip())
    except ValueError:
        raise CpuTuneUnavailable(f"{value!r} is no number of microseconds") from None
    steps.runs(machine)
    try:
        await hypervisor.schedule(machine.means.domains, machine.id, **{name: wanted})
    except HypervisorFailed as refused:
        raise CpuTuneUnavailable(refused.detail) from refused
    await machine.document()
    readback.refresh(machine)
