"""`<channel>`: a serial line between guest and host with a name, which a program in the guest opens."""

from virgate.domxml.devices.context import Context, address, common, given
from virgate.domxml.tree import Element, attribute, element
from virgate.domxml.values import Conf, safe_component, text

AGENT_CHANNELS = ("com.redhat.rhevm.vdsm", "org.qemu.guest_agent.0")
"""Every machine has these two."""
SPICE = "com.redhat.spice.0"


def build(device: Conf, context: Context) -> list[Element]:
    """A port of that name. Clients send back what they once read: agents' channels are there already, and those
    without a name that older daemons told of were never more than these."""
    kind, name = text(device, "device", "unix"), safe_component("channel", device.get("name"))
    if name in AGENT_CHANNELS or kind == "spicevmc" or (kind in ("unix", "channel") and not name):
        return []
    if kind in ("unix", "channel"):
        return [port(name, context, device)]
    target = element("target", type="virtio", name=name) if name else None
    return [element("channel", target, address(device), type=kind)]


def port(name: str, context: Context, device: Conf | None = None) -> Element:
    """A channel whose other end is a socket in the folder of the agents' sockets, called after machine and port."""
    return element(
        "channel",
        element("target", type="virtio", name=name),
        element("source", mode="bind", path=f"{context.facts.channels}/{context.machine}.{name}"),
        address(device or {}),
        type="unix",
    )


def read(found: Element) -> Conf:
    return {
        "type": "channel",
        "device": str(found.get("type", "")),
        **given(name=attribute(found, "target", "name")),
        **common(found),
    }
