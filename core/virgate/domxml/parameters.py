"""Parameters of `create` that list devices: checked in the order clients know, completed, ready to be built from."""

from collections.abc import Container, Mapping
from typing import Any

from virgate.domxml import legacy
from virgate.domxml.drives import check_paths, place
from virgate.domxml.errors import CannotCreate, MachineExists, MissingParameter
from virgate.domxml.facts import HostFacts, LeaseRequest, PayloadRequest
from virgate.domxml.values import Conf, flag, integer, safe_path, struct, structs, text, without_nothing
from virgate.errors import InvalidParameter
from virgate.ids import is_uuid

DISPLAYS = ("vnc", "qxl", "qxlnc")
GRAPHICS = ("spice", "vnc")
PATHS = ("hda", "hdb", "hdc", "hdd", "cdrom", "floppy", "initrd", "kernel")
SYSPREP = "sysprepInf"
NO_NICS = "nicsProblem"


def check(params: Mapping[str, Any], taken: Container[str]) -> None:
    """The refusals of spec xmlrpc-host-vm 3.1, first failing rule first."""
    if isinstance(params.get("vmId"), str) and params["vmId"] in taken:
        raise MachineExists(str(params["vmId"]))
    for name in ("vmId", "memSize"):
        if name not in params:
            raise MissingParameter.named(name)
    check_id(params["vmId"])
    if integer(params, "memSize") <= 0:
        raise MissingParameter("Must specify nonzero memSize")
    if params.get("boot") == "c" and not params.get("hda") and not params.get("drives"):
        raise MissingParameter("missing boot disk")
    check_display(params)
    for name in PATHS:
        if not isinstance(params.get(name), dict):
            safe_path(name, params.get(name))


def check_id(given: object) -> None:
    if not is_uuid(given):
        raise MissingParameter("vmId must be a valid UUID")


def check_display(params: Mapping[str, Any]) -> None:
    display = params.get("display")
    if display is not None and display not in DISPLAYS:
        raise CannotCreate(f"Unknown display type {display}")
    for device in structs(params, "devices"):
        if device.get("type") == "graphics" and device.get("device") not in GRAPHICS:
            raise CannotCreate(f"Unknown display type {device.get('device')}")


def custom_of(conf: Mapping[str, Any]) -> dict[str, str]:
    """Custom properties as text, names verbatim."""
    return {str(name): "" if value is None else str(value) for name, value in struct(conf, "custom").items()}


def complete(params: Mapping[str, Any], facts: HostFacts) -> Conf:
    """The machine's conf as `list full` echoes it: given keys, defaults, and the whole device list, disks placed.

    Nics that do not fit each other are told when the machine starts, so they are kept as `_nicsProblem`.
    """
    conf: Conf = without_nothing({name: value for name, value in params.items() if name != SYSPREP})
    conf["vmName"] = text(conf, "vmName") or f"n{conf['vmId']}"
    if text(conf, "vmType", "kvm") == "kvm":
        conf.setdefault("kvmEnable", "true")
    conf.setdefault("vmType", "kvm")
    conf["nicModel"] = text(conf, "nicModel", "rtl8139,pv")
    conf["custom"] = custom_of(conf)
    if conf.get("devices"):
        devices: list[Conf] = list(conf["devices"])
        if not any(device.get("type") == "graphics" for device in devices):
            devices += legacy.graphics(conf, facts)
    else:
        devices = _legacy_devices(conf, facts)
    conf["devices"] = devices
    _fill(conf, devices)
    if params.get(SYSPREP) and not any(disk.get("device") == "floppy" for disk in disks_of(conf)):
        devices.append({"type": "disk", "device": "floppy", "iface": "fdc", "index": 0, "path": "", "specParams": {}})
        conf["volatileFloppy"] = True
    place(disks_of(conf), "ide")
    legacy.mirror(conf)
    return conf


def _legacy_devices(conf: Conf, facts: HostFacts) -> list[Conf]:
    try:
        return legacy.devices(conf, facts)
    except ValueError as problem:
        conf[f"_{NO_NICS}"] = str(problem)
        return legacy.devices(conf | {"nicModel": ""}, facts)


def _fill(conf: Conf, devices: list[Conf]) -> None:
    for device in devices:
        if not device.get("type"):
            raise InvalidParameter("device", device)
        device["device"] = text(device, "device") or str(device["type"])
        if device["type"] == "disk":
            check_paths(device)
        elif device["type"] == "lease":
            safe_path("lease", device.get("path"))
    if not any(device["type"] == "balloon" for device in devices):
        devices.append({"type": "balloon", "device": "memballoon", "specParams": {"model": "none"}})
    for device in devices:
        if device["type"] == "balloon":
            device.setdefault("target", integer(conf, "memSize") * 1024)


def disks_of(conf: Mapping[str, Any]) -> list[Conf]:
    return [device for device in conf.get("devices", ()) if device.get("type") == "disk"]


def leases_of(conf: Mapping[str, Any]) -> tuple[LeaseRequest, ...]:
    """The leases of a conf that storage must find, as their entries give no path."""
    return tuple(
        LeaseRequest(text(device, "lease_id"), text(device, "sd_id"))
        for device in conf["devices"]
        if device["type"] == "lease" and not device.get("path")
    )


def sysprep(params: Mapping[str, Any], conf: Mapping[str, Any]) -> tuple[PayloadRequest, ...]:
    """The floppy with answers for an unattended installation, which no echo ever shows."""
    content = getattr(params.get(SYSPREP), "data", params.get(SYSPREP))
    floppy = next((disk for disk in disks_of(conf) if disk.get("device") == "floppy"), None)
    if not content or floppy is None:
        return ()
    data = content if isinstance(content, bytes) else str(content).encode()
    return (PayloadRequest(floppy["name"], "floppy", "", {"sysprep.inf": data}),)


def is_acpi(conf: Mapping[str, Any]) -> bool:
    return flag(conf.get("acpiEnable", True))
