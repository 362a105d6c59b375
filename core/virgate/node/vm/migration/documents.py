"""The domain document on its way: what is changed for the destination (spec migration 5.1, 5.5). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from virgate.domxml import metadata, tree
from virgate.node.vm.migration import trail
from virgate.node.vm.migration.errors import BadOrder
from virgate.node.vm.migration.order import Order

SOURCES = {"file": "file", "block": "dev"}


def told(text: str) -> str:
    """The running document as the destination hears it: without pinning to CPUs of this host.

    Who pinned by hand meant every host.
    """
    root = tree.parse(text)
    trail.hide(root)
    _unpin(root)
    return tree.one_line(root)


def adapted(text: str, order: Order, devices: Sequence[Mapping[str, Any]] = ()) -> str:
    """The document for the destination's libvirt. `devices` are those that the destination told of: its disks may lie
    elsewhere there. Raises `BadOrder` when the order does not fit the machine."""
    root = tree.parse(text)
    trail.hide(root)
    _unpin(root)
    if order.cpusets is not None:
        _pin(root, order.cpusets)
    if order.nodesets is not None:
        _bind(root, order.nodesets)
    places = {str(one.get("name")): str(one.get("path") or "") for one in devices if one.get("type") == "disk"}
    for disk in root.iterfind("devices/disk"):
        _place(disk, places.get(tree.attribute(disk, "target", "dev"), ""))
    return tree.one_line(root)


def cluster(text: str) -> Any:
    """The cluster version that the machine's metadata tell."""
    return metadata.read(tree.parse(text)).values.get("clusterVersion")


def screens(text: str) -> frozenset[str]:
    return frozenset(str(one.get("type")) for one in tree.parse(text).iterfind("devices/graphics"))


def is_transient(devices: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a disk's changes lie on this host alone."""
    return any(one.get("type") == "disk" and str(one.get("shared")) == "transient" for one in devices)


def _unpin(root: tree.Element) -> None:
    values = metadata.read(root).values
    by_hand = str(values.get("cpuPolicy", "")) == "manual"
    kept = {str(one) for one in _listed(values.get("manuallyPinedCPUs"))} if by_hand else set()
    tune = root.find("cputune")
    for pin in () if tune is None else tune.findall("vcpupin"):
        if str(pin.get("vcpu")) not in kept:
            tune.remove(pin)  # type: ignore[union-attr]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else str(value or "").replace(",", " ").split()


def _pin(root: tree.Element, cpusets: Sequence[str | None]) -> None:
    cpus = int(tree.child_text(root, "vcpu", "1").strip() or 1)
    if len(cpusets) != cpus:
        raise BadOrder("cpusets", f"{len(cpusets)} sets for {cpus} CPUs")
    tune = root.find("cputune")
    if tune is None:
        tune = tree.element("cputune")
        _after(root, ("vcpus", "vcpu"), tune)
    for number, cpuset in enumerate(cpusets):
        for old in tune.findall(f"vcpupin[@vcpu='{number}']"):
            tune.remove(old)
        if cpuset is not None:
            tune.append(tree.element("vcpupin", vcpu=number, cpuset=cpuset))


def _bind(root: tree.Element, nodesets: Sequence[str]) -> None:
    cells = root.findall("cpu/numa/cell")
    if len(nodesets) != len(cells):
        raise BadOrder("numaNodesets", f"{len(nodesets)} sets for {len(cells)} cells")
    tune = root.find("numatune")
    if tune is None:
        tune = tree.element("numatune")
        _after(root, ("cputune", "vcpus", "vcpu"), tune)
    for number, nodeset in enumerate(nodesets):
        node = tune.find(f"memnode[@cellid='{number}']")
        if node is None:
            node = tree.element("memnode", cellid=number, mode="strict")
            tune.append(node)
        node.set("nodeset", nodeset)


def _after(root: tree.Element, names: Sequence[str], fresh: tree.Element) -> None:
    for name in names:
        if (found := root.find(name)) is not None:
            found.addnext(fresh)
            return
    root.append(fresh)


def _place(disk: tree.Element, path: str) -> None:
    source, name = disk.find("source"), SOURCES.get(str(disk.get("type")))
    if path and source is not None and name is not None and source.get(name):
        source.set(name, path)
