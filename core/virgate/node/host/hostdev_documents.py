"""libvirt's documents of the host's devices, taken apart (spec xmlrpc-host-vm 2.5). Pure."""

from typing import Any

from virgate.domxml.facts import NodeDevice
from virgate.domxml.tree import Element, attribute, child_text, parse

ROOT = "computer"
ADDRESSES = {
    "pci": ("domain", "bus", "slot", "function"),
    "scsi": ("host", "bus", "target", "lun"),
    "usb_device": ("bus", "device"),
}
BRIDGES = ("pci-bridge", "cardbus")
"""What a PCI function says of itself when it has a header of another type; QEMU takes no such function."""


def parameters(document: str) -> tuple[str, dict[str, Any]]:
    """The device's name and what clients are told of it."""
    root = parse(document)
    name, capability = child_text(root, "name"), _capability(root)
    kind = str(capability.get("type", ""))
    told: dict[str, Any] = {"capability": kind, "is_assignable": "true" if _assignable(capability) else "false"}
    if name != ROOT and (parent := child_text(root, "parent")):
        told["parent"] = parent
    for what in ("vendor", "product"):
        if label := child_text(capability, what).strip():
            told[what] = label
        if number := attribute(capability, what, "id"):
            told[f"{what}_id"] = number
    if interface := child_text(capability, "interface").strip():
        told["interface"] = interface
    if group := attribute(capability, "iommuGroup", "number"):
        told["iommu_group"] = group
    if most := attribute(capability, "capability[@type='virt_functions']", "maxCount"):
        told["totalvfs"] = int(most)
    physical = capability.find("capability[@type='phys_function']/address")
    if physical is not None:
        told["physfn"] = pci_name(physical)
    if address := _address(capability, kind):
        told["address"] = address
    return name, told


def _capability(root: Element) -> Element:
    found = root.find("capability")
    return root if found is None else found


def _assignable(capability: Element) -> bool:
    return not any(capability.find(f"capability[@type='{kind}']") is not None for kind in BRIDGES)


def _address(capability: Element, kind: str) -> dict[str, str]:
    parts = ADDRESSES.get(kind, ())
    return {part: text for part in parts if (text := child_text(capability, part).strip())}


def pci_name(address: Element) -> str:
    """libvirt's name of the function at an `<address>`."""
    domain, bus, slot, function = (int(str(address.get(part, "0")), 0) for part in ADDRESSES["pci"])
    return f"pci_{domain:04x}_{bus:02x}_{slot:02x}_{function:x}"


def node_device(document: str) -> NodeDevice | None:
    """The device as a machine's document names it; None for one of a kind that no guest can have."""
    capability = _capability(parse(document))
    kind = str(capability.get("type", ""))
    address = _address(capability, kind)
    if kind not in ADDRESSES or len(address) < len(ADDRESSES[kind]):
        return None
    if kind == "pci":
        if not _assignable(capability):
            return None
        widths = {"domain": 4, "bus": 2, "slot": 2, "function": 1}
        return NodeDevice("pci", {part: f"0x{int(address[part], 0):0{width}x}" for part, width in widths.items()})
    if kind == "usb_device":
        return NodeDevice("usb", address)
    where = {"bus": address["bus"], "target": address["target"], "unit": address["lun"]}
    return NodeDevice("scsi", where, adapter=f"scsi_host{address['host']}")
