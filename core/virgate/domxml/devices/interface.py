"""`<interface>`: a nic on a bridge, or a virtual function of a host's card."""

from collections.abc import Mapping

from virgate.domxml.devices.context import Context, address, boot_order, common, given
from virgate.domxml.devices.hostdev import host_address, name_of
from virgate.domxml.devices.tune import bandwidth, read_bandwidth
from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import DUMMY_BRIDGE
from virgate.domxml.tree import Element, attribute, element
from virgate.domxml.values import Conf, flag, struct, text

MODELS = {"pv": "virtio"}


def build(device: Conf, context: Context) -> list[Element]:
    kind = text(device, "device", "bridge")
    is_function = kind == "hostdev"
    model = text(device, "nicModel")
    return [
        element(
            "interface",
            _known("mac", "address", text(device, "macAddr")),
            _known("model", "type", MODELS.get(model, model)) if not is_function else None,
            _source(device, kind, context),
            _vlan(device),
            _known("filterref", "filter", text(device, "filter")),
            element("link", state="up" if flag(device.get("linkActive", True)) else "down"),
            boot_order(device),
            address(device),
            element("driver", name="vfio") if is_function else _driver(device, context),
            _sndbuf(context),
            bandwidth(struct(device, "specParams")),
            type=kind,
            managed=("yes" if flag(device.get("managed")) else "no") if is_function else None,
        )
    ]


def _known(tag: str, attribute: str, value: str) -> Element | None:
    return element(tag, **{attribute: value}) if value else None


def _source(device: Conf, kind: str, context: Context) -> Element:
    if kind == "hostdev":
        found = host_address(text(device, "hostdev"), context.facts)
        if found.capability != "pci":
            raise BadDevice("interface", f"{device.get('hostdev')} is not a PCI function")
        return element("source", element("address", type="pci", **dict(found.address)))
    if kind == "network":
        return element("source", network=text(device, "network"))
    return element("source", bridge=text(device, "network", context.facts.dummy_bridge))


def _vlan(device: Conf) -> Element | None:
    tag = text(device, "vlanid") or text(struct(device, "specParams"), "vlanid")
    return element("vlan", element("tag", id=tag)) if tag else None


def _driver(device: Conf, context: Context) -> Element | None:
    """vhost or qemu when a property of the machine says so for the nic's bridge, and the number of queues."""
    name = vhost(context.custom).get(text(device, "network"))
    queues = struct(device, "custom").get("queues")
    if queues:
        name = name or "vhost"
    return element("driver", name=name, queues=queues or None) if name else None


def vhost(custom: Mapping[str, str]) -> dict[str, str]:
    """The property `vhost`, `br:true,br2:false`, as driver names by bridge."""
    found = {}
    for part in custom.get("vhost", "").split(","):
        bridge, colon, wanted = part.strip().partition(":")
        if colon:
            found[bridge] = "vhost" if flag(wanted) else "qemu"
    return found


def _sndbuf(context: Context) -> Element | None:
    wanted = context.custom.get("sndbuf")
    return element("tune", element("sndbuf", text=wanted)) if wanted else None


def read(found: Element) -> Conf:
    """Driver names and send buffers are properties of the machine, so they are not told here."""
    kind, source = str(found.get("type", "bridge")), found.find("source")
    queues = attribute(found, "driver", "queues")
    told: Conf = {
        "type": "interface",
        "device": kind,
        "linkActive": attribute(found, "link", "state") != "down",
        **given(
            macAddr=attribute(found, "mac", "address"),
            nicModel=attribute(found, "model", "type"),
            filter=attribute(found, "filterref", "filter"),
            name=attribute(found, "target", "dev"),
            custom=given(queues=queues),
            specParams={
                **given(vlanid=attribute(found, "vlan/tag", "id")),
                **read_bandwidth(found.find("bandwidth")),
            },
        ),
        **common(found),
    }
    if kind == "hostdev":
        # libvirt shows a model for every nic, and a function has none.
        told.pop("nicModel", None)
        managed = {"managed": "true"} if found.get("managed") == "yes" else {}
        return told | managed | given(hostdev=name_of("pci", source))
    bridge = attribute(found, "source", "network" if kind == "network" else "bridge")
    return told | {"network": "" if bridge == DUMMY_BRIDGE else bridge}
