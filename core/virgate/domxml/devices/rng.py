"""`<rng>` and `<tpm>`: randomness of the host, and a chip that keeps secrets, the host's own or one of a program."""

from virgate.domxml.devices.context import Context, address, common, given
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, attribute, attributes, child_text, element
from virgate.domxml.values import Conf, safe_path, struct, text

SOURCES = {"random": "/dev/random", "hwrng": "/dev/hwrng"}
NAMES = {path: name for name, path in SOURCES.items()} | {"/dev/urandom": "random"}


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


def read_rng(found: Element) -> Conf:
    rate = attributes(found.find("rate"))
    source = NAMES.get(child_text(found, "backend").strip())
    return {
        "type": "rng",
        "device": "virtio",
        "model": str(found.get("model", "virtio")),
        **given(specParams=given(source=source, bytes=rate.get("bytes"), period=rate.get("period"))),
        **common(found),
    }


def tpm(device: Conf, context: Context) -> list[Element]:
    """`mode` passthrough lends the host's chip at `path`; emulator gives each machine one of its own, of `version`."""
    wishes = struct(device, "specParams")
    mode = text(wishes, "mode", "passthrough")
    if mode == "emulator":
        backend = element("backend", type=mode, version=text(wishes, "version", "2.0"))
    elif mode == "passthrough":
        path = safe_path("tpm", text(wishes, "path", "/dev/tpm0"))
        backend = element("backend", element("device", path=path), type=mode)
    else:
        raise BadDevice("tpm", f"its mode is passthrough or emulator, not {mode}")
    return [element("tpm", backend, address(device), model=text(wishes, "model", "tpm-tis"))]


def read_tpm(found: Element) -> Conf:
    wishes = given(
        model=found.get("model"),
        mode=attribute(found, "backend", "type"),
        version=attribute(found, "backend", "version"),
        path=attribute(found, "backend/device", "path"),
    )
    return {"type": "tpm", "device": "tpm", "specParams": wishes, **common(found)}
