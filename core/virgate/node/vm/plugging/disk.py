"""Disks of running machines (spec xmlrpc-host-vm 2.7, hooks 1.4)."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml import drives, plugging, tree
from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.domxml.values import Conf, text
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm import readback
from virgate.node.vm.plugging import given, steps
from virgate.node.vm.plugging.errors import DiskNotPlugged, DiskNotUnplugged, told_as
from virgate.node.vm.plugging.removal import Removal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from virgate.node.vm.guarding import Guard
    from virgate.node.vm.machine import Machine

IDS = ("domainID", "imageID", "volumeID")

log = Logger()


async def plug(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Raises `DiskNotPlugged` (45) and what hooks raise; then nothing of the disk is left."""
    with told_as(DiskNotPlugged):
        wanted = given.read(params, "drive", "disk")
        async with steps.changing(machine):
            await _plug(machine, wanted)


async def _plug(machine: "Machine", wanted: given.Given) -> None:
    means, record = machine.means, machine.record
    device = _placed(record.conf, wanted)
    request = drives.disk_request(device)
    async with AsyncExitStack() as undo:
        source = await means.disks.prepare(request)
        undo.push_async_callback(_quietly, machine, partial(means.disks.teardown, request))
        guard = await means.guards.take(machine.id, [request])
        if guard is not None:
            undo.callback(guard.end)
        document = steps.document_of(_element(machine, wanted, device, source), device, xml_form=wanted.xml_form)
        await means.hooks.before_disk_hotplug(vm=record.subject, device=document)
        device["name"] = tree.attribute(tree.parse(document.text), "target", "dev") or device["name"]
        undo.push_async_callback(_quietly, machine, partial(steps.strike, machine, device))
        record.disks = (*record.disks, drives.disk_request(device))
        readback.note_chain({"devices": [device]}, drives.disk_request(device), source)
        await steps.enlist(machine, device, *wanted.entries)
        await steps.attach(machine, document.text, undo, partial(_started, guard))
    await machine.devices_changed()
    await means.hooks.after_disk_hotplug(vm=record.subject, device=document)


def _started(guard: "Guard | None") -> None:
    if guard is not None:
        guard.started()


def _placed(conf: Conf, wanted: given.Given) -> Conf:
    """A document says its target itself; one that is taken is refused."""
    if not wanted.xml_form:
        return plugging.placed(conf, wanted.device)
    drives.check_paths(wanted.device)
    name = text(wanted.device, "name")
    if not name or any(one.get("name") == name for one in conf["devices"] if one.get("type") == "disk"):
        raise DiskNotPlugged(f"its target {name!r} is missing or taken")
    return dict(wanted.device)


def _element(machine: "Machine", wanted: given.Given, device: Conf, source: DiskSource) -> tree.Element:
    if wanted.element is not None:
        return given.pointed(wanted.element, device, source)
    return plugging.disk(machine.record.conf, machine.means.facts(), device, source)


async def unplug(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Comes back when the guest has let go and the image is torn down. `DiskNotUnplugged` (46): it is still there."""
    with told_as(DiskNotUnplugged):
        wanted = given.read(params, "drive", "disk")
        async with steps.changing(machine):
            known = find(machine.record.conf, wanted.device)
            device, element = await steps.present(machine, known, DiskNotUnplugged("Disk not found"))
            await _unplug(machine, device, element, xml_form=wanted.xml_form)


async def _unplug(machine: "Machine", device: Conf, element: tree.Element, *, xml_form: bool) -> None:
    means, record = machine.means, machine.record
    document = steps.document_of(element, device, xml_form=xml_form)
    await means.hooks.before_disk_hotunplug(vm=record.subject, device=document)
    alias = steps.alias_of(element)
    await Removal(machine, alias).run(partial(hypervisor.ask_for, means.domains, machine.id, alias))
    await gone(machine, device, document)


async def gone(machine: "Machine", device: Conf, document: XmlDocument) -> None:
    """What follows when the guest has let a disk go, however long that took."""
    means, record = machine.means, machine.record
    requests = request_of(machine, device)
    steps.forget(machine, device)
    await means.hooks.after_disk_hotunplug(vm=record.subject, device=document)
    await machine.devices_changed()
    await _quietly(machine, partial(means.guards.give_back, machine.id, requests))
    for request in requests:
        await _quietly(machine, partial(means.disks.teardown, request))


def request_of(machine: "Machine", device: Mapping[str, Any]) -> list[DiskRequest]:
    return [disk for disk in machine.record.disks if disk.target == device.get("name")]


def find(conf: Mapping[str, Any], wanted: Mapping[str, Any]) -> Conf | None:
    """The disk that a client means: by its volume, its GUID or UUID, its alias or target, or its path."""
    disks: list[Conf] = [one for one in conf["devices"] if one.get("type") == "disk"]
    for names in (IDS, ("GUID",), ("UUID",), ("alias",), ("name",), ("path",)):
        values = {name: str(wanted[name]) for name in names if wanted.get(name)}
        if len(values) == len(names):
            return next((one for one in disks if values.items() <= {k: str(v) for k, v in one.items()}.items()), None)
    return None


async def _quietly(machine: "Machine", undo: "Callable[[], Awaitable[Any]]") -> None:
    try:
        await undo()
    except Exception:
        log.failure("a disk of {vm} left something behind", vm=machine.id)
