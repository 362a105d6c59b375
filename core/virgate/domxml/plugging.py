"""One device for a running machine: the struct that a client gives, completed, and its element for libvirt.

`placed` first: it completes the struct beside the devices that are there, and says so when no host could plug it. A
disk then is prepared by storage (`drives.disk_request`), a lease may be looked for, and the element is built.
"""

from collections.abc import Mapping
from typing import Any

from virgate.domxml import devices as kinds
from virgate.domxml.devices.context import Context
from virgate.domxml.drives import check_paths
from virgate.domxml.facts import DiskSource, HostFacts, LeaseSource
from virgate.domxml.names import disk_index, disk_name, first_free, prefix
from virgate.domxml.tree import Element
from virgate.domxml.values import Conf, safe_path, text, without_nothing
from virgate.errors import InvalidParameter

Machine = Mapping[str, Any]
"""The conf of the running machine, as `list full` shows it."""


def placed(conf: Machine, device: Mapping[str, Any]) -> Conf:
    """The struct as it stands in the device list: with `device`, and for a disk the next free index of its bus and
    its target's name, whatever index was given (spec xmlrpc-host-vm 2.7). Nothing that was handed in is changed."""
    if not device.get("type"):
        raise InvalidParameter("device", dict(device))
    done: Conf = without_nothing(dict(device))
    done["device"] = text(done, "device") or str(done["type"])
    if done["type"] == "disk":
        if done["device"] == "disk" and not text(done, "iface"):
            done["iface"] = text(done, "if", "virtio")
        check_paths(done)
        _place_disk(conf, done)
    elif done["type"] == "lease":
        safe_path("lease", done.get("path"))
    return done


def _place_disk(conf: Machine, disk: Conf) -> None:
    disk["iface"] = text(disk, "iface", "fdc" if disk["device"] == "floppy" else "ide")
    names = [str(one.get("name") or "") for one in conf.get("devices", ()) if one.get("type") == "disk"]
    letters = prefix(disk["iface"])
    disk["index"] = first_free(disk_index(name) for name in names if name[:2] == letters and name[2:].isalpha())
    disk["name"] = disk_name(disk["iface"], disk["index"])


def disk(conf: Machine, facts: HostFacts, device: Conf, source: DiskSource | None) -> Element:
    """`source`: where storage put it; None takes the path in the struct."""
    sources = {} if source is None else {str(device["name"]): source}
    return _built("disk", device, Context(_id(conf), facts, _custom(conf), sources))


def interface(conf: Machine, facts: HostFacts, device: Conf) -> Element:
    """A nic on a bridge or a virtual function."""
    return _built("interface", device, Context(_id(conf), facts, _custom(conf)))


def memory(conf: Machine, facts: HostFacts, device: Conf) -> Element:
    """A memory module."""
    return _built("memory", device, Context(_id(conf), facts, _custom(conf)))


def lease(conf: Machine, facts: HostFacts, device: Conf, found: LeaseSource | None = None) -> Element:
    """`found`: where storage keeps it; None takes the path in the struct."""
    leases = {} if found is None else {(text(device, "lease_id"), text(device, "sd_id")): found}
    return _built("lease", device, Context(_id(conf), facts, _custom(conf), leases=leases))


def hostdev(conf: Machine, facts: HostFacts, device: Conf) -> Element:
    """A device of the host, `device` being libvirt's name of it. `BadDevice` for one that the host does not have."""
    return _built("hostdev", device, Context(_id(conf), facts, _custom(conf)))


def _built(kind: str, device: Conf, context: Context) -> Element:
    (made,) = kinds.BUILDERS[kind](device, context)
    return made


def _id(conf: Machine) -> str:
    return str(conf.get("vmId", ""))


def _custom(conf: Machine) -> dict[str, str]:
    return dict(conf.get("custom") or {})
