"""What libvirt and its QEMU offer for one machine type: the values that a domain capabilities document lists."""

from collections.abc import Mapping

from attrs import field, frozen

from virgate.domxml.tree import Element, attribute, child_text, parse

CARDS = ("vga", "virtio", "bochs", "cirrus")
"""Screen cards that any guest can show its start on, best first."""


@frozen
class Offers:
    """Empty sets are unknown: then what is asked for is taken as it is, and libvirt has the last word."""

    machine: str = ""
    """The full name of the machine type."""
    known: bool = True
    """Whether QEMU has the machine type at all."""
    cpu_modes: frozenset[str] = frozenset()
    cpu_models: Mapping[str, bool] = field(factory=dict)
    """Names, and whether guests get all of the model here."""
    videos: frozenset[str] = frozenset()
    screens: frozenset[str] = frozenset()
    tpm_backends: frozenset[str] = frozenset()
    firmwares: frozenset[str] | None = None
    """Kinds beside the BIOS; None: unknown."""
    secure_boot: bool = True

    def has_screen(self, kind: str) -> bool:
        return not self.screens or kind in self.screens

    def card(self, wanted: str) -> str:
        """The screen card asked for, or one in its place."""
        if not self.videos or wanted in self.videos:
            return wanted
        return next((card for card in CARDS if card in self.videos), wanted)


def read(document: str) -> Offers:
    """The offers in a domain capabilities document."""
    root = parse(document)
    custom = root.find("cpu/mode[@name='custom']")
    models = [] if custom is None else custom.findall("model")
    secure = _values(root, "os/loader", "secure")
    return Offers(
        machine=child_text(root, "machine"),
        cpu_modes=frozenset(str(mode.get("name")) for mode in root.iterfind("cpu/mode[@supported='yes']")),
        cpu_models={str(model.text): model.get("usable") != "no" for model in models},
        videos=_values(root, "devices/video", "modelType"),
        screens=_values(root, "devices/graphics", "type"),
        tpm_backends=_values(root, "devices/tpm", "backendModel"),
        firmwares=_values(root, "os", "firmware") if root.find("os/enum[@name='firmware']") is not None else None,
        secure_boot=not secure or "yes" in secure,
    )


def _values(root: Element, path: str, name: str) -> frozenset[str]:
    if attribute(root, path, "supported") == "no":
        return frozenset()
    return frozenset(str(value.text) for value in root.iterfind(f"{path}/enum[@name='{name}']/value"))
