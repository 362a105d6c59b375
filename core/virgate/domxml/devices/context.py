"""What the builder of one device may look at beside the device itself."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import HostFacts, Leases, Sources
from virgate.domxml.tree import Element, attribute, attributes, build, is_name
from virgate.domxml.values import Conf


@frozen
class Context:
    machine: str
    """The machine's id."""
    facts: HostFacts
    custom: Mapping[str, str] = field(factory=dict)
    sources: Sources = field(factory=dict)
    leases: Leases = field(factory=dict)


Builder: TypeAlias = Callable[[Conf, Context], list[Element]]
"""Makes the elements of one device. Raises `BadDevice` for what libvirt would refuse or misunderstand."""


Reader: TypeAlias = Callable[[Element], Conf]
"""The struct whose building gives this element again, without what libvirt alone decides (see `common`)."""


def common(found: Element) -> Conf:
    """Members that any device may have: its alias, its place on a bus, its turn at boot."""
    told: Conf = {}
    if alias := attribute(found, "alias", "name"):
        told["alias"] = alias
    if place := attributes(found.find("address")):
        told["address"] = place
    if order := attribute(found, "boot", "order"):
        told["bootOrder"] = order
    return told


def given(**members: object) -> Conf:
    """The members that say something."""
    return {name: value for name, value in members.items() if value not in (None, "", {}, [])}


def address(device: Mapping[str, Any]) -> Element | None:
    """The device's wanted place on its bus, attributes verbatim; None leaves the choice to libvirt."""
    given = device.get("address")
    if not given:
        return None
    if not isinstance(given, dict) or not all(is_name(str(name)) for name in given):
        raise BadDevice(str(device.get("type")), f"not an address: {given!r}")
    return build("address", {str(name): value for name, value in given.items()})


def boot_order(device: Mapping[str, Any]) -> Element | None:
    given = device.get("bootOrder")
    return None if given in (None, "", 0, "0") else build("boot", {"order": given})
