"""Snapshots of running machines: disks go on in new volumes, which storage has made (spec xmlrpc-host-vm 2.7).

Asking again is fine: a disk that is on its new volume already stays there. Either all disks change or none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import CancelledError

from virgate.domxml import tree
from virgate.domxml.tree import element
from virgate.libvirt import blocks
from virgate.libvirt.errors import HypervisorAway, HypervisorFailed
from virgate.node.vm.blocks import changes, drives
from virgate.node.vm.blocks.changes import Change, Changes
from virgate.node.vm.blocks.errors import NoSuchDrive, SnapshotFailed, SnapshotUnseen
from virgate.node.vm.blocks.freezing import frozen as quiet
from virgate.node.vm.errors import NoSuchMachine

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest, DiskSource
    from virgate.node.vm.blocks.memory import Memory
    from virgate.node.vm.machine import Machine

WITHOUT_MEMORY = "ask for the same snapshot again then, what was done is left as it is"
MEMORY = "its memory is not kept: remove the snapshot and take another one"
AGENT = "org.qemu.guest_agent.0"
FORMS = (("imageID", "baseVolumeID", "volumeID"), ("GUID", "baseGUID", "GUID"), ("UUID", "baseUUID", "UUID"))


def plan(machine: "Machine", wanted: Sequence[Mapping[str, Any]]) -> list[Change]:
    """The disks that are not on their new volumes yet; `SnapshotFailed` (48) for one that is on neither."""
    changes = []
    for drive in wanted:
        old = _disk(machine, drive)
        if old is None:
            continue
        drives.must_be_plain(machine, old)
        changes.append(Change(old, _on(old, drive)))
    return changes


def _on(old: "DiskRequest", drive: Mapping[str, Any]) -> "DiskRequest":
    if old.is_image:
        return evolve(old, format="cow", volume_id=str(drive["volumeID"]))
    if old.guid:
        return evolve(old, format="cow", guid=str(drive["GUID"]))
    return evolve(old, format="cow", uuid=str(drive["UUID"]))


def _disk(machine: "Machine", drive: Mapping[str, Any]) -> "DiskRequest | None":
    """The disk on its base; None if it is on its target."""
    for id, base, target in FORMS:
        if not drive.get(base) or not drive.get(target):
            continue
        if id == "imageID":
            try:
                disk = drives.find(machine, drive)
            except NoSuchDrive:
                break
            on = disk.volume_id
        else:
            on = str(drive[base])
            field = id.lower()
            found = {getattr(one, field): one for one in machine.record.disks if getattr(one, field)}
            if drive[target] in found:
                return None
            if on not in found:
                break
            disk = found[on]
        if on == drive[target]:
            return None
        if on == drive[base]:
            return disk
        break
    raise SnapshotFailed(machine.id, f"no disk is on the base of {drives.shown(drive)}")


async def snapshot(
    machine: "Machine", wanted: Sequence[Mapping[str, Any]], *, memory: "Memory | None" = None, frozen: bool = False
) -> bool:
    """Puts the disks on their new volumes; answers whether the guest's file systems were at rest by our doing.

    `frozen`: the client has frozen them, and will thaw them. Cancelled or failing, it leaves nothing frozen.
    """
    await machine.changing.acquire()
    try:
        machine.stays()
        if not machine.vitals.alive:
            raise NoSuchMachine(machine.id)
        await changes.see(machine)  # one that was given up may have come to its end
        wanted_changes = plan(machine, wanted)
        if not wanted_changes and memory is None:
            return False
        return await _snapshot(machine, wanted_changes, memory, ask_guest=not frozen and memory is None)
    except HypervisorAway as away:
        raise SnapshotFailed(machine.id, f"{away}; nothing was changed, ask again when it is back") from away
    finally:
        machine.changing.release()


async def _snapshot(machine: "Machine", wanted: Sequence[Change], memory: "Memory | None", *, ask_guest: bool) -> bool:
    sources = {change.new.target: await machine.means.disks.prepare(change.new) for change in wanted}
    asked = Changes(machine, wanted, sources)
    memory_path = "" if memory is None else await memory.prepare(machine)
    try:
        root = tree.parse(machine.record.xml)
        targets = [tree.attribute(disk, "target", "dev") for disk in root.iterfind("devices/disk")]
        text = document(sources, targets, memory_path)
        quiesced = False
        try:
            async with drives.guarded(machine, [change.new for change in wanted]):
                if ask_guest and _has_agent(root):
                    async with quiet(machine) as quiesced:
                        await _ask(machine, text, memory=False)
                else:
                    await _ask(machine, text, memory=memory is not None)
        except (HypervisorAway, CancelledError) as lost:
            asked.look_later()
            if isinstance(lost, HypervisorAway):
                raise SnapshotUnseen(machine.id, str(lost), WITHOUT_MEMORY if memory is None else MEMORY) from lost
            raise
        await asked.follow()
        if memory is not None:
            await memory.complete(machine)
    finally:
        if memory is not None:
            await memory.release(machine)
    return quiesced


def _has_agent(root: tree.Element) -> bool:
    """Whether somebody listens: to ask nobody costs the guest's writers nothing, but the log a line each time."""
    targets = root.iterfind("devices/channel/target")
    return any(one.get("name") == AGENT and one.get("state") == "connected" for one in targets)


async def _ask(machine: "Machine", text: str, *, memory: bool) -> None:
    try:
        await blocks.snapshot(machine.means.domains, machine.id, text, memory=memory)
    except HypervisorFailed as failure:
        raise SnapshotFailed(machine.id, failure.detail) from failure


def document(sources: Mapping[str, "DiskSource"], others: Iterable[str], memory: str = "") -> str:
    """`<domainsnapshot>`: these disks on new sources, all others as they are."""
    disks = [_changed(target, source) for target, source in sources.items()]
    disks += [element("disk", name=target, snapshot="no") for target in others if target not in sources]
    kept = element("memory", snapshot="external", file=memory) if memory else None
    return tree.one_line(element("domainsnapshot", kept, element("disks", *disks)))


def _changed(target: str, source: "DiskSource") -> tree.Element:
    place = "dev" if source.kind == "block" else "file"
    path = element("source", **{place: source.path})
    return element("disk", element("driver", type="qcow2"), path, name=target, snapshot="external", type=source.kind)
