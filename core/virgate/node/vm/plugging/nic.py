"""Nics of running machines (spec xmlrpc-host-vm 2.8, network 17.2, hooks 1.4)."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml import plugging, tree
from virgate.domxml.values import Conf, text
from virgate.errors import VirgateError
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm.plugging import given, hostdev, mirroring, steps
from virgate.node.vm.plugging.errors import NicNotPlugged, NicNotUnplugged, told_as
from virgate.node.vm.plugging.removal import Removal

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

log = Logger()


async def plug(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Raises `NicNotPlugged` (49) and what hooks raise; then nothing of the nic is left."""
    with told_as(NicNotPlugged):
        wanted = given.read(params, "nic", "interface")
        async with steps.changing(machine):
            await _plug(machine, wanted)


async def _plug(machine: "Machine", wanted: given.Given) -> None:
    hooks, record = machine.means.hooks, machine.record
    device = _placed(record.conf, wanted)
    async with AsyncExitStack() as undo:
        if device["device"] == "hostdev" and device.get("hostdev"):
            await hostdev.lend(machine, str(device["hostdev"]), undo)
        element = wanted.element
        if element is None:
            element = plugging.interface(record.conf, machine.means.facts(), device)
        document = steps.document_of(element, device, xml_form=wanted.xml_form)
        await hooks.before_nic_hotplug(vm=record.subject, device=document)
        device["macAddr"] = tree.attribute(tree.parse(document.text), "mac", "address") or device["macAddr"]
        undo.push_async_callback(_struck, machine, device)
        await steps.enlist(machine, device, *wanted.entries)
        try:
            await steps.attach(machine, document.text, undo)
        except VirgateError:
            await hooks.after_nic_hotplug_fail(vm=record.subject, device=document)
            raise
    await machine.devices_changed()
    await hooks.after_nic_hotplug(vm=record.subject, device=document)
    await _mirror(machine, device, document)


def _placed(conf: Conf, wanted: given.Given) -> Conf:
    device = dict(wanted.device) if wanted.xml_form else plugging.placed(conf, wanted.device)
    if device["device"] == "interface":
        device["device"] = "bridge"
    mac = text(device, "macAddr").lower()
    if not mac:
        raise NicNotPlugged("it has no address (macAddr)")
    if find(conf, {"macAddr": mac}) is not None:
        raise NicNotPlugged(f"the machine has a NIC with the address {mac} already")
    return device


async def _mirror(machine: "Machine", device: Conf, document: XmlDocument) -> None:
    """A nic that cannot be given the traffic it was plugged for goes again."""
    wanted = mirroring.networks(device)
    if not wanted:
        return
    found = find(machine.record.conf, device) or device
    try:
        await mirroring.begin(machine, text(found, "name"), wanted)
    except VirgateError as problem:
        try:
            await _unplug(machine, found, document)
        except VirgateError as kept:
            log.warn("a NIC of {vm} stays: {why}", vm=machine.id, why=str(kept))
        raise NicNotPlugged(str(problem)) from problem


async def unplug(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Comes back when the guest has let go. `NicNotUnplugged` (50): it is still there."""
    with told_as(NicNotUnplugged):
        wanted = given.read(params, "nic", "interface")
        async with steps.changing(machine):
            known = find(machine.record.conf, wanted.device)
            device, element = await steps.present(machine, known, NicNotUnplugged("NIC not found"))
            tap = tree.attribute(element, "target", "dev")
            mirrored = mirroring.networks(wanted.device) or mirroring.networks(device)
            await mirroring.end(machine, tap, mirrored)
            try:
                await _unplug(machine, device, steps.document_of(element, device, xml_form=wanted.xml_form))
            except BaseException:
                await mirroring.begin(machine, tap, mirroring.networks(device))
                raise


async def _unplug(machine: "Machine", device: Conf, document: XmlDocument) -> None:
    means, record = machine.means, machine.record
    await means.hooks.before_nic_hotunplug(vm=record.subject, device=document)
    alias = str(device.get("alias"))
    try:
        await Removal(machine, alias).run(partial(hypervisor.ask_for, means.domains, machine.id, alias))
    except VirgateError:
        await means.hooks.after_nic_hotunplug_fail(vm=record.subject, device=document)
        raise
    await gone(machine, device, document)


async def gone(machine: "Machine", device: Conf, document: XmlDocument) -> None:
    """What follows when the guest has let a nic go, however long that took."""
    steps.forget(machine, device)
    await machine.devices_changed()
    if device.get("device") == "hostdev" and device.get("hostdev"):
        await hostdev.give_back(machine, str(device["hostdev"]))
    await machine.means.hooks.after_nic_hotunplug(vm=machine.record.subject, device=document)


def find(conf: Mapping[str, Any], wanted: Mapping[str, Any]) -> Conf | None:
    """The nic that a client means: by its address in any case, or by its alias."""
    nics: list[Conf] = [one for one in conf["devices"] if one.get("type") == "interface"]
    if mac := text(wanted, "macAddr").lower():
        return next((one for one in nics if text(one, "macAddr").lower() == mac), None)
    alias = text(wanted, "alias")
    return next((one for one in nics if alias and one.get("alias") == alias), None)


async def _struck(machine: "Machine", device: Conf) -> None:
    try:
        await steps.strike(machine, device)
    except VirgateError as problem:
        log.warn("a NIC of {vm} stays noted: {why}", vm=machine.id, why=str(problem))
