"""The volumes that a disk of a running machine consists of, as the hypervisor has them, and what works on them. Pure.

A document is the only truth about the volumes of a running machine: what clients are told, what is kept in the domain
and what storage is asked for follows it (`follow`), also after a restart of the daemon.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from virgate.domxml import tree
from virgate.ids import is_uuid

if TYPE_CHECKING:
    from virgate.domxml.facts import DiskRequest
    from virgate.node.vm.record import Record


@frozen
class Layer:
    """One volume of a chain."""

    path: str
    format: str
    """As the hypervisor says it: `raw` or `qcow2`."""
    kind: str
    index: str
    """The hypervisor's number for it in calls; empty when it has told none."""

    @property
    def volume(self) -> str:
        return PurePosixPath(self.path).name


@frozen
class Mirror:
    """What else is written whenever the guest writes to the disk."""

    job: str
    """`copy` or `active-commit`."""
    ready: str
    """`yes` when both sides are alike, `pivot` or `abort` while the job is being ended, else empty."""
    path: str


@frozen
class Chain:
    """The volumes of one disk, base first."""

    target: str
    layers: tuple[Layer, ...]
    mirror: Mirror | None = None
    whole: bool = True
    """False when the hypervisor does not say what is below the last known volume."""

    @property
    def top(self) -> Layer:
        return self.layers[-1]

    @property
    def volumes(self) -> tuple[str, ...]:
        """Their names, base first."""
        return tuple(layer.volume for layer in self.layers)

    def find(self, volume: str) -> int | None:
        """The place of a volume, 0 for the base."""
        return self.volumes.index(volume) if volume in self.volumes else None

    def name(self, place: int) -> str:
        """How calls name a volume of the disk."""
        index = self.layers[place].index
        return f"{self.target}[{index}]" if index else self.layers[place].path


def read(root: tree.Element) -> dict[str, Chain]:
    """The chains of a live document, by target."""
    found = {}
    for disk in root.iterfind("devices/disk"):
        target = tree.attribute(disk, "target", "dev")
        if target and disk.find("source") is not None:
            found[target] = _chain(target, disk)
    return found


def _chain(target: str, disk: tree.Element) -> Chain:
    form = tree.attribute(disk, "driver", "type") or "raw"
    layers = [Layer(_path(disk), form, str(disk.get("type", "file")), tree.attribute(disk, "source", "index"))]
    below = disk.find("backingStore")
    while below is not None and below.find("source") is not None:
        index, kind = str(below.get("index", "")), str(below.get("type", "file"))
        layers.append(Layer(_path(below), tree.attribute(below, "format", "type"), kind, index))
        below = below.find("backingStore")
    return Chain(target, tuple(reversed(layers)), _mirror(disk.find("mirror")), below is not None)


def _mirror(found: tree.Element | None) -> Mirror | None:
    if found is None:
        return None
    return Mirror(str(found.get("job", "copy")), str(found.get("ready", "")), _path(found))


def _path(found: tree.Element) -> str:
    source = tree.attributes(found.find("source"))
    return source.get("file") or source.get("dev") or source.get("name") or ""


def follow(record: "Record", root: tree.Element) -> None:
    """Lets the record say on which volumes the disks are: their requests, and their chains for `list full`."""
    chains = read(root)
    record.disks = tuple(_followed(disk, chains.get(disk.target)) for disk in record.disks)
    known = {disk.target: disk for disk in record.disks}
    for device in record.conf.get("devices", ()):
        name = str(device.get("name"))
        if device.get("type") == "disk" and name in known and name in chains:
            _tell(device, known[name], chains[name])


def _followed(disk: "DiskRequest", chain: Chain | None) -> "DiskRequest":
    """The disk with the volume that it is on now, if the path says one of its image."""
    place = None if chain is None or not disk.is_image else place_of(chain.top.path, disk.image_id)
    if chain is None or place is None or place == (disk.domain_id, disk.volume_id):
        return disk
    form = "cow" if chain.top.format == "qcow2" else chain.top.format
    return attrs.evolve(disk, domain_id=place[0], volume_id=place[1], format=form)


def place_of(path: str, image: str) -> tuple[str, str] | None:
    """Domain and volume in a path of the repository: `.../DOMAIN/images/IMAGE/VOLUME` or `.../DOMAIN/IMAGE/VOLUME`."""
    parts = PurePosixPath(path).parts
    if len(parts) < 4 or parts[-2] != image:
        return None
    domain = parts[-4] if parts[-3] == "images" else parts[-3]
    return (domain, parts[-1]) if is_uuid(domain) and is_uuid(parts[-1]) else None


def _tell(device: dict[str, Any], disk: "DiskRequest", chain: Chain) -> None:
    if not disk.is_image or place_of(chain.top.path, disk.image_id) is None:
        return
    device["format"] = "cow" if chain.top.format == "qcow2" else chain.top.format
    told = [one for one in device.get("volumeChain", ()) if one.get("domainID") == disk.domain_id]
    known: dict[str, Mapping[str, Any]] = {str(one.get("volumeID")): one for one in told}
    if not chain.whole or tuple(known) == chain.volumes:
        return
    folder = PurePosixPath(chain.top.path).parent
    device["volumeChain"] = [dict(known.get(volume) or _member(disk, folder, volume)) for volume in chain.volumes]
    device["volumeInfo"] = dict(device["volumeChain"][-1])


def _member(disk: "DiskRequest", folder: PurePosixPath, volume: str) -> dict[str, str]:
    ids = {"domainID": disk.domain_id, "imageID": disk.image_id, "volumeID": volume}
    return {**ids, "path": str(folder / volume), "volType": "path"}
