"""What is still listed of a machine and is not there any more: forgotten, torn down, told (see `late.py`)."""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.domxml import tree
from virgate.domxml.metadata import texts
from virgate.domxml.values import Conf
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt.errors import DomainNotFound, HypervisorAway
from virgate.node.vm import readback
from virgate.node.vm.errors import Moving, NoSuchMachine
from virgate.node.vm.plugging import disk, hostdev, nic, steps

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

log = Logger()

KINDS = ("disk", "interface", "memory", "hostdev")


async def look(machine: "Machine") -> None:
    """Compares the list with the domain, when nobody else changes the machine."""
    try:
        async with steps.changing(machine):
            before = machine.record.xml
            root = tree.parse((await machine.document()).text)
            listed = [one for one in machine.record.conf["devices"] if one.get("type") in KINDS]
            for device in [one for one in listed if _has_left(one, root)]:
                log.info("{vm} has let go of {alias}", vm=machine.id, alias=device.get("alias", "a device"))
                await _departed(machine, device, before)
            if any(not one.get("alias") for one in listed):  # plugged, and nobody heard of it
                await machine.devices_changed()
    except (NoSuchMachine, Moving, DomainNotFound, HypervisorAway):
        return  # it ends, or is another host's soon; or the next connection shows it


def _has_left(device: Conf, root: tree.Element) -> bool:
    alias = device.get("alias")
    return not (steps.is_there(root, str(alias)) if alias else readback.is_there(device, root))


async def _departed(machine: "Machine", device: Conf, before: str) -> None:
    document = XmlDocument(_text(device, before), custom=texts(device.get("custom")))
    if device["type"] == "disk":
        await disk.gone(machine, device, document)
    elif device["type"] == "interface":
        await nic.gone(machine, device, document)
    else:
        steps.forget(machine, device)
        await machine.devices_changed()
        if device["type"] == "hostdev":
            await hostdev.give_back(machine, str(device["device"]))


def _text(device: Conf, before: str) -> str:
    """The device as it was last known."""
    for found in tree.children(tree.parse(before).find("devices")) if before else ():
        if device.get("alias") == steps.alias_of(found) != "":
            return tree.one_line(found)
    return ""
