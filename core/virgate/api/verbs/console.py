"""Verbs that act in the stead of somebody at the machine's keyboard or at its QEMU's monitor."""

from typing import ClassVar

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Text
from virgate.errors import VirgateError, error
from virgate.node.node import Node
from virgate.node.vm.settings import MachineSettings


@error
class MonitorClosed(VirgateError):
    """Whoever may send commands to QEMU can read and write whatever QEMU can."""

    code: ClassVar[int] = 44
    text: ClassVar[str] = "Not implemented: monitor commands are off; set [machines] monitor_commands to allow them"


@verb("VM.sendkeys", xmlrpc="sendkeys")
async def send_keys(node: Node, vm: Text, keys: Anything) -> None:
    """Press keys together in the guest: a list of Linux's names, or one text such as ctrl-alt-f1."""
    from virgate.libvirt.keyboard import press
    from virgate.node.vm.keyboard import codes

    machine = node.machines.find(vm)
    await press(machine.means.domains, machine.id, codes(keys))


@verb("VM.monitorCommand", xmlrpc="monitorCommand")
async def monitor_command(node: Node, vm: Text, command: Text) -> Reply:
    """Send a command to the monitor of the machine's QEMU, if the settings allow it."""
    from virgate.libvirt.keyboard import monitor

    if not node.settings[MachineSettings].monitor_commands:
        raise MonitorClosed()
    machine = node.machines.find(vm)
    return Reply({"output": (await monitor(machine.means.domains, machine.id, command)).splitlines()})
