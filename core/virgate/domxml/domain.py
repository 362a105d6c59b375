"""The whole document of a machine that was given as a list of devices (spec xmlrpc-host-vm 3.5)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from virgate.domxml import cpu, fitting, metadata, system
from virgate.domxml.devices import BUILDERS, Context, channel, console, disk, graphics, lease, simple
from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import HostFacts, Leases, Sources
from virgate.domxml.metadata import DeviceMetadata, VmMetadata
from virgate.domxml.tree import Element, element, is_name
from virgate.domxml.values import Conf, flag, integer, struct, text

DISK_KEYS = ("poolID", "domainID", "imageID", "volumeID", "GUID", "shared", "guestName")
LIMITS = {"watchdog": 1, "console": 1}


def assemble(conf: Conf, facts: HostFacts, sources: Sources, leases: Leases) -> Element:
    """The domain document of a completed conf. Raises `BadDevice` for a machine that cannot start."""
    _check(conf)
    fitting.check_list(conf, facts)
    context = Context(conf["vmId"], facts, conf.get("custom", {}), sources, leases)
    memory = integer(conf, "memSize") << 10
    most = integer(conf, "maxMemSize", 0) << 10
    children = [
        element("name", text=conf["vmName"]),
        element("uuid", text=conf["vmId"]),
        element("iothreads", text=conf["numOfIoThreads"]) if conf.get("numOfIoThreads") else None,
        element("memory", text=memory),
        element("currentMemory", text=memory),
        element("maxMemory", text=most, slots=text(conf, "maxMemSlots", "16")) if most else None,
        system.memory_backing(conf, facts),
        cpu.vcpu(conf),
        element("devices", *_devices(conf, context)),
        element("metadata", *_metadata(conf)),
        system.operating_system(conf, facts),
        system.sysinfo(conf, facts),
        system.clock(conf, facts),
        system.features(conf, facts),
        cpu.cputune(conf),
        cpu.cpu(conf, facts),
        cpu.numatune(conf),
    ]
    root = etree.Element("domain", nsmap={"ovirt": metadata.TUNE, "ovirt-vm": metadata.VM})
    root.set("type", facts.virt_type if flag(conf.get("kvmEnable", True)) else "qemu")
    root.extend([child for child in children if child is not None])
    etree.cleanup_namespaces(root, keep_ns_prefixes=["ovirt", "ovirt-vm"])
    return root


def _check(conf: Mapping[str, Any]) -> None:
    if problem := conf.get("_nicsProblem"):
        raise BadDevice("interface", problem)
    kinds = Counter(str(device["type"]) for device in conf["devices"])
    screens = Counter(str(device["device"]) for device in conf["devices"] if device["type"] == "graphics")
    for kind, limit in LIMITS.items():
        if kinds[kind] > limit:
            raise BadDevice(kind, f"a machine has at most {limit}, not {kinds[kind]}")
    for kind, number in screens.items():
        if number > 1:
            raise BadDevice("graphics", f"a machine has at most one {kind}, not {number}")


def groups(conf: Mapping[str, Any]) -> Iterator[Conf]:
    """The devices in the order of their groups; order within a group stays, unknown types come last."""
    devices = conf["devices"]
    for kind in BUILDERS:
        yield from (device for device in devices if device["type"] == kind)
    yield from (device for device in devices if device["type"] not in BUILDERS)


def _devices(conf: Conf, context: Context) -> Iterator[Element]:
    if context.facts.emulator or context.facts.is_power:
        yield element("emulator", text=context.facts.emulator or f"/usr/bin/qemu-system-{context.facts.arch}")
    for name in channel.AGENT_CHANNELS:
        yield channel.port(name, context)
    yield _input(conf, context.facts)
    devices = list(groups(conf))
    for device in devices:
        if device["type"] != "lease":
            yield from BUILDERS.get(device["type"], simple.generic)(device, context)
    if any(device["type"] == "graphics" and device["device"] == "spice" for device in devices):
        yield graphics.spice_channel()
    for device in devices:
        if device["type"] == "console" and (port := console.serial(device, context)) is not None:
            yield port
    for device in devices:
        if device["type"] == "lease":
            yield from lease.build(device, context)
        elif device["type"] == "disk" and (held := disk.volume_lease(device, context)) is not None:
            yield held


def _input(conf: Mapping[str, Any], facts: HostFacts) -> Element:
    if flag(conf.get("tabletEnable")):
        return element("input", type="tablet", bus="usb")
    return element("input", type="mouse", bus="usb" if facts.is_power else "ps2")


def _metadata(conf: Conf) -> Iterator[Element]:
    yield etree.Element(f"{{{metadata.TUNE}}}qos", nsmap={"ovirt": metadata.TUNE})
    yield metadata.encode(vm_metadata(conf))
    yield metadata.conf_element(conf)


def vm_metadata(conf: Mapping[str, Any]) -> VmMetadata:
    """What other daemons of the family look for; the whole conf is kept beside it."""
    values: dict[str, Any] = {"custom": _nameable(struct(conf, "custom"))}
    if "memGuaranteedSize" in conf:
        values["minGuaranteedMemoryMb"] = integer(conf, "memGuaranteedSize", 0)
    if "launchPaused" in conf:
        values["launchPaused"] = True
    return VmMetadata(values, tuple(device_metadata(conf)))


def device_metadata(conf: Mapping[str, Any]) -> Iterator[DeviceMetadata]:
    """What is kept of disks and nics so that any daemon knows whose images and networks they are."""
    for device in conf["devices"]:
        values: dict[str, Any] = {}
        if device["type"] == "disk":
            match = {"devtype": "disk", "name": str(device["name"])}
            values = {name: str(device[name]) for name in DISK_KEYS if device.get(name)}
        elif device["type"] == "interface" and device.get("macAddr"):
            match = {"mac_address": str(device["macAddr"])}
            values = {"network": text(device, "network")}
        else:
            continue
        if custom := _nameable(struct(device, "custom")):
            values["custom"] = custom
        if any(values.values()):
            yield DeviceMetadata(match, values)


def _nameable(custom: Mapping[str, Any]) -> dict[str, str]:
    """Properties whose names XML can carry; the others are in the conf only."""
    return {name: text for name, text in metadata.texts(custom).items() if is_name(name)}
