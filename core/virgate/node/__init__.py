"""The node role: runs and guards machines, storage and networks.

`Node` is the value every verb gets. The managers are built in `assemble.py`, know each other only through small
protocols and the event bus, and own their fields.
"""

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from virgate.config import Settings
    from virgate.events import EventBus
    from virgate.libvirt.connection import Hypervisor
    from virgate.node.host.host import Host
    from virgate.node.storage.manager import Storage
    from virgate.node.tasks.manager import Tasks
    from virgate.node.vm.registry import Machines
    from virgate.plugins import Hooks


@define
class Node:
    settings: "Settings"
    hooks: "Hooks"
    events: "EventBus"
    hypervisor: "Hypervisor"
    tasks: "Tasks"
    storage: "Storage"
    machines: "Machines"
    host: "Host"
    ready: bool = False
    """False until running machines are recovered; verbs answer 99 meanwhile."""
