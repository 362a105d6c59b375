"""Media of CD and floppy drives (spec xmlrpc-host-vm 2.7): changed, put in, taken out."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml import drives, tree
from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.domxml.names import disk_name
from virgate.domxml.values import Conf, integer, safe_path, text
from virgate.libvirt import plugging as hypervisor
from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm.plugging import disk as disks
from virgate.node.vm.plugging import given, steps
from virgate.node.vm.plugging.errors import MediumNotChanged, NoMedium, told_as

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

USUAL = {"cdrom": ("hdc", "sda"), "floppy": ("fda",)}
"""Targets that the drive of a client who names none has, the second on machines without IDE."""
MEDIUM = ("poolID", "domainID", "imageID", "volumeID", "GUID", "UUID", "path", "format", "volumeChain", "volumeInfo")

log = Logger()


async def change_cd(machine: "Machine", medium: Any) -> None:
    """Puts a path or a volume into the CD drive; nothing ejects. Raises `NoMedium` (13), `MediumNotChanged` (41)."""
    await _change(machine, "cdrom", medium)


async def change_floppy(machine: "Machine", medium: Any) -> None:
    """As `change_cd`."""
    await _change(machine, "floppy", medium)


async def _change(machine: "Machine", kind: str, medium: Any) -> None:
    with told_as(MediumNotChanged):
        async with steps.changing(machine):
            await machine.document()
            drive = _drive(machine.record.conf, kind, medium)
            async with AsyncExitStack() as undo:
                await _put_in(machine, drive, _wanted(drive, medium), undo)
            await machine.devices_changed()


async def _put_in(machine: "Machine", drive: Conf, wanted: Conf, undo: AsyncExitStack) -> None:
    means, record = machine.means, machine.record
    before, request = disks.request_of(machine, drive), drives.disk_request(wanted)
    source = None
    if not request.is_empty:
        with told_as(NoMedium):
            source = await means.disks.prepare(request)
        undo.push_async_callback(_torn_down, machine, request)
    element = _filled(machine, drive, wanted, source)
    try:
        await hypervisor.change_medium(means.domains, machine.id, tree.one_line(element))
    except hypervisor.MediumMissing as problem:
        raise NoMedium(problem.detail) from problem
    except HypervisorAway:
        undo.pop_all()  # it may be in the drive: it is torn down with the machine
        record.disks = (*record.disks, request)
        raise
    undo.pop_all()
    drive.clear()
    drive.update(wanted)
    record.conf["cdrom" if wanted["device"] == "cdrom" else "floppy"] = source.path if source else ""
    record.disks = (*(one for one in record.disks if one.target != request.target), request)
    for old in before:
        if not old.is_empty:
            await _torn_down(machine, old)


def _filled(machine: "Machine", drive: Conf, wanted: Conf, source: DiskSource | None) -> tree.Element:
    """The drive as it is, with another medium: libvirt lets nothing else of it be changed."""
    element = steps.element_of(machine, drive)
    if element is None:
        raise MediumNotChanged(f"the machine has no drive {drive.get('name')}")
    filled = given.pointed(tree.copy(element), wanted, source or DiskSource("", ""))
    if (medium := filled.find("source")) is not None:
        medium.set("startupPolicy", "optional")
    return filled


def _drive(conf: Mapping[str, Any], kind: str, medium: Any) -> Conf:
    """The drive that is meant: by bus and index, else the usual one, else the first; never one with a payload."""
    found: list[Conf] = [one for one in conf["devices"] if one.get("type") == "disk" and one.get("device") == kind]
    if isinstance(medium, Mapping) and medium.get("iface"):
        name = disk_name(str(medium["iface"]), integer(medium, "index", 0))
        wanted = [one for one in found if one.get("name") == name]
    else:
        plain = [one for one in found if not drives.is_payload(one)]
        usual = [one for name in USUAL[kind] for one in plain if one.get("name") == name]
        wanted = usual or plain
    if not wanted:
        raise MediumNotChanged(f"the machine has no {kind} drive for it")
    return wanted[0]


def _wanted(drive: Conf, medium: Any) -> Conf:
    """The drive with the medium in it."""
    ids = {name: medium[name] for name in MEDIUM if medium.get(name)} if isinstance(medium, Mapping) else {}
    if not isinstance(medium, Mapping) and medium:
        ids = {"path": safe_path("a medium", medium)}
    fresh = {name: value for name, value in drive.items() if name not in MEDIUM}
    wanted = fresh | {"path": ""} | ids
    drives.check_paths(wanted)
    wanted["name"], wanted["iface"] = text(drive, "name"), text(drive, "iface", "ide")
    return wanted


async def _torn_down(machine: "Machine", request: DiskRequest) -> None:
    try:
        await machine.means.disks.teardown(request)
    except Exception:
        log.failure("a medium in {target} of {vm} left something behind", target=request.target, vm=machine.id)
