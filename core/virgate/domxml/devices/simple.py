"""Devices of one or two lines: screen cards, sound, controllers, smartcards, redirection, memory modules, channels."""

from virgate.domxml.devices.context import Context, address, common, given
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, attributes, child_text, element, is_name
from virgate.domxml.tree import build as build_element
from virgate.domxml.values import Conf, integer, struct, text


def video(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    sizes = {"vram": text(wishes, "vram", "32768"), "heads": text(wishes, "heads", "1")}
    model = element(
        "model", type=device["device"], ram=wishes.get("ram") or None, vgamem=wishes.get("vgamem") or None, **sizes
    )
    return [element("video", model, address(device))]


def read_video(found: Element) -> Conf:
    model = attributes(found.find("model"))
    wishes = {name: model[name] for name in ("vram", "heads", "ram", "vgamem") if name in model}
    return {"type": "video", "device": model.get("type", ""), "specParams": wishes, **common(found)}


def sound(device: Conf, context: Context) -> list[Element]:
    return [element("sound", address(device), model=device["device"])]


def read_sound(found: Element) -> Conf:
    return {"type": "sound", "device": str(found.get("model", "")), **common(found)}


def controller(device: Conf, context: Context) -> list[Element]:
    given = device.get("index")
    ports = None
    if device["device"] == "virtio-serial":
        given, ports = (0 if given in (None, "") else given), 16
    master = device.get("master")
    return [
        element(
            "controller",
            build_element("master", {"startport": master.get("startport")}) if isinstance(master, dict) else None,
            address(device),
            type=device["device"],
            index=None if given == "" else given,
            model=text(device, "model") or text(struct(device, "specParams"), "model") or None,
            ports=ports,
        )
    ]


def read_controller(found: Element) -> Conf:
    master = attributes(found.find("master"))
    return {
        "type": "controller",
        "device": str(found.get("type", "")),
        **given(index=found.get("index"), model=found.get("model"), master=master),
        **common(found),
    }


def smartcard(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    mode = text(wishes, "mode", "passthrough")
    kind = text(wishes, "type", "spicevmc") if mode == "passthrough" else text(wishes, "type")
    return [element("smartcard", address(device), mode=mode, type=kind or None)]


def read_smartcard(found: Element) -> Conf:
    wishes = given(mode=found.get("mode"), type=found.get("type"))
    return {"type": "smartcard", "device": "smartcard", "specParams": wishes, **common(found)}


def redirection(device: Conf, context: Context) -> list[Element]:
    return [element("redirdev", address(device), type=device["device"], bus=text(device, "bus", "usb"))]


def read_redirection(found: Element) -> Conf:
    return {"type": "redir", "device": str(found.get("type", "")), **given(bus=found.get("bus")), **common(found)}


def memory(device: Conf, context: Context) -> list[Element]:
    size = integer(device, "size") << 10
    target = element("target", element("size", text=size, unit="KiB"), element("node", text=text(device, "node", "0")))
    return [element("memory", target, address(device), model="dimm")]


def read_memory(found: Element) -> Conf:
    """`size` in MiB; libvirt may have rounded it."""
    node = child_text(found, "target/node", "0").strip()
    return {"type": "memory", "device": "memory", "size": str(_mib(found)), "node": node, **common(found)}


def _mib(found: Element) -> int:
    size = found.find("target/size")
    factor = {"b": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    if size is None:
        return 0
    return int((size.text or "0").strip()) * factor.get(str(size.get("unit", "KiB")), 1 << 10) >> 20


def balloon(device: Conf, context: Context) -> list[Element]:
    model = text(struct(device, "specParams"), "model", "virtio")
    return [element("memballoon", address(device) if model != "none" else None, model=model)]


def read_balloon(found: Element) -> Conf:
    wishes = {"model": str(found.get("model", "virtio"))}
    return {"type": "balloon", "device": "memballoon", "specParams": wishes, **common(found)}


def watchdog(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    return [
        element(
            "watchdog", address(device), model=text(wishes, "model", "i6300esb"), action=text(wishes, "action", "none")
        )
    ]


def read_watchdog(found: Element) -> Conf:
    wishes = given(model=found.get("model"), action=found.get("action"))
    return {"type": "watchdog", "device": "watchdog", "specParams": wishes, **common(found)}


def generic(device: Conf, context: Context) -> list[Element]:
    """A device of a type this version has no page for, as its name and address say."""
    tag = str(device["type"])
    if not is_name(tag):
        raise BadDevice(tag, "no device is called so")
    return [element(tag, address(device), type=device["device"])]


def read_generic(found: Element) -> Conf:
    return {"type": str(found.tag), "device": str(found.get("type", "")), **common(found)}
