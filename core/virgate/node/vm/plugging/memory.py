"""Memory modules of running machines (spec xmlrpc-host-vm 2.8, 2.11, hooks 1.4)."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from virgate.domxml import plugging
from virgate.domxml.values import Conf, integer, text
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm.plugging import given, steps
from virgate.node.vm.plugging.errors import MemoryNotPlugged, MemoryNotUnplugged, told_as
from virgate.node.vm.plugging.removal import Removal

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


async def plug(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Raises `MemoryNotPlugged` (70) and what hooks raise. The machine needs room for it (maxMemSize) and a node."""
    with told_as(MemoryNotPlugged):
        wanted = given.read(params, "memory", "memory")
        async with steps.changing(machine):
            hooks, record = machine.means.hooks, machine.record
            device = dict(wanted.device) if wanted.xml_form else plugging.placed(record.conf, wanted.device)
            element = wanted.element
            if element is None:
                element = plugging.memory(record.conf, machine.means.facts(), device)
            document = steps.document_of(element, {}, xml_form=wanted.xml_form)  # it has no properties of its own
            await hooks.before_memory_hotplug(vm=record.subject, device=document)
            async with AsyncExitStack() as undo:
                await steps.attach(machine, document.text, undo)
            steps.add(machine, device)
            await machine.devices_changed()
            await hooks.after_memory_hotplug(vm=record.subject, device=document)


async def unplug(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Comes back when the guest has let go. `MemoryNotUnplugged` (85): it still has it. There are no hooks."""
    with told_as(MemoryNotUnplugged):
        wanted = given.read(params, "memory", "memory")
        async with steps.changing(machine):
            device = find(machine.record.conf, wanted.device)
            if device is None:
                raise MemoryNotUnplugged("Memory device not found")
            alias = text(device, "alias")
            await Removal(machine, alias).run(partial(hypervisor.ask_for, machine.means.domains, machine.id, alias))
            steps.forget(machine, device)
            await machine.devices_changed()


def find(conf: Mapping[str, Any], wanted: Mapping[str, Any]) -> Conf | None:
    """By alias, or by address, or the last one of that size and node; one that was there at the start can go, too."""
    modules: list[Conf] = [one for one in conf["devices"] if one.get("type") == "memory" and one.get("alias")]
    for name in ("alias", "address"):
        if wanted.get(name):
            return next((one for one in modules if one.get(name) == wanted[name]), None)
    sign = integer(wanted, "size", 0), integer(wanted, "node", 0)
    return next((one for one in reversed(modules) if (integer(one, "size", 0), integer(one, "node", 0)) == sign), None)
