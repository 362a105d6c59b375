"""`<hostdev>`: a device of the host that the guest drives itself."""

import re

from virgate.domxml.devices.context import Context, address, boot_order, common
from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import HostFacts, NodeDevice
from virgate.domxml.tree import Element, attribute, attributes, element
from virgate.domxml.tree import build as build_element
from virgate.domxml.values import Conf, flag, struct

_PCI = re.compile(r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])", re.ASCII)
_SCSI = re.compile(r"scsi_(\d+)_(\d+)_(\d+)_(\d+)", re.ASCII)


def host_address(name: str, facts: HostFacts) -> NodeDevice:
    """The device behind libvirt's name for it: from the host's facts, else from what the name itself says."""
    if name in facts.node_devices:
        return facts.node_devices[name]
    if found := _PCI.fullmatch(name):
        domain, bus, slot, function = found.groups()
        numbers = {"domain": domain, "bus": bus, "slot": slot, "function": function}
        return NodeDevice("pci", {part: f"0x{number}" for part, number in numbers.items()})
    if found := _SCSI.fullmatch(name):
        host, bus, target, unit = found.groups()
        return NodeDevice("scsi", {"bus": bus, "target": target, "unit": unit}, adapter=f"scsi_host{host}")
    raise BadDevice("hostdev", f"the host has no device {name!r}")


def build(device: Conf, context: Context) -> list[Element]:
    """Nothing for a placeholder: a device that must leave the host although the guest does not see it."""
    if flag(struct(device, "specParams").get("iommuPlaceholder")):
        return []
    found = host_address(str(device["device"]), context.facts)
    where = build_element("address", found.address)
    adapter = element("adapter", name=found.adapter) if found.adapter else None
    return [
        element(
            "hostdev",
            element("source", adapter, where),
            boot_order(device),
            address(device),
            mode="subsystem",
            type=found.capability,
            managed="yes" if flag(device.get("managed")) else "no",
        )
    ]


def read(found: Element) -> Conf:
    """A PCI or SCSI device is called as libvirt calls it; of a USB device the document tells only bus and number."""
    source, kind = found.find("source"), str(found.get("type", ""))
    managed = {"managed": "true"} if found.get("managed") == "yes" else {}
    return {"type": "hostdev", "device": name_of(kind, source) or kind, **managed, **common(found)}


def name_of(kind: str, source: Element | None) -> str:
    """libvirt's name of the device behind a `<source>`; empty when the document does not tell."""
    where = attributes(source.find("address")) if source is not None else {}
    if kind == "pci" and where.keys() >= {"domain", "bus", "slot", "function"}:
        domain, bus, slot, function = (int(where[part], 0) for part in ("domain", "bus", "slot", "function"))
        return f"pci_{domain:04x}_{bus:02x}_{slot:02x}_{function:x}"
    if kind == "scsi" and source is not None:
        host = attribute(source, "adapter", "name").removeprefix("scsi_host")
        return f"scsi_{host}_{where.get('bus', '0')}_{where.get('target', '0')}_{where.get('unit', '0')}"
    return ""
