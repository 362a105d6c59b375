"""Where a machine's channels are, by its document (spec guest-agent 1.1). Pure but for looking through links."""

import os
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from virgate.domxml.tree import Element, attribute

LEGACY, NEW = "com.redhat.rhevm.vdsm", "ovirt-guest-agent.0"
QEMU = "org.qemu.guest_agent.0"
LIBVIRTS = ("/var/lib/libvirt/qemu/channel", "/run/libvirt/qemu/channel")
"""Where libvirt itself puts sockets of channels that name none."""


@frozen
class Channels:
    """What a document says: the socket of the oVirt agent, and whether there is a channel for QEMU's."""

    path: str = ""
    qemu: bool = False


def find(root: Element) -> Channels:
    """The new name wins over the old one, and the path is the one that the document tells."""
    found = {attribute(one, "target", "name"): attribute(one, "source", "path") for one in _sockets(root)}
    return Channels(found.get(NEW) or found.get(LEGACY) or "", QEMU in found)


def qemu_link(root: Element) -> str:
    """Whether the guest has QEMU's channel open, as a running document says it."""
    for target in root.iterfind("devices/channel/target"):
        if target.get("name") == QEMU and target.get("state") == "connected":
            return "connected"
    return "disconnected"


def _sockets(root: Element) -> list[Element]:
    return [one for one in root.iterfind("devices/channel") if one.get("type") == "unix"]


def allowed(path: str, folders: Iterable[Path | str]) -> bool:
    """Whether a socket lies where channels belong: documents come from clients, who must not choose what we talk to."""
    place = Path(os.path.realpath(path))
    return any(place.is_relative_to(os.path.realpath(folder)) for folder in folders)


def left_behind(folder: Path, vm: str) -> list[Path]:
    """Sockets of a machine that is gone; QEMU takes them away only if it ends in peace."""
    return [folder / f"{vm}.{name}" for name in (LEGACY, NEW, QEMU)]
