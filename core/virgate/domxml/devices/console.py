"""`<console>` and `<serial>`: the guest's text terminal, a pseudo terminal (`virsh console`) or a socket."""

from virgate.domxml.devices.context import Context, common, given
from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, attribute, element
from virgate.domxml.values import Conf, flag, struct, text

KINDS = ("virtio", "serial")


def kind_of(device: Conf) -> str:
    kind = text(struct(device, "specParams"), "consoleType", "virtio")
    if kind not in KINDS:
        raise BadDevice("console", f"no type of console is called {kind}")
    return kind


def build(device: Conf, context: Context) -> list[Element]:
    return [_terminal("console", device, context, element("target", type=kind_of(device), port="0"))]


def serial(device: Conf, context: Context) -> Element | None:
    """The serial port that a console of that kind is the first face of."""
    return _terminal("serial", device, context, element("target", port="0")) if kind_of(device) == "serial" else None


def _terminal(tag: str, device: Conf, context: Context, target: Element) -> Element:
    if not flag(struct(device, "specParams").get("enableSocket")):
        return element(tag, target, type="pty")
    path = f"{context.facts.console_sockets}/{context.machine}.sock"
    return element(tag, element("source", mode="bind", path=path), target, type="unix")


def read(found: Element) -> Conf:
    """`path`: the pseudo terminal; a socket's place follows from the machine's id."""
    kind, socket = attribute(found, "target", "type") or "serial", found.get("type") == "unix"
    wishes = {"consoleType": kind, "enableSocket": "true" if socket else "false"}
    path = None if socket else attribute(found, "source", "path")
    return {"type": "console", "device": "console", "specParams": wishes, **given(path=path), **common(found)}
