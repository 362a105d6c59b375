"""A guest that came from another host becomes this host's own: its libvirt keeps it, its leases guard the disks."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.domxml import metadata, tree
from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound
from virgate.node.vm import inscription

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.preparation import Preparation

GUARD_PATIENCE = 60.0
"""Seconds in which the source's QEMU is gone, and with it what kept our host away from the disks."""

log = Logger()


async def keep(machine: "Machine") -> None:
    """The definition and what we know go into this host's libvirt; a guest that runs is not lost for want of it.

    Raises `DomainNotFound` when there is no guest any more.
    """
    domains = machine.means.domains
    try:
        known = next((one for one in await domains.list() if one.uuid == machine.id), None)
        if known is not None and not known.persistent:
            await domains.define(await domains.xml(machine.id, inactive=True))
        vm = metadata.vm_element(tree.parse(machine.record.xml))
        if vm is None:
            vm = metadata.encode(metadata.VmMetadata())
        metadata.update(vm, {"startTime": machine.record.started})
        await domains.set_metadata(machine.id, metadata.bare(vm), inscription.PREFIX, metadata.VM)
    except DomainNotFound:
        raise
    except VirgateError as problem:
        log.warn("what is known of {vm} is not kept by libvirt: {why}", vm=machine.id, why=str(problem))


async def guard(machine: "Machine", preparation: "Preparation") -> None:
    """Leases of disks are the source's as long as its QEMU lives; then they are ours."""
    means = machine.means
    ends = means.monotonic() + GUARD_PATIENCE
    async with AsyncExitStack() as undo:
        while machine.vitals.alive:
            try:
                await preparation.keep_others_away(undo)
                break
            except VirgateError as problem:
                if means.monotonic() > ends:
                    log.error("disks of {vm} are not protected: {why}", vm=machine.id, why=str(problem))
                    return
            await deferLater(means.reactor, 1.0)
        preparation.started()
        undo.pop_all()
