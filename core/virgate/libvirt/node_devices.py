"""The host's devices as libvirt names them: listed, described, taken from the host's driver and given back.

A device that is not there is nothing (None), as devices come and go between two calls.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import libvirt

FLAGS = {
    "system": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM,
    "pci": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV,
    "usb_device": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV,
    "usb": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE,
    "net": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET,
    "scsi_host": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST,
    "scsi_target": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET,
    "scsi": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI,
    "storage": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE,
    "fc_host": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST,
    "vports": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS,
    "scsi_generic": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC,
    "drm": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM,
    "mdev": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV,
    "mdev_types": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES,
    "ccw": libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV,
}
"""Kinds of devices by the word that documents and clients use."""


class Caller(Protocol):
    """The part of the connection that is needed here."""

    async def call(self, function: Callable[[Any], Any]) -> Any: ...


async def documents(hypervisor: Caller, kinds: Iterable[str] = ()) -> list[str]:
    """The documents of all devices, or of those of some kinds; kinds that libvirt does not know have no devices."""
    kinds = tuple(kinds)
    flags = sum({FLAGS[kind] for kind in kinds if kind in FLAGS})
    if kinds and not flags:
        return []
    found: list[str] = await hypervisor.call(lambda connection: _documents(connection, flags))
    return found


def _documents(connection: Any, flags: int) -> list[str]:
    texts = (_text(device) for device in connection.listAllDevices(flags))
    return [text for text in texts if text]


def _text(device: Any) -> str:
    try:
        return str(device.XMLDesc(0))
    except libvirt.libvirtError as problem:
        if problem.get_error_code() == libvirt.VIR_ERR_NO_NODE_DEVICE:
            return ""
        raise


async def document(hypervisor: Caller, name: str) -> str | None:
    """The document of one device."""
    found: str | None = await hypervisor.call(lambda connection: _one(connection, name, _text))
    return found or None


async def detach(hypervisor: Caller, name: str) -> bool:
    """Takes the device from the host's driver, so that a guest can have it; false when it is not there."""
    found = await hypervisor.call(lambda connection: _one(connection, name, lambda device: (device.dettach(), True)[1]))
    return bool(found)


async def reattach(hypervisor: Caller, name: str) -> bool:
    """Gives the device back to the host's driver; false when it is not there."""
    found = await hypervisor.call(
        lambda connection: _one(connection, name, lambda device: (device.reAttach(), True)[1])
    )
    return bool(found)


def _one(connection: Any, name: str, function: Callable[[Any], Any]) -> Any:
    try:
        device = connection.nodeDeviceLookupByName(name)
    except libvirt.libvirtError as problem:
        if problem.get_error_code() == libvirt.VIR_ERR_NO_NODE_DEVICE:
            return None
        raise
    return function(device)
