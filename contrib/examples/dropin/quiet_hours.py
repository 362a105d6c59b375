"""Refuses to start machines that carry the custom property `quiet_hours` while it is night. Put it into plugins.d."""

from datetime import datetime

from virgate import hookimpl
from virgate.hookspecs.errors import HookError

virgate_api = 1
__version__ = "1.0"


@hookimpl
def before_vm_start(vm):
    """`quiet_hours` is "22-6": from 22:00 to 6:00 the machine stays down."""
    hours = vm.custom.get("quiet_hours")
    if not hours:
        return
    begins, ends = (int(hour) for hour in hours.split("-"))
    now = datetime.now().astimezone().hour
    quiet = begins <= now < ends if begins <= ends else now >= begins or now < ends
    if quiet:
        raise HookError(f"{vm.id} keeps quiet from {begins}:00 to {ends}:00")
