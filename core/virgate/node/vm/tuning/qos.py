"""The policy of a machine as its domain's metadata keep it: `<ovirt-tune:qos>` (spec xmlrpc-host-vm 3.5).

<vcpuLimit>50</vcpuLimit>
<ioTune><device name="vda" path="/p"><maximum><total_bytes_sec>5</...></maximum><guaranteed/></device></ioTune>
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen
from lxml import etree

from virgate.domxml import metadata, tree
from virgate.node.vm.tuning.limits import Limits, number

SIDES = ("maximum", "guaranteed")


@frozen
class DevicePolicy:
    """What a disk may use at most, and what it should get."""

    name: str = ""
    path: str = ""
    maximum: Limits = field(factory=dict)
    guaranteed: Limits = field(factory=dict)

    @property
    def members(self) -> dict[str, Any]:
        """As getIoTunePolicy answers it."""
        named = {"name": self.name, "path": self.path}
        shown = {key: value for key, value in named.items() if value}
        return shown | {"guaranteed": dict(self.guaranteed), "maximum": dict(self.maximum)}

    def is_of(self, other: "DevicePolicy") -> bool:
        """By name, and by path where one of the two has no name."""
        if self.name and other.name:
            return self.name == other.name
        return bool(self.path) and self.path == other.path

    def under(self, newer: "DevicePolicy") -> "DevicePolicy":
        """With the newer one's values over its own; negative ones take a limit away."""
        return DevicePolicy(
            newer.name or self.name,
            newer.path or self.path,
            _positive(self.maximum | newer.maximum),
            _positive(self.guaranteed | newer.guaranteed),
        )


@frozen
class Policy:
    vcpu_limit: str = ""
    """Percent, as the client wrote it; empty when nobody did."""
    devices: tuple[DevicePolicy, ...] = ()

    def merged(self, newer: Iterable[DevicePolicy]) -> "Policy":
        devices = list(self.devices)
        for one in newer:
            place = next((number for number, known in enumerate(devices) if known.is_of(one)), None)
            if place is None:
                devices.append(DevicePolicy().under(one))
            else:
                devices[place] = devices[place].under(one)
        return evolve(self, devices=tuple(devices))


def _positive(limits: Mapping[str, int]) -> Limits:
    return {name: value for name, value in limits.items() if value >= 0}


def device(given: Mapping[str, Any]) -> DevicePolicy:
    """From a client's struct. `BadLimits` for what is no limit."""
    sides = {}
    for side in SIDES:
        values = given.get(side)
        named = values if isinstance(values, Mapping) else {}
        sides[side] = {str(name): number(str(name), value) for name, value in named.items()}
    return DevicePolicy(str(given.get("name") or ""), str(given.get("path") or ""), **sides)


def read(qos: tree.Element | None) -> Policy:
    """What nobody could have written is passed over: metadata are anybody's text."""
    if qos is None:
        return Policy()
    limit, devices = "", []
    for child in tree.children(qos):
        if _name(child) == "vcpuLimit":
            limit = str(child.text or "").strip()
        elif _name(child) == "ioTune":
            devices += [_read_device(one) for one in tree.children(child) if _name(one) == "device"]
    return Policy(limit, tuple(devices))


def _read_device(found: tree.Element) -> DevicePolicy:
    sides: dict[str, Limits] = {side: {} for side in SIDES}
    for side in tree.children(found):
        for one in tree.children(side):
            if _name(side) in sides:
                try:
                    sides[_name(side)][_name(one)] = number(_name(one), one.text)
                except ValueError:
                    continue
    named = tree.attributes(found)
    return DevicePolicy(
        named.get("name", ""), named.get("path", ""), _positive(sides["maximum"]), _positive(sides["guaranteed"])
    )


def _name(found: tree.Element) -> str:
    return str(etree.QName(found).localname)


def rewritten(text: str | None, policy: Policy) -> str:
    """The element for setting it in a domain, with what other programs wrote there left alone."""
    qos = tree.parse(text) if text else metadata.empty(metadata.TUNE, "qos")
    for child in tree.children(qos):
        if _name(child) in ("vcpuLimit", "ioTune"):
            qos.remove(child)
    namespace = f"{{{metadata.TUNE}}}" if str(qos.tag).startswith("{") else ""
    if policy.vcpu_limit:
        etree.SubElement(qos, f"{namespace}vcpuLimit").text = tree.clean(policy.vcpu_limit)
    if policy.devices:
        below = etree.SubElement(qos, f"{namespace}ioTune")
        for one in policy.devices:
            _write_device(below, namespace, one)
    return metadata.bare(qos)


def _write_device(below: tree.Element, namespace: str, policy: DevicePolicy) -> None:
    named = {"name": policy.name, "path": policy.path}
    shown = {key: tree.clean(value) for key, value in named.items() if value}
    found = etree.SubElement(below, f"{namespace}device", shown)
    for side, limits in (("maximum", policy.maximum), ("guaranteed", policy.guaranteed)):
        place = etree.SubElement(found, f"{namespace}{side}")
        for name, value in limits.items():
            etree.SubElement(place, f"{namespace}{name}").text = str(value)
