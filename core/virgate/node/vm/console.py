"""Where a person finds the console of a running machine."""

from typing import TYPE_CHECKING

from attrs import frozen
from lxml import etree

from virgate.node.vm.errors import NoConsole

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


@frozen
class ConsolePlace:
    """`kind` is pty, unix (a socket) or file (a log: to read only)."""

    kind: str
    path: str


async def find(machine: "Machine") -> ConsolePlace:
    """The first console or serial line that can be opened, of the guest as it runs now. Raises `NoConsole`."""
    document = await machine.document()
    return read(document.text, machine.id)


def read(text: str, vm: str) -> ConsolePlace:
    """Raises `NoConsole` when the document names none."""
    root = etree.fromstring(text.encode())
    for device in (*root.iterfind("devices/console"), *root.iterfind("devices/serial")):
        kind, source = device.get("type", ""), device.find("source")
        path = (source.get("path") if source is not None else None) or device.get("tty")
        if kind in ("pty", "unix", "file") and path:
            return ConsolePlace(kind, path)
    raise NoConsole(vm)
