"""Passwords of displays: who may look at a guest's screen, until when, and what becomes of those who look now.

Spec xmlrpc-host-vm 2.8, hooks 1.2. No password is ever part of a document that is kept, shown or given to a hook.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from virgate.domxml import tree
from virgate.domxml.errors import MissingParameter
from virgate.domxml.values import integer, struct, text
from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm.plugging import steps
from virgate.node.vm.plugging.errors import DeviceNotUpdated, TicketNotSet, told_as
from virgate.node.vm.plugging.screens import USUAL

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

KINDS = ("spice", "vnc")
ACTIONS = ("disconnect", "keep", "fail")
"""What SPICE does with whoever is connected: throws out, lets stay, or refuses the new ticket because of them."""
DISCONNECT_ACTIONS = ("NONE", "LOCK_SCREEN", "SHUTDOWN", "LOGOUT", "REBOOT")
"""What a client may want to happen in the guest when it leaves the display."""
WISHES = ("disconnectAction", "disconnectDelay")
LONGEST = 10 * 365 * 24 * 3600


async def set_ticket(
    machine: "Machine", password: str, ttl: Any, action: str = "disconnect", params: Mapping[str, Any] | None = None
) -> None:
    """Gives the machine's first display a new password for `ttl` seconds; 0 leaves the time as it is.

    Raises `TicketNotSet` (18).
    """
    with told_as(TicketNotSet):
        seconds = _seconds(ttl, TicketNotSet)
        await _set(machine, "", password, seconds, action or "disconnect", params or {}, TicketNotSet)
        await note_leaving(machine, USUAL)


async def update_display(machine: "Machine", params: Mapping[str, Any]) -> None:
    """As `set_ticket` for the display of a kind. Raises `DeviceNotUpdated` (56)."""
    for name in ("graphicsType", "password", "ttl"):
        if params.get(name) is None:
            raise MissingParameter.named(name)
    with told_as(DeviceNotUpdated):
        kind, leaving = text(params, "graphicsType").lower(), text(params, "disconnectAction")
        if kind not in KINDS:
            raise DeviceNotUpdated(f"there are displays of the types {', '.join(KINDS)}, none is {kind!r}")
        if leaving and leaving not in DISCONNECT_ACTIONS:
            raise DeviceNotUpdated(f"disconnectAction is one of {', '.join(DISCONNECT_ACTIONS)}, not {leaving!r}")
        action, ttl = text(params, "existingConnAction", "disconnect"), _seconds(params["ttl"], DeviceNotUpdated)
        told = struct(params, "params")
        await _set(machine, kind, str(params["password"]), ttl, action, told, DeviceNotUpdated)
        await note_leaving(machine, leaving or USUAL, text(params, "consoleDisconnectActionDelay"))


async def _set(
    machine: "Machine",
    kind: str,
    password: str,
    ttl: int,
    action: str,
    params: Mapping[str, Any],
    failed: Callable[[str], VirgateError],
) -> None:
    if action not in ACTIONS:
        raise failed(f"existingConnAction is one of {', '.join(ACTIONS)}, not {action!r}")
    async with steps.changing(machine):
        means, record = machine.means, machine.record
        await machine.document()
        display = find(tree.parse(record.xml), kind)
        if display is None:
            raise failed(f"no {kind} display is configured" if kind else "no graphics devices configured")
        told = {str(name): str(value) for name, value in params.items() if value is not None}
        cached = record.xml
        await means.hooks.before_vm_set_ticket(vm=record.subject, domain=XmlDocument(cached), params=told)
        fresh = ticketed(display, password, ttl, action, datetime.fromtimestamp(means.wall(), UTC))
        await hypervisor.update(means.domains, machine.id, tree.one_line(fresh))
        await means.hooks.after_vm_set_ticket(vm=record.subject, domain=XmlDocument(cached), params=told)
        await machine.document()


def find(root: tree.Element, kind: str = "") -> tree.Element | None:
    """The first display, or the one of a kind."""
    return next((one for one in root.iterfind("devices/graphics") if not kind or one.get("type") == kind), None)


def ticketed(display: tree.Element, password: str, ttl: int, action: str, now: datetime) -> tree.Element:
    """The display as libvirt takes it, with the password; only SPICE can be told what to do with its clients."""
    fresh = tree.copy(display)
    fresh.set("passwd", tree.clean(password))
    if ttl > 0:
        fresh.set("passwdValidTo", (now + timedelta(seconds=min(ttl, LONGEST))).strftime("%Y-%m-%dT%H:%M:%S"))
    if fresh.get("type") == "spice":
        fresh.set("connected", action)
    return fresh


async def note_leaving(machine: "Machine", action: str, delay: str = "") -> None:
    """Kept with the machine's displays, for the moment when a client leaves one (`screens.py`)."""
    wanted = {"disconnectAction": action} | ({"disconnectDelay": delay} if delay else {})
    displays = [one for one in machine.record.conf["devices"] if one.get("type") == "graphics"]
    known = [{name: one[name] for name in WISHES if name in one} or {"disconnectAction": USUAL} for one in displays]
    if any(one != wanted for one in known):
        for device in displays:
            for name in WISHES:
                device.pop(name, None)
            device.update(wanted)
        async with steps.changing(machine):
            await machine.devices_changed()


def _seconds(ttl: Any, failed: Callable[[str], VirgateError]) -> int:
    try:
        return integer({"ttl": ttl}, "ttl", 0)
    except InvalidParameter:
        raise failed("its time to live is no number of seconds") from None
