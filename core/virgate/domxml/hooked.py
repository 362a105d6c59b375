"""Which devices of a machine scripts may change one by one, and with what properties (spec hooks 1.4).

List form: every device whose `custom` has something in it, in the order of the groups. Document form: every device
whose metadata has a `custom` element, even an empty one, in the document's order.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define

from virgate.domxml import metadata
from virgate.domxml.metadata import DeviceMetadata, VmMetadata, texts
from virgate.domxml.pairing import pair
from virgate.domxml.tree import Element, attribute, children, one_line, parse, pretty
from virgate.domxml.values import struct


@define
class HookedDevice:
    """A device in a document and its properties. `replace` puts what a script left in the device's place."""

    element: Element
    custom: dict[str, str]
    alias: str = ""
    xml_form: bool = False

    @property
    def text(self) -> str:
        """As scripts get it: one line, or in the document form with declaration and indented."""
        return pretty(self.element) if self.xml_form else one_line(self.element)

    def replace(self, text: str) -> None:
        """Puts the device that `text` describes where this one stands. `UnsafeXml` when it is no XML."""
        fresh = parse(text)
        parent = self.element.getparent()
        if parent is not None:
            fresh.tail = self.element.tail
            parent.replace(self.element, fresh)
        self.element = fresh


def hooked_devices(root: Element, kept: Mapping[str, Any] | VmMetadata | Any) -> list[HookedDevice]:
    """The devices of `root` that have properties.

    `kept` says where the properties are: a conf or a request of the list form, or metadata of the document form.
    """
    if isinstance(kept, VmMetadata):
        return _by_metadata(root, kept)
    if getattr(kept, "xml_form", False):
        return _by_metadata(root, metadata.read(root))
    return _by_conf(root, getattr(kept, "conf", kept))


def _by_conf(root: Element, conf: Mapping[str, Any]) -> list[HookedDevice]:
    shown = children(root.find("devices"))
    pairs = pair(shown, conf.get("devices", ()))
    wanted = [(device, found) for device, found in pairs if struct(device, "custom")]
    wanted.sort(key=lambda one: shown.index(one[1]))  # a document is built group by group
    return [HookedDevice(found, texts(device["custom"]), attribute(found, "alias", "name")) for device, found in wanted]


def _by_metadata(root: Element, kept: VmMetadata) -> list[HookedDevice]:
    entries = [entry for entry in kept.devices if "custom" in entry.values]
    found = []
    for one in children(root.find("devices")):
        entry = next((entry for entry in entries if _is_of(entry, one)), None)
        if entry is not None:
            alias = attribute(one, "alias", "name") or entry.match.get("alias", "")
            found.append(HookedDevice(one, texts(entry.values["custom"]), alias, xml_form=True))
    return found


def _is_of(entry: DeviceMetadata, found: Element) -> bool:
    """Whether an entry's attributes mean this element. Addresses of nics are compared in any case."""
    match = dict(entry.match)
    mac = match.pop("mac_address", "")
    if mac:
        return found.tag == "interface" and mac.lower() == attribute(found, "mac", "address").lower()
    alias, kind, name = match.get("alias"), match.get("devtype"), match.get("name")
    if alias:
        return alias == attribute(found, "alias", "name") and kind in (None, found.tag)
    if not kind or kind != found.tag:
        return False
    names = (attribute(found, "target", "dev"), _key(found))
    return name is None or name in names


def _key(found: Element) -> str:
    key = found.find("key")
    return "" if key is None else str(key.text or "")
