"""The balloon: how much of its memory a running guest keeps (spec xmlrpc-host-vm 2.8, mom 7.3)."""

from typing import TYPE_CHECKING, Any

from virgate.domxml import metadata, tree
from virgate.domxml.values import flag, struct
from virgate.libvirt import tuning as hypervisor
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.errors import NoSuchMachine
from virgate.node.vm.plugging import steps
from virgate.node.vm.tuning.errors import BalloonUnavailable

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


async def set_target(machine: "Machine", kibibytes: Any) -> None:
    """Nothing happens, successfully, in a machine without a balloon. Raises `BalloonUnavailable` (53)."""
    try:
        target = int(str(kibibytes).strip())
    except ValueError:
        raise BalloonUnavailable(f"{kibibytes!r} is no number of KiB") from None
    try:
        steps.runs(machine)
    except NoSuchMachine:
        raise BalloonUnavailable("the guest does not run") from None
    if not await _wanted(machine):
        return
    try:
        await hypervisor.set_memory(machine.means.domains, machine.id, target)
        if note(machine, target):
            await _keep(machine, target)
    except HypervisorFailed as refused:
        raise BalloonUnavailable(refused.detail) from refused


async def _wanted(machine: "Machine") -> bool:
    devices = [one for one in machine.record.conf["devices"] if one.get("type") == "balloon"]
    model = str(struct(devices[0], "specParams").get("model", "virtio")) if devices else "none"
    return model != "none" and flag(machine.record.conf.get("ballooningEnabled", True))


def note(machine: "Machine", target: int) -> bool:
    """Whether the target is another than before. Conf and statistics tell it at once."""
    changed = False
    for device in machine.record.conf["devices"]:
        if device.get("type") == "balloon" and device.get("target") != target:
            device["target"], changed = target, True
    machine.figures.retarget(target)
    return changed


async def _keep(machine: "Machine", target: int) -> None:
    """A daemon that is started later, and other programs of the family, find it in the domain."""

    def change(text: str | None) -> str:
        vm = tree.parse(text) if text else metadata.encode(metadata.VmMetadata())
        if not str(vm.tag).startswith("{"):
            for one in vm.iter():
                one.tag = f"{{{metadata.VM}}}{one.tag}"
        metadata.update(vm, {"balloonTarget": target})
        return metadata.bare(vm)

    await hypervisor.rewrite_metadata(machine.means.domains, machine.id, change, "ovirt-vm", metadata.VM)
