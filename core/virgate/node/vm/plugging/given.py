"""What a client asks for: a struct of the device list, or a document of newer clients (spec xmlrpc-host-vm 2.8, 2.11).

<hotplug>
  <devices><disk ...>...</disk></devices>
  <metadata><ovirt-vm:vm><ovirt-vm:device devtype="disk" name="sda">...</ovirt-vm:device></ovirt-vm:vm></metadata>
</hotplug>
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from virgate.domxml import devices as kinds
from virgate.domxml import metadata, tree
from virgate.domxml.devices.disk import source_element
from virgate.domxml.errors import MissingParameter
from virgate.domxml.facts import FORMATS, DiskSource
from virgate.domxml.metadata import DeviceMetadata
from virgate.domxml.values import Conf

MEDIUM = ("file", "dev", "name", "protocol", "index")


@frozen
class Given:
    """One device as the client gave it."""

    device: Conf
    """As in the device list, in either form."""
    element: tree.Element | None = None
    """In the document form: what the hypervisor shall get, but for what only the host knows."""
    entry: DeviceMetadata | None = None
    """In the document form: what the client wants to be kept of the device."""

    @property
    def xml_form(self) -> bool:
        return self.element is not None

    @property
    def entries(self) -> tuple[DeviceMetadata, ...]:
        return () if self.entry is None else (self.entry,)


def read(params: Mapping[str, Any], member: str, kind: str) -> Given:
    """The device in `params`: the struct called `member`, or the element `kind` of a document.

    `MissingParameter` (11) when there is neither, `UnsafeXml` for what is no document.
    """
    if isinstance(given := params.get(member), Mapping) and given:
        return Given({**given, "type": str(given.get("type") or kind)})
    text = params.get("xml")
    if not isinstance(text, str) or not text.strip():
        raise MissingParameter.named(member)
    return from_document(text, kind)


def from_document(text: str, kind: str) -> Given:
    """As `read`, of a document alone; the element may also stand by itself."""
    root = tree.parse(text)
    element = root if root.tag == kind else root.find(f"devices/{kind}")
    if element is None:
        raise MissingParameter.named(kind)
    entry = _entry(metadata.read(root), element)
    device: Conf = {name: value for name, value in kinds.READERS[kind](element).items() if value not in ("", None)}
    return Given(device | (entry.values if entry else {}), tree.copy(element), entry)


def _entry(kept: metadata.VmMetadata, element: tree.Element) -> DeviceMetadata | None:
    if element.tag == "disk":
        return kept.device(devtype="disk", name=tree.attribute(element, "target", "dev"))
    mac = tree.attribute(element, "mac", "address").lower()
    return next((one for one in kept.devices if mac and one.match.get("mac_address", "").lower() == mac), None)


def pointed(element: tree.Element, device: Mapping[str, Any], source: DiskSource) -> tree.Element:
    """A disk's element with the source that storage prepared; labels and slices that were written there stay."""
    old = element.find("source")
    fresh = source_element(source, device) if source.path else None
    if old is not None:
        if fresh is not None:
            kept = [one for one in tree.children(old) if one.tag not in ("host", "auth")]
            fresh.extend([one for one in kept if source.kind != "network" or one.tag != "seclabel"])
            for name, value in tree.attributes(old).items():
                if name not in MEDIUM:
                    fresh.set(name, value)
        element.remove(old)
    if fresh is not None:
        element.insert(0, fresh)
    for below in element.findall("backingStore"):
        element.remove(below)
    element.set("type", source.kind)
    driver = element.find("driver")
    if driver is not None and source.format:
        driver.set("type", FORMATS.get(source.format, source.format))
    return element
