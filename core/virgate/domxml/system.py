"""`<os>`, `<sysinfo>`, `<clock>` and `<features>`: the board the guest boots on."""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import HostFacts
from virgate.domxml.fitting import default_machine, firmware_of, machine_of
from virgate.domxml.tree import Element, element
from virgate.domxml.values import flag, integer, struct, text

BOOT = {"a": "fd", "c": "hd", "d": "cdrom", "n": "network"}


def operating_system(conf: Mapping[str, Any], facts: HostFacts) -> Element:
    """Machine type and boot sources. libvirt takes an order of devices or of kinds, not both: devices win."""
    machine = machine_of(conf) or default_machine(facts)
    firmware, secure = firmware_of(conf), flag(conf.get("secureBoot"))
    ordered = any(device.get("bootOrder") for device in conf.get("devices", ()))
    return element(
        "os",
        element("type", text="hvm", arch=facts.arch, machine=machine),
        _firmware_features(secure) if firmware and facts.is_x86 else None,
        element("loader", secure="yes") if secure else None,
        *(() if ordered else _boot(text(conf, "boot"))),
        _path("initrd", conf),
        _path("kernel", conf),
        element("cmdline", text=conf["kernelArgs"]) if conf.get("kernelArgs") else None,
        element("smbios", mode="sysinfo") if facts.is_x86 else None,
        element("bootmenu", enable="yes") if flag(conf.get("bootMenuEnable")) else None,
        firmware=firmware or None,
    )


def _firmware_features(secure: bool) -> Element:
    """libvirt finds the image and the template of its variables by these, among what the host has installed."""
    wanted = "yes" if secure else "no"
    names = ("secure-boot", "enrolled-keys")
    return element("firmware", *[element("feature", enabled=wanted, name=name) for name in names])


def _boot(letters: str) -> list[Element]:
    for letter in letters:
        if letter not in BOOT:
            raise BadDevice("boot", f"no kind of boot device is called {letter}")
    return [element("boot", dev=BOOT[letter]) for letter in letters]


def _path(name: str, conf: Mapping[str, Any]) -> Element | None:
    return element(name, text=conf[name]) if conf.get(name) else None


def sysinfo(conf: Mapping[str, Any], facts: HostFacts) -> Element | None:
    """What the guest reads in its SMBIOS tables."""
    if not facts.is_x86:
        return None
    entries = {
        "manufacturer": "oVirt",
        "product": facts.os_name,
        "version": facts.os_version,
        "serial": text(conf, "serial", facts.host_uuid),
        "uuid": conf["vmId"],
    }
    system = element("system", *[element("entry", name=name, text=value) for name, value in entries.items() if value])
    return element("sysinfo", system, type="smbios")


def clock(conf: Mapping[str, Any], facts: HostFacts) -> Element:
    return element(
        "clock",
        element("timer", name="hypervclock", present="yes") if flag(conf.get("hypervEnable")) else None,
        element("timer", name="rtc", tickpolicy="catchup"),
        element("timer", name="pit", tickpolicy="delay"),
        element("timer", name="hpet", present="no") if facts.is_x86 else None,
        offset="variable",
        adjustment=integer(conf, "timeOffset", 0),
    )


def features(conf: Mapping[str, Any], facts: HostFacts) -> Element | None:
    acpi, hyperv = flag(conf.get("acpiEnable", True)), flag(conf.get("hypervEnable"))
    secure = flag(conf.get("secureBoot"))
    if not facts.is_x86 or not (acpi or hyperv or secure):
        return None
    return element(
        "features",
        element("acpi") if acpi else None,
        element(
            "hyperv",
            element("relaxed", state="on"),
            element("vapic", state="on"),
            element("spinlocks", state="on", retries="8191"),
        )
        if hyperv
        else None,
        element("smm", state="on") if secure else None,
    )


PAGES = {"x86_64": (2048, 1 << 20), "i686": (2048, 1 << 20), "aarch64": (64, 2048, 32768, 524288, 1 << 20)}
POWER_PAGES = (2048, 16384, 1 << 20, 16 << 20)


def memory_backing(conf: Mapping[str, Any], facts: HostFacts) -> Element | None:
    """Huge pages for the guest's memory when its property `hugepages` names a size in KiB that the processor has.

    Other numbers are left to scripts: those of old hosts took the property for a count.
    """
    custom = struct(conf, "custom")
    sizes = POWER_PAGES if facts.is_power else PAGES.get(facts.arch, ())
    if text(custom, "hugepages") not in {str(size) for size in sizes}:
        return None
    page = element("page", size=custom["hugepages"], unit="KiB")
    shared = element("access", mode="shared") if flag(custom.get("hugepages_shared")) else None
    return element("memoryBacking", element("hugepages", page), shared)
