"""The document that a guest was saved with, made to fit this host (spec 11.3). Pure.

What the guest saw stays to the letter: libvirt would refuse anything else. What only the host sees comes from the
document that a fresh start would use: where disks lie, who may look at the screen, which CPUs it runs on, leases,
sockets and metadata.
"""

from collections.abc import Iterator

from virgate.domxml.devices.disk import path
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, attribute, child_text, copy, parse
from virgate.node.vm.errors import ForeignDocument

REMOVABLE = ("cdrom", "floppy")
TRACES = ("backingStore", "mirror")
"""What libvirt notes of a running disk."""
HOST_SIDE = ("type", "io", "cache", "error_policy")
"""Of a disk's driver."""


def adapt(saved: str, fresh: Element) -> Element:
    """Raises `ForeignDocument` for another machine's document, `BadDevice` for a disk that the request has not."""
    root = parse(saved)
    found = child_text(root, "uuid").strip()
    if found != child_text(fresh, "uuid").strip():
        raise ForeignDocument(found)
    root.attrib.pop("id", "")
    _exchange(root, fresh, "metadata")
    _disks(root, fresh)
    devices, wanted = root.find("devices"), fresh.find("devices")
    if devices is not None and wanted is not None:
        _leases(devices, wanted)
        _screens(devices, wanted)
        _sockets(devices, wanted)
    _pinning(root, fresh)
    return root


def _exchange(root: Element, fresh: Element, name: str) -> None:
    for old in root.findall(name):
        root.remove(old)
    if (new := fresh.find(name)) is not None:
        root.append(copy(new))


def _disks(root: Element, fresh: Element) -> None:
    wanted = list(fresh.iterfind("devices/disk"))
    for disk in root.iterfind("devices/disk"):
        for trace in TRACES:
            for old in disk.findall(trace):
                disk.remove(old)
        twin = _twin(disk, wanted)
        if twin is not None:
            _move(disk, twin)
        elif disk.get("device") in REMOVABLE:
            _empty(disk)
        elif path(disk):
            raise BadDevice("disk", f"the request does not say where {attribute(disk, 'target', 'dev')} is now")


def _twin(disk: Element, others: list[Element]) -> Element | None:
    """By serial, which is the image's id; targets may have been given anew since."""
    serial, target = child_text(disk, "serial"), attribute(disk, "target", "dev")
    if serial:
        for other in others:
            if child_text(other, "serial") == serial:
                return other
    for other in others:
        if attribute(other, "target", "dev") == target and child_text(other, "serial") in ("", serial):
            return other
    return None


def _move(disk: Element, twin: Element) -> None:
    _empty(disk)
    disk.set("type", str(twin.get("type", "file")))
    if (source := twin.find("source")) is not None and path(twin):
        disk.insert(0, copy(source))
    driver, other = disk.find("driver"), twin.find("driver")
    if driver is not None and other is not None:
        for name in HOST_SIDE:
            driver.attrib.pop(name, "")
            if (value := other.get(name)) is not None:
                driver.set(name, value)


def _empty(disk: Element) -> None:
    for old in disk.findall("source"):
        disk.remove(old)


def _leases(devices: Element, wanted: Element) -> None:
    for old in devices.findall("lease"):
        devices.remove(old)
    devices.extend([copy(lease) for lease in wanted.iterfind("lease")])


def _screens(devices: Element, wanted: Element) -> None:
    """A ticket of the time before is worth nothing now."""
    for screen in devices.findall("graphics"):
        for new in wanted.iterfind("graphics"):
            if new.get("type") == screen.get("type"):
                devices.replace(screen, copy(new))
                break


def _sockets(devices: Element, wanted: Element) -> None:
    places = dict(_named_sockets(wanted))
    for name, source in _named_sockets(devices):
        if name in places:
            source.set("path", str(places[name].get("path", "")))


def _named_sockets(devices: Element) -> Iterator[tuple[str, Element]]:
    for kind in ("channel", "console", "serial"):
        for found in devices.iterfind(f"{kind}[@type='unix']"):
            source = found.find("source")
            if source is not None and source.get("path"):
                yield f"{kind} {attribute(found, 'target', 'name')}", source


def _pinning(root: Element, fresh: Element) -> None:
    cpus, wanted = root.find("vcpu"), fresh.find("vcpu")
    if cpus is not None:
        cpus.attrib.pop("cpuset", "")
        if wanted is not None and (cpuset := wanted.get("cpuset")):
            cpus.set("cpuset", cpuset)
    pins = [copy(pin) for pin in fresh.iterfind("cputune/vcpupin")]
    tune = root.find("cputune")
    if tune is not None:
        for old in tune.findall("vcpupin"):
            tune.remove(old)
        tune[:0] = pins
    elif pins:
        tune = copy(fresh.find("cputune"))  # type: ignore[arg-type]
        root.append(tune)
