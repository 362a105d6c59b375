"""Our corner of a domain document: what libvirt keeps for us because it has no place of its own for it.

Three elements under `<metadata>`: `ovirt-vm:vm` (spec xmlrpc-host-vm 3.6, shared with other daemons and with clients),
`ovirt-tune:qos`, and `virgate:machine`, the conf that `list full` echoes, as JSON. Together they are all that a
restarted daemon needs.

Values are plain: a dict is nested elements, a list is a repeated element, a leaf is text, int, float or bool. Elements
that this version knows nothing about are read like the others and are left alone by `update`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from attrs import field, frozen
from lxml import etree

from virgate.domxml.errors import CannotCreate
from virgate.domxml.tree import Element, children, clean, copy, is_name, one_line

VM = "http://ovirt.org/vm/1.0"
TUNE = "http://ovirt.org/vm/tune/1.0"
MACHINE = "http://virgate.org/vm/1.0"
PREFIXES = {"ovirt-vm": VM, "ovirt-tune": TUNE, "virgate": MACHINE}

Value: TypeAlias = Any
"""str | int | float | bool | dict[str, Value] | list[Value]"""

_TYPES: dict[type, str] = {bool: "bool", int: "int", float: "float"}
_LISTS = {"volumeChain": "volumeChainNode", "portMirroring": "network"}
"""Lists that have an element of their own, and the name of its items."""
_STRUCTS = ("custom", "specParams", "volumeInfo", "diskReplicate", "payload")
"""Elements that are a struct even when they are empty."""

for _prefix, _uri in PREFIXES.items():
    etree.register_namespace(_prefix, _uri)


@frozen
class DeviceMetadata:
    """What is kept of one device: the attributes it is found by, and its values."""

    match: dict[str, str]
    values: dict[str, Value] = field(factory=dict)


@frozen
class VmMetadata:
    """The content of `ovirt-vm:vm`. `values` has custom properties too, under `custom`."""

    values: dict[str, Value] = field(factory=dict)
    devices: tuple[DeviceMetadata, ...] = ()

    @property
    def custom(self) -> dict[str, str]:
        """Custom properties as scripts get them: text, whatever type was written beside."""
        return texts(self.values.get("custom"))

    def device(self, **match: str) -> DeviceMetadata | None:
        """The first entry that has all these attributes."""
        return next((one for one in self.devices if match.items() <= one.match.items()), None)


def texts(custom: Value) -> dict[str, str]:
    """A struct of custom properties with every value as text."""
    return {str(name): str(value) for name, value in custom.items()} if isinstance(custom, dict) else {}


def find(root: Element, uri: str, name: str) -> Element | None:
    """Our element in a domain's `<metadata>`."""
    return root.find(f"metadata/{{{uri}}}{name}")


def empty(uri: str, name: str) -> Element:
    """One of our elements, without content."""
    prefix = next(prefix for prefix, known in PREFIXES.items() if known == uri)
    return etree.Element(f"{{{uri}}}{name}", nsmap={prefix: uri})


def vm_element(root: Element) -> Element | None:
    return find(root, VM, "vm")


def read(root: Element) -> VmMetadata:
    """The `ovirt-vm:vm` of a domain; empty when it has none."""
    found = vm_element(root)
    return VmMetadata() if found is None else decode(found)


def decode(vm: Element) -> VmMetadata:
    values: dict[str, Value] = {}
    devices = []
    for child in children(vm):
        name = etree.QName(child).localname
        if name == "device":
            match = {str(key): str(value) for key, value in child.attrib.items()}
            devices.append(DeviceMetadata(match, _struct(child)))
        else:
            _add(values, name, _read(child))
    return VmMetadata(values, tuple(devices))


def _struct(found: Element) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for child in children(found):
        _add(values, etree.QName(child).localname, _read(child))
    return values


def _add(values: dict[str, Value], name: str, value: Value) -> None:
    """A name that comes twice is a list."""
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list) and name not in _LISTS:
        values[name].append(value)
    else:
        values[name] = [values[name], value]


def _read(found: Element) -> Value:
    name = etree.QName(found).localname
    if name in _LISTS:
        return [_read(child) for child in children(found)]
    if name == "payload":
        return _read_payload(found)
    if children(found) or name in _STRUCTS:
        return _struct(found)
    return _leaf(found.text or "", found.get("type"))


def _leaf(text: str, kind: str | None) -> Value:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        raise CannotCreate(f"Metadata has {text!r} where a value of type {kind} belongs") from None
    return text.strip().lower() == "true" if kind == "bool" else text


def _read_payload(found: Element) -> dict[str, Value]:
    payload: dict[str, Value] = {"file": {}}
    for child in children(found):
        if etree.QName(child).localname == "file":
            payload["file"][str(child.get("path", ""))] = child.text or ""
        else:
            payload[etree.QName(child).localname] = _read(child)
    return payload


def encode(metadata: VmMetadata) -> Element:
    """`ovirt-vm:vm` of these values, complete."""
    vm = etree.Element(f"{{{VM}}}vm", nsmap={"ovirt-vm": VM})
    update(vm, metadata.values)
    for device in metadata.devices:
        below = etree.SubElement(vm, f"{{{VM}}}device", {name: clean(text) for name, text in device.match.items()})
        _write_all(below, device.values)
    return vm


def update(vm: Element, values: Mapping[str, Value]) -> None:
    """Sets these values in place, each in the stead of what bore its name; all others stay as they are."""
    for name in values:
        for old in vm.findall(_tag(name)):
            vm.remove(old)
    _write_all(vm, values)


def _tag(name: str) -> str:
    if not is_name(name):
        raise CannotCreate(f"Metadata cannot carry the name {name!r}")
    return f"{{{VM}}}{name}"


def _write_all(parent: Element, values: Mapping[str, Value]) -> None:
    for name, value in values.items():
        _write(parent, name, value)


def _write(parent: Element, name: str, value: Value) -> None:
    if isinstance(value, list | tuple) and name not in _LISTS:
        for item in value:
            _write(parent, name, item)
        return
    child = etree.SubElement(parent, _tag(name))
    if name in _LISTS:
        for item in value:
            _write(child, _LISTS[name], item)
    elif name == "payload" and isinstance(value, Mapping):
        _write_payload(child, value)
    elif isinstance(value, Mapping):
        _write_all(child, value)
    elif value is None:
        raise CannotCreate(f"Metadata of {name} has no value")
    else:
        _write_leaf(child, value)


def _write_leaf(child: Element, value: Value) -> None:
    if kind := _TYPES.get(type(value)):
        child.set("type", kind)
    child.text = clean(str(value)) if value != "" else None


def _write_payload(child: Element, payload: Mapping[str, Value]) -> None:
    for name, value in payload.items():
        if name != "file":
            _write(child, name, value)
    for path, content in payload.get("file", {}).items():
        etree.SubElement(child, _tag("file"), path=clean(str(path))).text = clean(str(content))


def conf_element(conf: Mapping[str, Any]) -> Element:
    """`virgate:machine`: the conf as JSON, in ASCII so that XML carries every character. Keys with `_` stay out.

    Of payloads only the names of their files are kept: the contents are passwords more often than not, and whoever may
    connect to libvirt to read, as every user of a host may, reads metadata.
    """
    kept = {name: _without_contents(value) for name, value in conf.items() if not str(name).startswith("_")}
    machine = etree.Element(f"{{{MACHINE}}}machine", {"version": "1"}, nsmap={"virgate": MACHINE})
    machine.text = json.dumps(kept, separators=(",", ":"), default=str)
    return machine


def _without_contents(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_contents(below) for below in value]
    if not isinstance(value, dict):
        return value
    payload = value.get("vmPayload")
    if isinstance(payload, dict) and isinstance(payload.get("file"), dict):
        return value | {"vmPayload": payload | {"file": dict.fromkeys(payload["file"], "")}}
    return {name: _without_contents(below) for name, below in value.items()}


def bare(found: Element) -> str:
    """One of our elements as libvirt's call for setting metadata takes it: with plain names and no namespace.

    libvirt puts prefix and uri of the call on every plain name, and fails where they are declared already.
    """
    plain = copy(found)
    uri = etree.QName(plain).namespace
    for one in plain.iter(f"{{{uri}}}*"):
        one.tag = etree.QName(one).localname
    etree.cleanup_namespaces(plain)
    return one_line(plain)


def conf_xml(conf: Mapping[str, Any]) -> str:
    """The conf for setting it in a domain with prefix `virgate` and uri `MACHINE`."""
    return bare(conf_element(conf))


def vm_xml(metadata: VmMetadata) -> str:
    """The values for setting them in a domain with prefix `ovirt-vm` and uri `VM`."""
    return bare(encode(metadata))


def read_conf(root: Element) -> dict[str, Any]:
    """The conf that `conf_element` wrote; empty when the domain has none or it cannot be understood."""
    found = find(root, MACHINE, "machine")
    if found is None or found.get("version") != "1":
        return {}
    try:
        conf = json.loads(found.text or "")
    except ValueError:
        return {}
    return conf if isinstance(conf, dict) else {}


def place(root: Element, elements: Iterable[Element]) -> None:
    """Puts elements in the domain's `<metadata>`, each in the stead of the one of its name."""
    metadata = root.find("metadata")
    if metadata is None:
        metadata = etree.SubElement(root, "metadata")
    for found in elements:
        for old in metadata.findall(str(found.tag)):
            metadata.remove(old)
        metadata.append(found)
