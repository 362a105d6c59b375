"""What hosts tell each other of a machine that moves (spec migration 5.1): every form is read, one is told. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from virgate.domxml import metadata, tree
from virgate.domxml.errors import CannotCreate, MissingParameter
from virgate.domxml.request import MachineRequest, read_request
from virgate.domxml.values import flag, struct
from virgate.node.vm import describe, inscription
from virgate.node.vm.migration import documents
from virgate.node.vm.migration.guest import VERSION
from virgate.node.vm.migration.payloads import KEY, gather, unpack

if TYPE_CHECKING:
    from virgate.domxml.facts import HostFacts
    from virgate.node.vm.machine import Machine

INTERNAL = ("migrationDest", "elapsedTimeOffset", "afterMigrationStatus", "enableGuestEvents", "statusTime", "status")
OWN = ("pid", "clientIp", "xml", "exitCode", "exitReason", "exitMessage", "pauseCode", "netIfaces", "guestDiskMapping")
KNOWN = ("guestFQDN", "username", "netIfaces", "guestIPs", VERSION)
STARVED = "ENOSPC"
OLD_DRIVES = ("cdrom", "floppy")


def tell(machine: "Machine", text: str, *, guest: Mapping[str, Any], guest_events: bool) -> dict[str, Any]:
    """The parameters of `migrationCreate`. `text` is the running document, `guest` what the agent said.

    A machine made from a document goes to hosts that know documents; one made from a device list may go to older ones,
    which want the whole configuration.
    """
    record = machine.record
    told = {
        **gather(machine, text),
        "vmId": machine.id,
        "_srcDomXML": documents.told(text),
        "xml": text,
        "elapsedTimeOffset": max(machine.means.wall() - record.started, 0.0),
        "guestFQDN": str(guest.get("guestFQDN", "")),
        "username": str(guest.get("username", "")),
        "netIfaces": describe.wire(guest.get("netIfaces", [])),
        "enableGuestEvents": guest_events,
        "migrationDest": "libvirt",
    }
    if machine.vitals.pause_code == STARVED:
        told["pauseCode"] = STARVED
    if VERSION in guest:
        told[VERSION] = guest[VERSION]
    if machine.request is None or machine.request.xml_form:
        return told
    known = {name: value for name, value in describe.full(machine).items() if name != "pid"}
    more = {"afterMigrationStatus": "", "guestIPs": str(guest.get("guestIPs", ""))}
    return _old_drives(known) | told | more


def _old_drives(conf: dict[str, Any]) -> dict[str, Any]:
    """Drives with removable media in the legacy list go where old hosts look for them."""
    if not isinstance(conf.get("drives"), list):
        return conf
    moved = {str(one["device"]): one.get("path", "") for one in conf["drives"] if one.get("device") in OLD_DRIVES}
    return conf | moved | {"drives": [one for one in conf["drives"] if one.get("device") not in OLD_DRIVES]}


@frozen
class Arriving:
    """What this host was told of a machine that comes."""

    request: MachineRequest
    text: str
    """The document of the source."""
    elapsed: float
    """Seconds since the guest's start: hosts' clocks need not agree."""
    guest_events: bool
    guest: Mapping[str, Any]
    starved: bool = False
    """Whether it stands still for want of room on a disk."""


def hear(params: Mapping[str, Any], facts: "HostFacts") -> Arriving:
    """Raises a coded error of `virgate.domxml` for what describes no machine."""
    text = str(params.get("_srcDomXML") or params.get("xml") or "")
    if not text:
        raise MissingParameter.named("_srcDomXML")
    root = tree.parse(text)
    known = tree.child_text(root, "uuid").strip()
    if params.get("vmId", known) != known:
        raise CannotCreate(f"The document describes {known or 'no machine'}, not {params['vmId']}")
    try:
        elapsed = float(params.get("elapsedTimeOffset") or 0)
    except (TypeError, ValueError):
        elapsed = 0.0
    return Arriving(
        request=unpack(_request(params, root, facts), struct(params, KEY)),
        text=text,
        elapsed=min(max(elapsed, 0.0), 1e9),
        guest_events=flag(params.get("enableGuestEvents")),
        guest={name: params[name] for name in KNOWN if params.get(name)},
        starved=params.get("pauseCode") == STARVED,
    )


def _request(params: Mapping[str, Any], root: tree.Element, facts: "HostFacts") -> MachineRequest:
    """What a daemon of our kind wrote into the document is the whole truth; older hosts send it beside."""
    if params.get("devices") and not metadata.read_conf(root):
        left = {name: value for name, value in params.items() if name not in (*INTERNAL, *OWN) and name[:1] != "_"}
        return read_request(left, facts, ())
    return inscription.read(root, facts).request
