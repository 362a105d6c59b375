"""Limits of a running machine's disks (spec xmlrpc-host-vm 2.8)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from virgate.domxml import metadata, tree
from virgate.domxml.devices.tune import LIMITS
from virgate.domxml.values import Conf, struct
from virgate.libvirt import tuning as hypervisor
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.plugging import steps
from virgate.node.vm.tuning import qos
from virgate.node.vm.tuning.errors import IoTuneNotUpdated
from virgate.node.vm.tuning.limits import BadLimits, Limits, merged

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


async def limits(machine: "Machine") -> list[dict[str, Any]]:
    """What getIoTune answers: every image with all six limits. Raises `IoTuneNotUpdated` (64)."""
    steps.runs(machine)
    return [_told(disk, await _current(machine, disk)) for disk in _images(machine.record.conf)]


async def set_limits(machine: "Machine", wanted: Sequence[Any]) -> None:
    """Limits disks named by `name` or `path`; what is not said stays. Raises `IoTuneNotUpdated` (64).

    All disks are looked at before the first is changed.
    """
    async with steps.changing(machine):
        fresh: list[tuple[Conf, Limits]] = []
        for one in wanted:
            disk = _find(machine.record.conf, one)
            try:
                fresh.append((disk, merged(await _current(machine, disk), struct(one, "ioTune"))))
            except BadLimits as problem:
                raise IoTuneNotUpdated(f"{disk['name']}: {problem}") from problem
        if not fresh:
            return
        try:
            asked = {str(disk["name"]): values for disk, values in fresh}
            await hypervisor.set_io_limits(machine.means.domains, machine.id, asked)
        except HypervisorFailed as refused:
            raise IoTuneNotUpdated(refused.detail) from refused
        for disk, values in fresh:
            note(disk, values)
        await machine.devices_changed()


def note(disk: Conf, values: Mapping[str, int]) -> None:
    """What the configuration says of the disk: the limits that are some."""
    rest = {name: value for name, value in struct(disk, "specParams").items() if name != "ioTune"}
    told = {name: value for name, value in values.items() if value}
    disk["specParams"] = rest | ({"ioTune": told} if told else {})


async def _current(machine: "Machine", disk: Conf) -> Limits:
    try:
        found = await hypervisor.io_limits(machine.means.domains, machine.id, str(disk["name"]))
    except HypervisorFailed as refused:
        raise IoTuneNotUpdated(refused.detail) from refused
    return {name: found.get(name, 0) for name in LIMITS}


def _images(conf: Mapping[str, Any]) -> Iterable[Conf]:
    return [one for one in _disks(conf) if one.get("imageID")]


def _disks(conf: Mapping[str, Any]) -> list[Conf]:
    return [one for one in conf["devices"] if one.get("type") == "disk"]


def _find(conf: Mapping[str, Any], wanted: Any) -> Conf:
    given = wanted if isinstance(wanted, Mapping) else {}
    for name in ("name", "path"):
        if given.get(name):
            found = next((one for one in _disks(conf) if one.get(name) == given[name]), None)
            if found is not None:
                return found
    raise IoTuneNotUpdated(f"the machine has no disk {given.get('name') or given.get('path') or '?'!r}")


def _told(disk: Mapping[str, Any], values: Mapping[str, int]) -> dict[str, Any]:
    return {"name": str(disk.get("name", "")), "path": str(disk.get("path", "")), "ioTune": dict(values)}


def known(machine: "Machine") -> dict[str, Any]:
    """Policy and limits of a machine as its last known document tells them, without a word to the hypervisor."""
    if not machine.record.xml:
        return {"policy": [], "current_values": []}
    policy = qos.read(metadata.find(tree.parse(machine.record.xml), metadata.TUNE, "qos"))
    values = []
    for disk in _images(machine.record.conf):
        told = struct(struct(disk, "specParams"), "ioTune")
        values.append(_told(disk, {name: int(told.get(name, 0)) for name in LIMITS}))
    return {"policy": [one.members for one in policy.devices], "current_values": values}
