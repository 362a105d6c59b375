"""What stands for libvirt's domain when devices of a machine without a hypervisor are changed."""

from typing import Any

import libvirt
from attrs import define, field
from doubles.machines import ID, Host
from lxml import etree

LIMITS = tuple(f"{scope}_{unit}" for unit in ("bytes_sec", "iops_sec") for scope in ("total", "read", "write"))


@define
class PlayedDomain:
    """Changes the document that `host` keeps, as libvirt would. `fail[method]` is raised; `guest` says how a guest
    answers when a device shall go: "lets go", "keeps", "refuses" or "is silent" (goes without an event)."""

    host: Host
    guest: str = "lets go"
    calls: list[tuple[Any, ...]] = field(factory=list)
    fail: dict[str, Exception] = field(factory=dict)
    limits: dict[str, dict[str, int]] = field(factory=dict)
    memory: int = 0

    @classmethod
    def of(cls, host: Host) -> "PlayedDomain":
        played = cls(host)
        root = played.root
        for number, device in enumerate(root.find("devices")):
            etree.SubElement(device, "alias", name=f"was{number}")
        played.root = root
        host.domains.handles[ID] = played
        return played

    @property
    def root(self) -> Any:
        return etree.fromstring(self.host.domains.domains[ID].xml.encode())

    @root.setter
    def root(self, root: Any) -> None:
        self.host.domains.domains[ID].xml = etree.tostring(root, encoding="unicode")

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    def _do(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.fail:
            raise self.fail[name]

    def attachDeviceFlags(self, xml: str, flags: int) -> None:
        self._do("attach", xml)
        root, device = self.root, etree.fromstring(xml.encode())
        if device.find("alias") is None and device.tag != "lease":
            etree.SubElement(device, "alias", name=f"new-{device.tag}{len(self.calls)}")
        if device.tag == "interface":
            etree.SubElement(device, "target", dev="vnet0")
        if device.tag != "lease":
            etree.SubElement(device, "address", type="pci", slot=hex(len(self.calls)))
        root.find("devices").append(device)
        self.root = root

    def detachDeviceAlias(self, alias: str, flags: int) -> None:
        self._do("detach", alias)
        if self.guest in ("lets go", "is silent"):
            self.let_go(alias, tells=self.guest == "lets go")
        elif self.guest == "refuses":
            self.host.events.tell("libvirt.device_removal_failed", uuid=ID, alias=alias)

    def let_go(self, alias: str, *, tells: bool = True) -> None:
        root = self.root
        for found in root.findall("devices/*/alias"):
            if found.get("name") == alias:
                root.find("devices").remove(found.getparent())
        self.root = root
        if tells:
            self.host.events.tell("libvirt.device_removed", uuid=ID, alias=alias)

    def detachDeviceFlags(self, xml: str, flags: int) -> None:
        self._do("detach", xml)
        root, wanted = self.root, etree.fromstring(xml.encode())
        for found in root.findall(f"devices/{wanted.tag}"):
            if found.findtext("key") == wanted.findtext("key"):
                root.find("devices").remove(found)
        self.root = root

    def updateDeviceFlags(self, xml: str, flags: int) -> None:
        self._do("update", xml, flags)
        root, wanted = self.root, etree.fromstring(xml.encode())
        alias = wanted.find("alias")
        for found in root.findall(f"devices/{wanted.tag}"):
            if alias is None or found.find("alias").get("name") == alias.get("name"):
                for name in ("passwd", "connected"):
                    wanted.attrib.pop(name, None)
                root.find("devices").replace(found, wanted)
        self.root = root

    def setVcpusFlags(self, number: int, flags: int) -> None:
        self._do("vcpus", number)
        root = self.root
        root.find("vcpu").set("current", str(number))
        self.root = root

    def pinVcpuFlags(self, number: int, allowed: tuple[bool, ...], flags: int) -> None:
        self._do("pin", number, allowed)

    def setMemoryFlags(self, kibibytes: int, flags: int) -> None:
        self._do("memory", kibibytes)

    def blockIoTune(self, target: str, flags: int) -> dict[str, Any]:
        self._do("limits", target)
        return {**dict.fromkeys(LIMITS, 0), "group_name": "x", **self.limits.get(target, {})}

    def setBlockIoTune(self, target: str, values: dict[str, int], flags: int) -> None:
        self._do("set limits", target, values)
        self.limits[target] = values

    def setSchedulerParametersFlags(self, values: dict[str, int], flags: int) -> None:
        self._do("schedule", values)
        root = self.root
        tune = root.find("cputune")
        tune = etree.SubElement(root, "cputune") if tune is None else tune
        for name, value in values.items():
            short = name.removeprefix("vcpu_")
            found = tune.find(short)
            (etree.SubElement(tune, short) if found is None else found).text = str(value)
        self.root = root

    def jobStats(self, flags: int = 0) -> dict[str, Any]:
        return {"type": libvirt.VIR_DOMAIN_JOB_NONE}

    def isPersistent(self) -> bool:
        return True

    def metadata(self, kind: int, uri: str, flags: int) -> str:
        found = self.root.find(f"metadata/{{{uri}}}*")
        if found is None:
            problem = libvirt.libvirtError("none")
            problem.err = (libvirt.VIR_ERR_NO_DOMAIN_METADATA, 0, "none", 0, None, None, None, 0, 0)
            raise problem
        return etree.tostring(found, encoding="unicode")

    def setMetadata(self, kind: int, xml: str, prefix: str, uri: str, flags: int) -> None:
        self._do("metadata", prefix, xml)
        root, fresh = self.root, etree.fromstring(xml.encode())
        assert not fresh.nsmap, "libvirt declares the namespace itself"
        for plain in fresh.iter():
            plain.tag = f"{{{uri}}}{plain.tag}"
        for old in root.findall(f"metadata/{fresh.tag}"):
            root.find("metadata").remove(old)
        root.find("metadata").append(fresh)
        self.root = root
