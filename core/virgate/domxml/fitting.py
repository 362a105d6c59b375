"""What a client asks for against what this host offers: what stands in for what, and what cannot be had.

A screen card that QEMU lacks is replaced by one that shows the same (a host without qxl), a processor that software
emulation cannot give by what it can. Each is told as a notice. What a client cannot do without is refused when the
machine starts: a machine type, a screen's protocol, a firmware, a security chip.
"""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import HostFacts
from virgate.domxml.offers import Offers
from virgate.domxml.tree import Element, attribute
from virgate.domxml.values import flag, struct, text

PASSED_ON = ("hostPassthrough", "host-passthrough")


def machine_of(params: Mapping[str, Any]) -> str:
    """The machine type that parameters of the list form ask for; empty leaves the choice to the host.

    Secure boot needs a board with a locked system management mode, and only one of a PC's boards has it.
    """
    return text(params, "emulatedMachine", "q35" if flag(params.get("secureBoot")) else "")


def firmware_of(params: Mapping[str, Any]) -> str:
    """`efi`, or empty for the board's BIOS."""
    given = text(params, "firmware", "efi" if flag(params.get("secureBoot")) else "bios").lower()
    known = {"efi": "efi", "uefi": "efi", "bios": ""}
    if given not in known:
        raise BadDevice("firmware", f"it is bios or efi, not {given}")
    return known[given]


def machine_in(root: Element) -> str:
    return attribute(root, "os/type", "machine")


def default_machine(facts: HostFacts) -> str:
    """The usual type of the architecture, or the one that QEMU would choose where that is gone."""
    usual = "pseries" if facts.is_power else "pc" if facts.is_x86 else "virt"
    found = facts.offers.get("")
    offered = facts.offers.get(usual)
    if offered is not None and not offered.known and found is not None and found.machine:
        return found.machine
    return usual


def offers_for(machine: str, facts: HostFacts) -> Offers:
    """What is known for a machine type; for none given, for the host's default."""
    return facts.offers.get(machine or default_machine(facts)) or facts.offers.get("") or Offers()


def fit_list(conf: dict[str, Any], facts: HostFacts) -> tuple[str, ...]:
    """Brings a completed conf in reach of the host; answers what became different."""
    offers = offers_for(machine_of(conf), facts)
    notices = []
    for device in conf["devices"]:
        if device["type"] == "video" and (card := offers.card(str(device["device"]))) != device["device"]:
            notices.append(_no_card(device["device"], card))
            device["device"] = card
    return (*notices, *_cpu_notice(text(conf, "cpuType").split(",")[0].strip(), offers, facts))


def _no_card(wanted: object, card: str) -> str:
    return f"QEMU on this host has no screen card {wanted}; the guest gets {card}"


def _cpu_notice(kind: str, offers: Offers, facts: HostFacts) -> tuple[str, ...]:
    if facts.virt_type != "qemu":
        return ()
    if kind in PASSED_ON and "host-passthrough" not in (offers.cpu_modes or {"host-passthrough"}):
        return ("software emulation cannot pass the host's processor on; the guest gets all that QEMU can emulate",)
    if offers.cpu_models.get(kind) is False:
        return (f"software emulation cannot give all of a {kind} processor; the guest gets what can be emulated of it",)
    return ()


def passed_on(offers: Offers) -> str:
    """The mode that gives a guest the most of the host's processor."""
    modes = offers.cpu_modes
    return "maximum" if modes and "host-passthrough" not in modes and "maximum" in modes else "host-passthrough"


def check_list(conf: Mapping[str, Any], facts: HostFacts) -> None:
    """Raises `BadDevice` for what this host cannot give and nothing can stand in for."""
    machine = machine_of(conf)
    offers = offers_for(machine, facts)
    _check_machine(machine, offers)
    if firmware_of(conf) == "efi":
        _check_firmware(offers, secure=flag(conf.get("secureBoot")))
        if facts.is_x86 and not flag(conf.get("acpiEnable", True)):
            raise BadDevice("firmware", "a PC with UEFI cannot be without ACPI")
    kind = text(conf, "cpuType").split(",")[0].strip()
    if kind and offers.cpu_models and kind not in {*offers.cpu_models, "hostPassthrough", "hostModel"}:
        raise BadDevice("cpu", f"libvirt on this host knows no processor model {kind}")
    for device in conf["devices"]:
        if device["type"] == "graphics":
            _check_screen(str(device["device"]), offers)
        elif device["type"] == "tpm":
            _check_tpm(text(struct(device, "specParams"), "mode", "passthrough"), offers)


def _check_machine(machine: str, offers: Offers) -> None:
    if not offers.known:
        raise BadDevice("machine", f"QEMU on this host has no machine type {machine}")


def _check_firmware(offers: Offers, *, secure: bool) -> None:
    if offers.firmwares is not None and "efi" not in offers.firmwares:
        raise BadDevice("firmware", "this host has no UEFI firmware for guests: install ovmf")
    if secure and not offers.secure_boot:
        raise BadDevice("firmware", f"machines of type {offers.machine} cannot boot securely; q35 can")


def _check_screen(kind: str, offers: Offers) -> None:
    if not offers.has_screen(kind):
        others = ", ".join(sorted(offers.screens & {"vnc", "spice"})) or "none"
        raise BadDevice("graphics", f"QEMU on this host has no {kind}; it offers {others}")


def _check_tpm(mode: str, offers: Offers) -> None:
    if offers.tpm_backends and mode not in offers.tpm_backends:
        reason = "install swtpm" if mode == "emulator" else "QEMU was built without it"
        raise BadDevice("tpm", f"this host cannot give a chip by {mode}: {reason}")


def fit_document(root: Element, facts: HostFacts) -> tuple[str, ...]:
    """As `fit_list` for a client's document, which is changed."""
    offers = offers_for(machine_in(root), facts)
    notices = []
    for model in root.iterfind("devices/video/model"):
        wanted = str(model.get("type", ""))
        if wanted and (card := offers.card(wanted)) != wanted:
            notices.append(_no_card(wanted, card))
            for name in list(model.attrib):
                del model.attrib[name]  # sizes of one card mean nothing to another
            model.set("type", card)
    cpu = root.find("cpu")
    kind = "" if cpu is None else str(cpu.findtext("model") or cpu.get("mode") or "")
    notices += _cpu_notice(kind, offers, facts)
    if cpu is not None and cpu.get("mode") == "host-passthrough" and passed_on(offers) == "maximum":
        cpu.set("mode", "maximum")
        for name in ("check", "migratable"):
            cpu.attrib.pop(name, "")
    return tuple(notices)


def check_document(root: Element, facts: HostFacts) -> None:
    """As `check_list` for a client's document."""
    offers = offers_for(machine_in(root), facts)
    _check_machine(machine_in(root), offers)
    if attribute(root, "os", "firmware") == "efi":
        _check_firmware(offers, secure=attribute(root, "os/loader", "secure") == "yes")
    for screen in root.iterfind("devices/graphics"):
        if screen.get("type") in ("spice", "vnc"):
            _check_screen(str(screen.get("type")), offers)
    for backend in root.iterfind("devices/tpm/backend"):
        _check_tpm(str(backend.get("type", "passthrough")), offers)
