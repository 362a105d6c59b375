"""What must be asked of the host before the parameters of a machine can be read."""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.errors import UnsafeXml
from virgate.domxml.fitting import machine_in, machine_of
from virgate.domxml.tree import parse
from virgate.domxml.values import flag


def machine_and_host_devices(params: Mapping[str, Any]) -> tuple[str, set[str]]:
    """The machine type, empty for the host's choice, and the names of host devices. Nonsense asks for nothing; it is
    refused where it is read."""
    if params.get("xml"):
        try:
            return machine_in(parse(str(params["xml"]))), set()
        except UnsafeXml:
            return "", set()
    return machine_of(params), host_devices(params.get("devices"))


def host_devices(devices: object) -> set[str]:
    """libvirt's names of all devices that must be taken from the host for this machine; it takes others by itself."""
    found = set()
    for device in devices if isinstance(devices, list | tuple) else ():
        if isinstance(device, dict) and flag(device.get("managed")):
            continue
        if isinstance(device, dict) and device.get("type") == "hostdev":
            found.add(str(device.get("device") or ""))
        elif isinstance(device, dict) and device.get("type") == "interface" and device.get("device") == "hostdev":
            found.add(str(device.get("hostdev") or ""))
    return found - {""}
