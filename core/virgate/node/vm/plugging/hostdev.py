"""Devices of the host that a running machine is lent and gives back (spec xmlrpc-host-vm 2.8, 2.11): without hooks."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.domxml import plugging, tree
from virgate.domxml.values import Conf
from virgate.errors import VirgateError
from virgate.libvirt import plugging as hypervisor
from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm.plugging import given, steps
from virgate.node.vm.plugging.errors import HostDeviceNotUnplugged, told_as
from virgate.node.vm.plugging.removal import Removal

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

log = Logger()


async def plug(machine: "Machine", wanted: Sequence[str]) -> list[str]:
    """Plugs devices by libvirt's names, or as documents; answers the names of those that the guest has now.

    One that cannot be plugged is no reason to keep the others back: the log says why.
    """
    plugged: list[str] = []
    async with steps.changing(machine):
        for one in wanted:
            try:
                plugged.append(await _plug(machine, _device(machine, one)))
            except HypervisorAway:
                raise
            except VirgateError as problem:
                log.warn("{vm} does not get {device}: {why}", vm=machine.id, device=_shown(one), why=str(problem))
        await machine.devices_changed()
    return plugged


async def _plug(machine: "Machine", device: Conf) -> str:
    means, record, name = machine.means, machine.record, str(device["device"])
    if _find(machine, name) is not None:
        return name
    async with AsyncExitStack() as undo:
        await lend(machine, name, undo)
        element = plugging.hostdev(record.conf, means.facts(), device)
        await steps.attach(machine, tree.one_line(element), undo)
    steps.add(machine, device)
    return name


async def lend(machine: "Machine", name: str, undo: AsyncExitStack) -> None:
    """Takes a device from the host's driver; `undo` gives it back."""
    means = machine.means
    if means.learn is not None:
        await means.learn({"devices": [{"type": "hostdev", "device": name}]})
    if means.host_devices is not None:
        lender = means.host_devices()
        await lender.detach(name)
        undo.push_async_callback(give_back, machine, name)


async def give_back(machine: "Machine", name: str) -> None:
    """Never raises: whoever needs the device again can ask for it (hostdevReattach)."""
    if machine.means.host_devices is None:
        return
    try:
        await machine.means.host_devices().reattach(name)
    except VirgateError as problem:
        log.warn("{device} does not go back to the host's driver: {why}", device=name, why=str(problem))


async def unplug(machine: "Machine", wanted: Sequence[str]) -> list[str]:
    """Answers the names of those that the guest has let go of. `HostDeviceNotUnplugged` (83) when it kept one."""
    names = [str(_device(machine, one)["device"]) for one in wanted]
    gone: list[str] = []
    with told_as(HostDeviceNotUnplugged):
        async with steps.changing(machine):
            for name in names:
                device = _find(machine, name)
                if device is None:
                    raise HostDeviceNotUnplugged(f"the machine does not have {name}")
                alias = str(device.get("alias"))
                ask = partial(hypervisor.ask_for, machine.means.domains, machine.id, alias)
                await Removal(machine, alias).run(ask)
                steps.forget(machine, device)
                await machine.devices_changed()
                await give_back(machine, name)
                gone.append(name)
    return gone


def _device(machine: "Machine", wanted: str) -> Conf:
    if wanted.lstrip().startswith("<"):
        return given.from_document(wanted, "hostdev").device
    return plugging.placed(machine.record.conf, {"type": "hostdev", "device": wanted})


def _find(machine: "Machine", name: str) -> Conf | None:
    devices: list[Conf] = machine.record.conf["devices"]
    return next((one for one in devices if one.get("type") == "hostdev" and one.get("device") == name), None)


def _shown(wanted: str) -> str:
    return "a device" if wanted.lstrip().startswith("<") else wanted
