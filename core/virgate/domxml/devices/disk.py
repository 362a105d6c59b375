"""`<disk>`: hard disks, LUNs, CD and floppy drives; `<lease>` of the volumes that want one."""

from collections.abc import Mapping
from typing import Any, Literal

from virgate.domxml.devices.context import Context, address, boot_order, common, given
from virgate.domxml.devices.tune import iotune, read_iotune
from virgate.domxml.drives import sharing
from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import FORMATS, DiskSource
from virgate.domxml.names import disk_index, prefix
from virgate.domxml.tree import Element, attribute, attributes, child_text, element
from virgate.domxml.values import Conf, flag, struct, structs, text

REMOVABLE = ("cdrom", "floppy")
DIRECT = ("none", "directsync")


def build(device: Conf, context: Context) -> list[Element]:
    kind = text(device, "device", "disk")
    sgio = text(device, "sgio")
    if sgio and kind != "lun":
        raise BadDevice("disk", f"sgio is for LUNs, not for device {kind}")
    source = source_of(device, context)
    medium = source_element(source, device) if source.path else None
    if medium is not None and kind in REMOVABLE:
        medium.set("startupPolicy", "optional")
    found = element(
        "disk",
        medium,
        element("target", dev=device["name"], bus=device["iface"]),
        element("shareable") if sharing(device) == "shared" else None,
        element("readonly") if flag(device.get("readonly", kind == "floppy")) else None,
        _serial(device, kind),
        boot_order(device),
        address(device),
        driver(device, source, context) if kind not in REMOVABLE else None,
        iotune(struct(device, "specParams").get("ioTune")),
        type=source.kind,
        device=kind,
        snapshot="no",
        sgio=sgio or None,
    )
    return [found]


def source_of(device: Mapping[str, Any], context: Context) -> DiskSource:
    """Where storage put the disk; else the path that the client gave."""
    found = context.sources.get(str(device["name"]))
    if found is not None:
        return found
    path = text(device, "path") or text(struct(device, "specParams"), "path")
    kind = device.get("diskType")
    if kind == "network":
        return DiskSource(path, text(device, "format", "raw"), "network")
    if not path and device.get("device") not in REMOVABLE:
        raise BadDevice("disk", f"{device['name']} has no image and no path")
    if kind not in ("file", "block"):
        kind = _usual_kind(path)
    return DiskSource(path, text(device, "format", "raw"), kind)


def _usual_kind(path: str) -> Literal["file", "block"]:
    return "block" if path.startswith("/dev/") else "file"


def source_element(source: DiskSource, device: Mapping[str, Any]) -> Element:
    if source.kind == "file":
        return element("source", file=source.path)
    if source.kind == "block":
        return element("source", dev=source.path)
    hosts = source.info.get("hosts") or structs(device, "hosts")
    return element(
        "source",
        *[
            element("host", name=host.get("name"), port=host.get("port"), transport=host.get("transport"))
            for host in hosts
        ],
        _auth(struct(device, "auth")),
        protocol=source.info.get("protocol") or text(device, "protocol"),
        name=source.path,
    )


def _auth(auth: Mapping[str, Any]) -> Element | None:
    if not auth:
        return None
    return element(
        "auth", element("secret", type=auth.get("type"), uuid=auth.get("uuid")), username=auth.get("username")
    )


def _serial(device: Mapping[str, Any], kind: str) -> Element | None:
    serial = text(device, "serial") or text(device, "imageID")
    return element("serial", text=serial) if serial and kind != "lun" else None


def driver(device: Mapping[str, Any], source: DiskSource, context: Context) -> Element:
    """How QEMU opens the image: format, cache, who does the I/O, what an error does to the guest."""
    cache = _cache(device, context)
    native = source.kind == "block" and cache in DIRECT
    name = source.format or text(device, "format", "raw")
    return element(
        "driver",
        name="qemu",
        type=FORMATS.get(name, name),
        io="native" if native else "threads",
        cache=cache,
        error_policy="enospace" if device.get("propagateErrors") == "on" else "stop",
        iothread=struct(device, "specParams").get("pinToIoThread"),
    )


def _cache(device: Mapping[str, Any], context: Context) -> str:
    if sharing(device) == "transient":
        return "writethrough"
    wanted = context.custom.get("viodiskcache")
    if wanted and device.get("iface") == "virtio":
        return wanted
    return text(device, "cache") or context.facts.drive_cache


def volume_lease(device: Conf, context: Context) -> Element | None:
    """The lease that keeps a second host from writing to the disk's leaf volume, when its domain has leases."""
    wanted = sharing(device) == "exclusive" or (sharing(device) == "none" and context.facts.volume_leases)
    source = context.sources.get(str(device["name"]))
    if not wanted or source is None or not source.chain:
        return None
    leaf = source.chain[-1]
    if not leaf.get("leasePath"):
        return None
    return element(
        "lease",
        element("key", text=leaf["volumeID"]),
        element("lockspace", text=leaf["domainID"]),
        element("target", path=leaf["leasePath"], offset=leaf.get("leaseOffset", 0)),
    )


def read(found: Element) -> Conf:
    """Ids of images, payloads and how the disk is shared with others beyond `shareable` are in the metadata."""
    kind, bus, name = (
        str(found.get("device", "disk")),
        attribute(found, "target", "bus"),
        attribute(found, "target", "dev"),
    )
    return {
        "type": "disk",
        "device": kind,
        "name": name,
        "path": path(found),
        "readonly": str(found.find("readonly") is not None),
        **given(
            iface=bus,
            index=_index(bus, name),
            serial=child_text(found, "serial"),
            sgio=found.get("sgio"),
            shared="shared" if found.find("shareable") is not None else None,
            specParams=given(
                ioTune=read_iotune(found.find("iotune")), pinToIoThread=attribute(found, "driver", "iothread")
            ),
        ),
        **(_read_driver(found) if kind not in REMOVABLE else {}),
        **_read_source(found),
        **common(found),
    }


def path(found: Element) -> str:
    """The file, device or network name behind a disk; empty for a drive without medium."""
    source = attributes(found.find("source"))
    return source.get("file") or source.get("dev") or source.get("name") or ""


def _index(bus: str, name: str) -> int | None:
    """None for a name that the bus does not give."""
    known = name[:2] == prefix(bus) and name[2:].isascii() and name[2:].isalpha() and name.islower()
    return disk_index(name) if known else None


def _read_driver(found: Element) -> Conf:
    cache = attribute(found, "driver", "cache")
    return {
        "format": "cow" if attribute(found, "driver", "type") == "qcow2" else "raw",
        "propagateErrors": "on" if attribute(found, "driver", "error_policy") == "enospace" else "off",
        **given(cache=cache if cache != "none" else None),
    }


def _read_source(found: Element) -> Conf:
    kind, source = found.get("type"), found.find("source")
    if source is None or kind != "network":
        return {"diskType": kind} if path(found) and kind != _usual_kind(path(found)) else {}
    auth, secret = attributes(source.find("auth")), attributes(source.find("auth/secret"))
    hosts = [attributes(host) for host in source.iterfind("host")]
    return {
        "diskType": "network",
        **given(
            protocol=str(source.get("protocol", "")),
            hosts=[{name: host[name] for name in ("name", "port", "transport") if name in host} for host in hosts],
            auth=given(username=auth.get("username"), type=secret.get("type"), uuid=secret.get("uuid")),
        ),
    }
