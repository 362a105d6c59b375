"""Device hook points of one machine, with the failure rules of their moments (spec hooks 1.4, 1.8)."""

from typing import TYPE_CHECKING, Any

from virgate.domxml.hooked import hooked_devices
from virgate.domxml.tree import parse
from virgate.hookspecs.documents import XmlDocument

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


async def before_device_create(machine: "Machine", root: Any) -> None:
    """Each hooked device may be rewritten in its place. Raises what a hook raised, `UnsafeXml` for what is no XML."""
    for device in hooked_devices(root, machine.request):
        document = XmlDocument(device.text, custom=dict(device.custom))
        await machine.means.hooks.before_device_create(vm=machine.record.subject, device=document)
        device.replace(document.text)


async def each_device(machine: "Machine", point: str, xml: str) -> None:
    """Calls a device point for every hooked device of the running document `xml`, always with its present XML."""
    if not xml:
        return
    for device in hooked_devices(parse(xml), machine.request):
        document = XmlDocument(device.text, custom=dict(device.custom))
        await getattr(machine.means.hooks, point)(vm=machine.record.subject, device=document)
