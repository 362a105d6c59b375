"""What is asked of the desktop inside a guest, through its agent (spec xmlrpc-host-vm 2.9).

A request is always sent, and counts as done if the agent was heard lately: agents do not answer these.
"""

from typing import Any

from virgate.api.verb import verb
from virgate.api.wire import Anything, Text
from virgate.node.guest.errors import NotResponsive
from virgate.node.node import Node
from virgate.node.vm.errors import NoSuchMachine


@verb("VM.desktopLogin", xmlrpc="desktopLogin", secret=("password",))
async def desktop_login(node: Node, vm: Text, domain: Text, user: Text, password: Text) -> None:
    """Log a user in inside the guest."""
    _ask(node, vm, "login", username=f"{user}@{domain}" if domain else user, password=password)


@verb("VM.desktopLogoff", xmlrpc="desktopLogoff")
async def desktop_logoff(node: Node, vm: Text, force: Anything = False) -> None:
    """Log the user off inside the guest. `force` is accepted and means nothing."""
    _ask(node, vm, "log-off")


@verb("VM.desktopLock", xmlrpc="desktopLock")
async def desktop_lock(node: Node, vm: Text) -> None:
    """Lock the guest's screen."""
    _ask(node, vm, "lock-screen")


@verb("VM.desktopSendHcCommand", xmlrpc="sendHcCmdToDesktop")
async def send_command(node: Node, vm: Text, message: Text) -> None:
    """Send a command of any name to the guest agent, without arguments."""
    _ask(node, vm, message)


def _ask(node: Node, vm: str, name: str, **arguments: Any) -> None:
    if not node.machines.find(vm).vitals.alive:
        raise NoSuchMachine(vm)
    agent = node.agents.get(vm)
    if agent is not None:
        agent.send(name, **arguments)
    if agent is None or not agent.responsive:
        raise NotResponsive(vm)
