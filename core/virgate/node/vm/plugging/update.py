"""Nics of running machines changed in place (spec xmlrpc-host-vm 2.8, network 17.2, hooks 1.4)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.logger import Logger

from virgate.domxml import tree
from virgate.domxml.devices.tune import bandwidth
from virgate.domxml.errors import MissingParameter
from virgate.domxml.facts import HostFacts
from virgate.domxml.values import Conf, flag, struct, text
from virgate.errors import VirgateError
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm.plugging import given, mirroring, nic, steps
from virgate.node.vm.plugging.errors import DeviceNotUpdated, UnknownDeviceKind, told_as

if TYPE_CHECKING:
    from virgate.hookspecs.documents import XmlDocument
    from virgate.node.vm.machine import Machine

WAYS = ("inbound", "outbound")

log = Logger()


async def update(machine: "Machine", params: Mapping[str, Any]) -> None:
    """The verb vmUpdateDevice: a nic or a display. Raises `DeviceNotUpdated` (56), `UnknownDeviceKind` (44)."""
    kind = kind_of(params)
    if kind == "graphics":
        from virgate.node.vm.plugging import tickets

        await tickets.update_display(machine, params)
    else:
        await update_nic(machine, params)


def kind_of(params: Mapping[str, Any]) -> str:
    """`interface` or `graphics`. Raises `MissingParameter` (11), `UnknownDeviceKind` (44)."""
    kind = text(params, "deviceType") or ("interface" if params.get("xml") else "")
    if not kind:
        raise MissingParameter.named("deviceType")
    if kind not in ("interface", "graphics"):
        raise UnknownDeviceKind(kind)
    return kind


@frozen
class Wish:
    """What shall be different; None, and missing members, keep what is."""

    alias: str
    network: str | None = None
    link: bool | None = None
    limits: Conf | None = None
    """Struct with inbound and outbound; an empty one takes the limits away."""
    filter: str | None = None
    mtu: str | None = None
    mirrored: list[str] | None = None
    custom: Conf | None = None
    """Properties for the hooks of this update only."""


def wish(params: Mapping[str, Any]) -> Wish:
    """From the members of the verb, or from a document that shows the nic as it shall be."""
    if isinstance(params.get("xml"), str):
        wanted = given.from_document(params["xml"], "interface").device
        params = {**wanted, "specParams": _limits(wanted) or {}} | {
            name: params[name] for name in params if name != "xml"
        }
    alias = text(params, "alias")
    if not alias:
        raise MissingParameter.named("alias")
    limits = params.get("specParams")
    return Wish(
        alias=alias,
        network=None if params.get("network") is None else str(params["network"]),
        link=None if params.get("linkActive") is None else flag(params["linkActive"]),
        limits=_limits(params) if isinstance(limits, Mapping) else None,
        filter=None if params.get("filter") is None else str(params["filter"]),
        mtu=text(params, "mtu") or None,
        mirrored=None if params.get("portMirroring") is None else mirroring.networks(params),
        custom=struct(params, "custom"),
    )


def _limits(params: Mapping[str, Any]) -> Conf:
    return {way: struct(struct(params, "specParams"), way) for way in WAYS if way in struct(params, "specParams")}


def changed(element: tree.Element, wanted: Wish, facts: HostFacts) -> tree.Element:
    """The nic's element with the wish in it. Without a network it hangs on nothing, its link down."""
    fresh = tree.copy(element)
    link = wanted.link
    if wanted.network is not None:
        _connect(fresh, wanted.network or facts.dummy_bridge)
        link = link if wanted.network else False
    if link is not None:
        _set(fresh, tree.element("link", state="up" if link else "down"))
    if wanted.limits is not None:
        _set(fresh, bandwidth(wanted.limits), "bandwidth")
    if wanted.filter is not None:
        _set(fresh, tree.element("filterref", filter=wanted.filter) if wanted.filter else None, "filterref")
    if wanted.mtu is not None:
        _set(fresh, tree.element("mtu", size=wanted.mtu))
    return fresh


def _connect(fresh: tree.Element, network: str) -> None:
    source = fresh.find("source")
    if source is None:
        source = tree.element("source")
        fresh.append(source)
    if fresh.get("type") == "network":
        for name in ("portid", "bridge"):
            source.attrib.pop(name, "")
        source.set("network", network)
    else:
        source.set("bridge", network)


def _set(fresh: tree.Element, wanted: tree.Element | None, tag: str = "") -> None:
    for old in fresh.findall(tag or str(wanted.tag if wanted is not None else "")):
        fresh.remove(old)
    if wanted is not None:
        fresh.append(wanted)


async def update_nic(machine: "Machine", params: Mapping[str, Any]) -> None:
    """Changes bridge, link, limits, filter, MTU and mirroring of one nic; all of it or nothing."""
    wanted = wish(params)
    with told_as(DeviceNotUpdated):
        async with steps.changing(machine):
            device = nic.find(machine.record.conf, {"alias": wanted.alias})
            await machine.document()
            element = None if device is None else steps.element_of(machine, device)
            if device is None or element is None:
                raise DeviceNotUpdated(f"the machine has no interface {wanted.alias!r}")
            await _change(machine, device, element, wanted)


async def _change(machine: "Machine", device: Conf, element: tree.Element, wanted: Wish) -> None:
    means, record = machine.means, machine.record
    fresh = changed(element, wanted, means.facts())
    document = steps.document_of(fresh, {"custom": wanted.custom})
    try:
        await _hooked(machine, document)
        await _mirror(machine, device, element, wanted)
    except VirgateError as problem:
        await means.hooks.after_update_device_fail(vm=record.subject, device=document)
        await _back(machine, element)
        raise DeviceNotUpdated(str(problem)) from problem  # a hook's refusal, too, is the update's failure
    note(device, wanted)
    await machine.devices_changed()


async def _hooked(machine: "Machine", document: "XmlDocument") -> None:
    means, subject = machine.means, machine.record.subject
    await means.hooks.before_update_device(vm=subject, device=document)
    await hypervisor.update(means.domains, machine.id, document.text)
    await means.hooks.after_update_device(vm=subject, device=document)


async def _mirror(machine: "Machine", device: Conf, element: tree.Element, wanted: Wish) -> None:
    if wanted.mirrored is None:
        return
    tap, before = tree.attribute(element, "target", "dev"), mirroring.networks(device)
    await mirroring.end(machine, tap, [one for one in before if one not in wanted.mirrored])
    await mirroring.begin(machine, tap, [one for one in wanted.mirrored if one not in before])


async def _back(machine: "Machine", element: tree.Element) -> None:
    try:
        await hypervisor.update(machine.means.domains, machine.id, tree.one_line(element))
    except VirgateError as problem:
        log.warn("a NIC of {vm} is not as before: {why}", vm=machine.id, why=str(problem))


def note(device: Conf, wanted: Wish) -> None:
    """What the configuration says of the nic from now on; link and limits are also read back."""
    if wanted.network is not None:
        device["network"] = wanted.network
    if wanted.limits is not None:
        rest = {name: value for name, value in struct(device, "specParams").items() if name not in WAYS}
        device["specParams"] = rest | wanted.limits
    if wanted.filter is not None:
        device["filter"] = wanted.filter
    if wanted.mtu is not None:
        device["mtu"] = wanted.mtu
    if wanted.mirrored is not None:
        device["portMirroring"] = wanted.mirrored
