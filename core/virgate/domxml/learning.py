"""What a running document tells of a device, put into the struct that the client gave of it.

The client's words stay where they mean what the document says (`pv` is virtio, True is "true"); where a hook or the
hypervisor decided otherwise the document is right. Keys that no document carries stay untouched.
"""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.devices.interface import MODELS
from virgate.domxml.drives import sharing
from virgate.domxml.values import Conf

REPLACED = ("address", "alias", "name", "path", "readonly", "linkActive", "port", "tlsPort")
"""Of these the document's form is the one that clients are shown (spec xmlrpc-host-vm 4.7)."""
KEPT: dict[str, tuple[str, ...]] = {
    "interface": ("network",),
    "hostdev": ("device",),
    "lease": ("path", "offset"),
}
"""A network's bridge may have another name, a USB device is known by its name only, a lease's place is storage's."""


def learn(device: Conf, told: Mapping[str, Any]) -> None:
    """Brings `device` up to what its element `told`."""
    kept = KEPT.get(str(device.get("type")), ())
    for name, value in told.items():
        if name == "type" or name in kept:
            continue
        if name in REPLACED:
            device[name] = value
        elif isinstance(value, Mapping) and isinstance(device.get(name), Mapping):
            device[name] = _merged(device[name], value)
        elif not _same(name, device, value):
            device[name] = value


def _merged(known: Mapping[str, Any], told: Mapping[str, Any]) -> Conf:
    merged = dict(known)
    for name, value in told.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = _merged(merged[name], value)
        elif _word(merged.get(name)) != _word(value):
            merged[name] = value
    return merged


def _same(name: str, device: Mapping[str, Any], value: object) -> bool:
    known = device.get(name)
    if name == "shared":
        return sharing(device) == value
    if name == "nicModel":
        known = MODELS.get(str(known), known)
    if name == "format":
        known = {"qcow2": "cow"}.get(str(known), known)
    return _word(known) == _word(value)


def _word(value: object) -> str:
    """Numbers and truths in the one form that texts have."""
    return str(value).strip().lower()
