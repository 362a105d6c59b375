"""External leases that a running machine begins or ceases to hold (spec xmlrpc-host-vm 2.11). No guest sees them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from virgate.domxml import plugging, tree
from virgate.domxml.errors import MissingParameter
from virgate.domxml.facts import LeaseRequest
from virgate.domxml.values import Conf, safe_component, text
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm.plugging import steps
from virgate.node.vm.plugging.errors import LeaseNotPlugged, LeaseNotUnplugged, told_as

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

NAMES = ("sd_id", "lease_id")


async def plug(machine: "Machine", lease: Mapping[str, Any]) -> None:
    """Raises `LeaseNotPlugged` (86): another machine holds it, or there is none."""
    with told_as(LeaseNotPlugged):
        wanted = _named(lease)
        async with steps.changing(machine):
            record, means = machine.record, machine.means
            if find(record.conf, wanted) is not None:
                raise LeaseNotPlugged(f"the machine has the lease {wanted['lease_id']} already")
            found = await means.disks.lease(LeaseRequest(wanted["lease_id"], wanted["sd_id"]))
            device = plugging.placed(record.conf, {"type": "lease", **wanted})
            element = plugging.lease(record.conf, means.facts(), device, found)
            async with AsyncExitStack() as undo:
                await steps.attach(machine, tree.one_line(element), undo)
            steps.add(machine, device | {"path": found.path, "offset": str(found.offset)})
            await machine.devices_changed()


async def unplug(machine: "Machine", lease: Mapping[str, Any]) -> None:
    """Raises `LeaseNotUnplugged` (87)."""
    with told_as(LeaseNotUnplugged):
        wanted = _named(lease)
        async with steps.changing(machine):
            device = find(machine.record.conf, wanted)
            await machine.document()
            element = next((one for one in _elements(machine) if _key(one) == wanted), None)
            if element is None:
                raise LeaseNotUnplugged("Lease not found")
            await hypervisor.detach(machine.means.domains, machine.id, tree.one_line(element))
            if device is not None:
                steps.forget(machine, device)
            await machine.devices_changed()


def _named(lease: Mapping[str, Any]) -> Conf:
    for name in NAMES:
        if not text(lease, name):
            raise MissingParameter.named(name)
    return {name: safe_component(name, text(lease, name)) for name in NAMES}


def find(conf: Mapping[str, Any], wanted: Mapping[str, Any]) -> Conf | None:
    leases: list[Conf] = [one for one in conf["devices"] if one.get("type") == "lease"]
    return next((one for one in leases if all(one.get(name) == wanted[name] for name in NAMES)), None)


def _elements(machine: "Machine") -> list[tree.Element]:
    return tree.parse(machine.record.xml).findall("devices/lease")


def _key(found: tree.Element) -> Conf:
    return {"sd_id": tree.child_text(found, "lockspace"), "lease_id": tree.child_text(found, "key")}
