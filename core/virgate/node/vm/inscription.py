"""What the daemon writes into a domain so that it finds the machine again with all its properties.

`<ovirt-vm:vm>` holds what every program of the family reads (start time, exit reason); the configuration that clients
are shown lies beside it (see `virgate.domxml.metadata`). So any daemon can take over, and none keeps files.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.logger import Logger

from virgate.domxml import domain, metadata, tree
from virgate.domxml.request import MachineRequest, read_request
from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound
from virgate.node.vm.exits import Exit

if TYPE_CHECKING:
    from virgate.domxml.facts import HostFacts
    from virgate.node.vm.machine import Machine

PREFIX = "ovirt-vm"

log = Logger()


@frozen
class Inscription:
    """What a domain says about its machine."""

    request: MachineRequest
    started: float
    """Wall-clock seconds; 0 when nothing is written."""
    exit: Exit | None


def inscribe(root: tree.Element, started: float) -> None:
    """Writes the start time into a document that is about to be defined and forgets how an earlier run ended."""
    vm = metadata.vm_element(root)
    if vm is None:
        vm = metadata.encode(metadata.VmMetadata())
        metadata.place(root, [vm])
    for name in ("exitCode", "exitReason", "exitMessage"):
        for old in vm.findall(f"{{{metadata.VM}}}{name}"):
            vm.remove(old)
    metadata.update(vm, {"startTime": started})


def read(root: tree.Element, facts: "HostFacts") -> Inscription:
    """Raises a coded error of `virgate.domxml` for a domain that cannot be understood."""
    params: dict[str, Any] = metadata.read_conf(root)
    if not params.get("devices") or params.get("xml"):
        text = tree.one_line(root)
        params = {"vmId": root.findtext("uuid", ""), "xml": text}
    values = metadata.read(root).values
    exit = None
    if "exitCode" in values and "exitReason" in values:
        exit = Exit(int(values["exitCode"]), int(values["exitReason"]), str(values.get("exitMessage", "")))
    return Inscription(read_request(params, facts, ()), float(values.get("startTime", 0.0)), exit)


async def keep_exit(machine: "Machine", exit: Exit) -> None:
    """Lets the exit reason outlive the daemon. A domain that is not defined has nothing to keep it in. Never raises:
    a machine must come to its end in any case."""
    await keep(machine, "the exit reason", exit.members)


async def keep(machine: "Machine", what: str, values: Mapping[str, Any]) -> None:
    """Writes single values beside what is known of the machine; `what` they are says the log. Never raises."""
    record = machine.record
    if record.external or not record.xml:
        return
    try:
        vm = metadata.vm_element(tree.parse(record.xml))
        if vm is None:
            vm = metadata.encode(metadata.VmMetadata())
        metadata.update(vm, values)
        await machine.means.domains.set_metadata(machine.id, metadata.bare(vm), PREFIX, metadata.VM)
    except DomainNotFound:
        return
    except VirgateError as failure:
        log.warn("{what} of {vm} was not kept: {why}", what=what, vm=machine.id, why=str(failure))
    except Exception:
        log.failure("{what} of {vm} was not kept", what=what, vm=machine.id)


async def keep_devices(machine: "Machine", *more: metadata.DeviceMetadata) -> None:
    """Lets what was plugged, unplugged or put on other volumes outlive the daemon. `record.xml` and `record.conf` are
    fresh (`machine.devices_changed` sees to that). `more` is what a client's document tells of new devices. Raises what
    the hypervisor says."""
    record, domains = machine.record, machine.means.domains
    if record.external:
        return
    root = tree.parse(record.xml)
    vm = metadata.vm_element(root)
    known = metadata.VmMetadata() if vm is None else metadata.decode(vm)
    fresh = {_key(one): one for one in domain.device_metadata(record.conf)}
    kept = [_newer(one, fresh.pop(_key(one), None)) for one in (*known.devices, *more) if _is_there(one, record.conf)]
    text = metadata.vm_xml(metadata.VmMetadata(known.values, (*kept, *fresh.values())))
    await domains.set_metadata(machine.id, text, PREFIX, metadata.VM)
    if not metadata.read_conf(root).get("xmlForm"):
        await domains.set_metadata(machine.id, metadata.conf_xml(record.conf), "virgate", metadata.MACHINE)


def _key(device: metadata.DeviceMetadata) -> tuple[str, ...]:
    match = device.match
    return (match["mac_address"].lower(),) if "mac_address" in match else (*match.values(),)


def _newer(old: metadata.DeviceMetadata, new: metadata.DeviceMetadata | None) -> metadata.DeviceMetadata:
    """What only the client knows of a device stays."""
    return old if new is None else metadata.DeviceMetadata(old.match, {**old.values, **new.values})


def _is_there(old: metadata.DeviceMetadata, conf: Mapping[str, Any]) -> bool:
    """Entries of disks and nics go with them; those of other devices are left alone."""
    if old.match.get("devtype") == "disk":
        names = {str(device.get("name")) for device in conf["devices"] if device.get("type") == "disk"}
        return old.match.get("name") in names
    if "mac_address" in old.match:
        macs = {str(device.get("macAddr", "")).lower() for device in conf["devices"]}
        return old.match["mac_address"].lower() in macs
    return True
