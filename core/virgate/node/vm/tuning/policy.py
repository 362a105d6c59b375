"""The policy verbs: what a machine may use of the host, kept for whoever sees to it (spec xmlrpc-host-vm 2.8)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.domxml import metadata, tree
from virgate.domxml.errors import MissingParameter
from virgate.domxml.values import struct
from virgate.libvirt import tuning as hypervisor
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm import readback
from virgate.node.vm.plugging import disk as disks
from virgate.node.vm.plugging import steps
from virgate.node.vm.tuning import qos
from virgate.node.vm.tuning.errors import IoTuneNotUpdated, PolicyNotUpdated
from virgate.node.vm.tuning.limits import BadLimits

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

PREFIX = "ovirt-tune"
OUTER = ("vmId", "vmID")

log = Logger()


async def update(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Changes what is kept; nothing is limited yet. Raises `PolicyNotUpdated` (63), `MissingParameter` (11)."""
    given = {name: value for name, value in params.items() if name not in OUTER and value is not None}
    if not given:
        raise MissingParameter.named("vcpuLimit or ioTune")
    for name in given.keys() - {"vcpuLimit", "ioTune"}:
        log.warn("policies have no member {name}", name=name)
    devices = _devices(machine, given.get("ioTune"))
    limit = _limit(given["vcpuLimit"]) if "vcpuLimit" in given else None

    def change(text: str | None) -> str:
        known = qos.read(tree.parse(text)) if text else qos.Policy()
        kept = known if limit is None else qos.Policy(limit, known.devices)
        return qos.rewritten(text, kept.merged(devices))

    async with steps.changing(machine):
        try:
            await hypervisor.rewrite_metadata(machine.means.domains, machine.id, change, PREFIX, metadata.TUNE)
        except HypervisorFailed as refused:
            raise PolicyNotUpdated(refused.detail) from refused
        await machine.document()
        readback.refresh(machine)


def _limit(value: Any) -> str:
    """Percent of the host; an empty one takes the limit away."""
    text = str(value).strip()
    if text and not text.lstrip("-").isdecimal():
        raise PolicyNotUpdated(f"vcpuLimit is a percentage, not {value!r}")
    return text


def _devices(machine: "Machine", given: Any) -> list[qos.DevicePolicy]:
    if given in (None, ""):
        return []
    if not isinstance(given, list | tuple) or not all(isinstance(one, Mapping) for one in given):
        raise PolicyNotUpdated("ioTune is a list of structs")
    try:
        return [qos.device(one if one.get("name") or one.get("path") else _named(machine, one)) for one in given]
    except BadLimits as problem:
        raise PolicyNotUpdated(str(problem)) from problem


def _named(machine: "Machine", given: Mapping[str, Any]) -> dict[str, Any]:
    """The disk of a volume by its name and path."""
    found = disks.find(machine.record.conf, given)
    if found is None:
        raise PolicyNotUpdated(f"the machine has no disk of image {given.get('imageID') or '?'}")
    sides = {side: struct(given, side) for side in qos.SIDES}
    return {"name": found.get("name"), "path": found.get("path"), **sides}


async def io_policy(machine: "Machine") -> list[dict[str, Any]]:
    """What getIoTunePolicy answers. Raises `IoTuneNotUpdated` (64) when the hypervisor does not tell."""
    try:
        text = await machine.means.domains.metadata(machine.id, metadata.TUNE)
    except HypervisorFailed as refused:
        raise IoTuneNotUpdated(refused.detail) from refused
    policy = qos.read(tree.parse(text)) if text else qos.Policy()
    return [one.members for one in policy.devices]
