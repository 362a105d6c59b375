"""Which disk of a machine a client means."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError

from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm.blocks.errors import LeasedDrive, NoSuchDrive, TransientDrive

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest
    from virgate.node.vm.machine import Machine


def find(machine: "Machine", drive: Mapping[str, Any]) -> "DiskRequest":
    """The disk of `{domainID, imageID}`, `{GUID}` or `{UUID}`, whatever volume it is on; `NoSuchDrive` (13)."""
    for disk in machine.record.disks:
        if drive.get("imageID"):
            if (disk.domain_id, disk.image_id) == (drive.get("domainID"), drive["imageID"]):
                return disk
        elif any(drive.get(name) and own == drive[name] for name, own in (("GUID", disk.guid), ("UUID", disk.uuid))):
            return disk
    raise NoSuchDrive(machine.id, shown(drive))


def shown(drive: Mapping[str, Any]) -> str:
    """How messages name what a client asked for."""
    ids = (drive.get(name) for name in ("domainID", "imageID", "volumeID", "GUID", "UUID"))
    return "/".join(str(one) for one in ids if one) or "without an id"


def must_be_plain(machine: "Machine", disk: "DiskRequest") -> None:
    """Raises for disks that cannot go to another volume: transient ones (59), those with a lease of their own (44)."""
    if disk.shared == "transient":
        raise TransientDrive(machine.id, disk.target)
    if disk.shared == "exclusive":
        raise LeasedDrive(machine.id, disk.target)


@asynccontextmanager
async def guarded(machine: "Machine", disks: "Sequence[DiskRequest]") -> AsyncIterator[None]:
    """Inside, disks go to other volumes, which no other host may write to from then on; `LeaseNotAcquired` (651).

    The volumes that they leave stay guarded as well, until the machine ends.
    """
    guard = await machine.means.guards.take(machine.id, disks)
    try:
        yield
    except (CancelledError, HypervisorAway):
        if guard is not None:
            guard.started()  # what the hypervisor was asked for may happen all the same
        raise
    except BaseException:
        if guard is not None:
            guard.end()
        raise
    if guard is not None:
        guard.started()
