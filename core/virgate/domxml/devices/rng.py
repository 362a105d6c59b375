"""`<rng>` and `<tpm>`: devices that lend the guest a device file of the host."""

from virgate.domxml.devices.context import Context, address
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, element
from virgate.domxml.values import Conf, safe_path, struct, text

SOURCES = {"random": "/dev/random", "hwrng": "/dev/hwrng"}


def rng(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    source = text(wishes, "source", "random")
    if source not in SOURCES:
        raise BadDevice("rng", f"no source of randomness is called {source}")
    rate = element("rate", bytes=wishes["bytes"], period=wishes.get("period")) if wishes.get("bytes") else None
    return [
        element(
            "rng",
            rate,
            element("backend", model="random", text=SOURCES[source]),
            address(device),
            model=text(device, "model", "virtio"),
        )
    ]


def tpm(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    path = safe_path("tpm", text(wishes, "path", "/dev/tpm0"))
    backend = element("backend", element("device", path=path), type=text(wishes, "mode", "passthrough"))
    return [element("tpm", backend, model=text(wishes, "model", "tpm-tis"))]
