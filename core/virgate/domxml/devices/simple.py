"""Devices of one or two lines: screen cards, sound, controllers, smartcards, redirection, memory modules, channels."""

from virgate.domxml.devices.context import Context, address
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, element, is_name
from virgate.domxml.tree import build as build_element
from virgate.domxml.values import Conf, integer, struct, text


def video(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    sizes = {"vram": text(wishes, "vram", "32768"), "heads": text(wishes, "heads", "1")}
    model = element(
        "model", type=device["device"], ram=wishes.get("ram") or None, vgamem=wishes.get("vgamem") or None, **sizes
    )
    return [element("video", model, address(device))]


def sound(device: Conf, context: Context) -> list[Element]:
    return [element("sound", address(device), model=device["device"])]


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


def smartcard(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    mode = text(wishes, "mode", "passthrough")
    kind = text(wishes, "type", "spicevmc") if mode == "passthrough" else text(wishes, "type")
    return [element("smartcard", address(device), mode=mode, type=kind or None)]


def redirection(device: Conf, context: Context) -> list[Element]:
    return [element("redirdev", address(device), type=device["device"], bus=text(device, "bus", "usb"))]


def memory(device: Conf, context: Context) -> list[Element]:
    size = integer(device, "size") << 10
    target = element("target", element("size", text=size, unit="KiB"), element("node", text=text(device, "node", "0")))
    return [element("memory", target, address(device), model="dimm")]


def balloon(device: Conf, context: Context) -> list[Element]:
    model = text(struct(device, "specParams"), "model", "virtio")
    return [element("memballoon", address(device) if model != "none" else None, model=model)]


def watchdog(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    return [
        element(
            "watchdog", address(device), model=text(wishes, "model", "i6300esb"), action=text(wishes, "action", "none")
        )
    ]


def generic(device: Conf, context: Context) -> list[Element]:
    """A device of a type this version has no page for, as its name and address say."""
    tag = str(device["type"])
    if not is_name(tag):
        raise BadDevice(tag, "no device is called so")
    return [element(tag, address(device), type=device["device"])]
