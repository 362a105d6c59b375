"""`<lease>`: a machine that may run once only, in all the world that sees the lease's domain."""

from virgate.domxml.devices.context import Context
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, attribute, child_text, element
from virgate.domxml.values import Conf, safe_path, text


def build(device: Conf, context: Context) -> list[Element]:
    lease, domain = text(device, "lease_id"), text(device, "sd_id")
    found = context.leases.get((lease, domain))
    path = found.path if found else safe_path("lease", device.get("path"))
    offset = found.offset if found else text(device, "offset", "0")
    if not lease or not domain or not path:
        raise BadDevice("lease", f"lease {lease or '?'} of domain {domain or '?'} was not found")
    return [
        element(
            "lease",
            element("key", text=lease),
            element("lockspace", text=domain),
            element("target", path=path, offset=offset),
        )
    ]


def read(found: Element) -> Conf:
    return {
        "type": "lease",
        "device": "lease",
        "lease_id": child_text(found, "key"),
        "sd_id": child_text(found, "lockspace"),
        "path": attribute(found, "target", "path"),
        "offset": attribute(found, "target", "offset") or "0",
    }
