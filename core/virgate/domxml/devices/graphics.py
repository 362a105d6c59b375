"""`<graphics>`: the screens that people connect to, closed until somebody sets a ticket."""

from virgate.domxml.devices.context import Context, given
from virgate.domxml.tree import Element, attribute, element
from virgate.domxml.values import Conf, flag, struct, text

CHANNELS = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")
NO_ONE = {"passwd": "*****", "passwdValidTo": "1970-01-01T00:00:01"}
"""A password that expired long ago."""


def build(device: Conf, context: Context) -> list[Element]:
    wishes = struct(device, "specParams")
    spice = device["device"] == "spice"
    secure = spice and context.facts.spice_tls
    network = text(wishes, "displayNetwork")
    return [
        element(
            "graphics",
            element("clipboard", copypaste="no") if spice and not flag(wishes.get("copyPasteEnable", True)) else None,
            element("filetransfer", enable="no")
            if spice and not flag(wishes.get("fileTransferEnable", True))
            else None,
            *(_secure_channels(text(wishes, "spiceSecureChannels")) if spice else ()),
            element("listen", type="network", network=f"vdsm-{network}") if network else None,
            type=device["device"],
            port="-1",
            autoport="yes",
            tlsPort="-1" if secure else None,
            defaultMode="secure" if secure else None,
            keymap=text(wishes, "keyMap") or None,
            listen=None if network else "0",
            **({} if flag(wishes.get("disableTicketing")) else NO_ONE),
        )
    ]


def _secure_channels(names: str) -> list[Element]:
    """Old clients put an s before each name; names that SPICE does not have are left out."""
    wanted = [name.strip() for name in names.split(",")]
    known = [name if name in CHANNELS else name.removeprefix("s") for name in wanted]
    return [element("channel", name=name, mode="secure") for name in dict.fromkeys(known) if name in CHANNELS]


def read(found: Element) -> Conf:
    kind = str(found.get("type", ""))
    network = next((str(one.get("network", "")) for one in found.iterfind("listen[@type='network']")), "")
    channels = [str(one.get("name")) for one in found.iterfind("channel[@mode='secure']")]
    wishes = given(
        keyMap=found.get("keymap"),
        displayNetwork=network.removeprefix("vdsm-"),
        spiceSecureChannels=",".join(channels),
    )
    # Without the right to see secrets a document shows of a password only how long it holds.
    wishes["disableTicketing"] = _word(found.get("passwd") is None and found.get("passwdValidTo") is None)
    if kind == "spice":
        wishes["copyPasteEnable"] = _word(attribute(found, "clipboard", "copypaste") != "no")
        wishes["fileTransferEnable"] = _word(attribute(found, "filetransfer", "enable") != "no")
    ports = {"port": str(found.get("port", "-1")), "tlsPort": str(found.get("tlsPort", "-1"))}
    return {"type": "graphics", "device": kind, "specParams": wishes, **ports}


def _word(truth: bool) -> str:
    return "true" if truth else "false"


def spice_channel() -> Element:
    """The channel of the guest's SPICE agent."""
    return element("channel", element("target", type="virtio", name="com.redhat.spice.0"), type="spicevmc")
