"""Machines of the first days: no device list, but keys such as hda, macAddr and display (spec xmlrpc-host-vm 3.3)."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from virgate.domxml.facts import HostFacts
from virgate.domxml.fitting import machine_of, offers_for
from virgate.domxml.values import Conf, integer, structs, text

GRAPHICS = {"qxl": "spice", "qxlnc": "spice", "vnc": "vnc"}
GRAPHICS_KEYS = {
    "keyboardLayout": "keyMap",
    "spiceDisableTicketing": "disableTicketing",
    "displayNetwork": "displayNetwork",
    "spiceSecureChannels": "spiceSecureChannels",
    "copyPasteEnable": "copyPasteEnable",
    "fileTransferEnable": "fileTransferEnable",
}
MODELS = {"pv": "virtio"}


def devices(conf: Mapping[str, Any], facts: HostFacts) -> list[Conf]:
    """The device list that the old keys stand for."""
    return [
        *disks(conf, facts),
        *nics(conf),
        *videos(conf, facts),
        *sounds(conf),
        *graphics(conf, facts),
        {"type": "controller", "device": "virtio-serial"},
    ]


def disks(conf: Mapping[str, Any], facts: HostFacts) -> list[Conf]:
    found: list[Conf] = [dict(drive) for drive in structs(conf, "drives")]
    if not found:
        names = ("hda", "hdb", "hdc", "hdd")
        found = [
            {"path": conf[name], "iface": "ide", "index": index, "format": "raw"}
            for index, name in enumerate(names)
            if conf.get(name)
        ]
    for disk in found:
        disk["iface"] = text(disk, "iface") or text(disk, "if") or "ide"
        disk.setdefault("format", "raw")
        disk.setdefault("propagateErrors", "off")
        disk |= {"type": "disk", "device": text(disk, "device", "disk"), "readonly": False, "shared": False}
    bus = "scsi" if facts.is_power else "ide"
    cdrom = {"type": "disk", "device": "cdrom", "iface": bus, **_medium(conf.get("cdrom"))}
    same_bus = [disk.get("index") for disk in found if disk["iface"] == cdrom["iface"]]
    # The usual place is the third; a hard disk that was put there keeps it.
    found.append(cdrom if 2 in same_bus or "2" in same_bus else cdrom | {"index": 2})
    if conf.get("floppy"):
        found.append({"type": "disk", "device": "floppy", "iface": "fdc", "index": 0, **_medium(conf["floppy"])})
    return found


def _medium(given: object) -> Conf:
    """What is in a drive: a path, or the ids of an image."""
    return given if isinstance(given, dict) else {"path": str(given or "")}


def nics(conf: Mapping[str, Any]) -> list[Conf]:
    """One bridged nic per model; `ValueError` when models, addresses and bridges do not fit."""
    models, macs = _words(conf, "nicModel"), _words(conf, "macAddr")
    bridges = _words({"bridge": "engine"} | dict(conf), "bridge")
    if not models or not macs or not bridges:
        return []
    if len(models) < len(macs) or len(models) < len(bridges):
        raise ValueError("Bad nic specification")
    found = []
    for model, mac, bridge in zip_longest(models, macs, bridges):
        found.append(
            {
                "type": "interface",
                "device": "bridge",
                "nicModel": MODELS.get(model, model),
                "macAddr": mac or macs[-1],
                "network": bridge or bridges[-1],
            }
        )
    return found


def _words(conf: Mapping[str, Any], name: str) -> list[str]:
    return [word for word in text(conf, name).split(",") if word]


def videos(conf: Mapping[str, Any], facts: HostFacts) -> list[Conf]:
    display = text(conf, "display")
    if display == "vnc":
        return [{"type": "video", "device": "vga" if facts.is_power else "cirrus", "specParams": {}}]
    if display == "qxl":
        heads = integer(conf, "spiceMonitors", 1)
        vram = "65536" if heads <= 2 else "32768"
        return [{"type": "video", "device": "qxl", "specParams": {"vram": vram}} for _ in range(min(heads, 16))]
    return []


def sounds(conf: Mapping[str, Any]) -> list[Conf]:
    return [{"type": "sound", "device": conf["soundDevice"]}] if conf.get("soundDevice") else []


def graphics(conf: Mapping[str, Any], facts: HostFacts) -> list[Conf]:
    """The graphics device that the key `display` stands for, if any; VNC for SPICE where QEMU has none."""
    device = GRAPHICS.get(text(conf, "display"))
    if device is None:
        return []
    offers = offers_for(machine_of(conf), facts)
    if not offers.has_screen(device) and offers.has_screen("vnc"):
        device = "vnc"
    return [
        {
            "type": "graphics",
            "device": device,
            "specParams": {new: conf[old] for old, new in GRAPHICS_KEYS.items() if old in conf},
        }
    ]


def mirror(conf: Conf) -> None:
    """Sets the old display keys from the first graphics device, for clients that look only there."""
    first = next((device for device in conf["devices"] if device.get("type") == "graphics"), None)
    if first is None:
        return
    if not (conf.get("display") == "qxlnc" and first.get("device") == "spice"):
        conf["display"] = "qxl" if first.get("device") == "spice" else "vnc"
    conf.setdefault("displayPort", "-1")
    conf.setdefault("displaySecurePort", "-1")
    conf.setdefault("displayIp", "0")
