"""What can go wrong with machines, in the codes of the old API (spec xmlrpc-host-vm 1.9)."""

from typing import ClassVar

from virgate.errors import VirgateError, error


class MachineError(VirgateError):
    """Base of this room's errors."""


@error
class NoSuchMachine(MachineError):
    """No machine of this id is listed, or it has no running guest the verb could act on."""

    code: ClassVar[int] = 1
    text: ClassVar[str] = "Virtual machine does not exist"
    vm: str


@error
class NoWayDown(MachineError):
    """Neither guest agent nor ACPI nor force is there to end the guest. Old clients know it by this code."""

    code: ClassVar[int] = 4
    text: ClassVar[str] = "VM without ACPI or active oVirt guest agent. Try Forced Shutdown."
    vm: str


@error
class Moving(MachineError):
    """The machine is on its way to another host, where the change would be lost."""

    code: ClassVar[int] = 51
    text: ClassVar[str] = "Command not supported during migration"
    vm: str


@error
class WrongState(MachineError):
    """The machine is busy with something that the verb would break."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "Unexpected exception: machine is in state {self.status}"
    vm: str
    status: str


@error
class CannotDestroy(MachineError):
    """The hypervisor kept the guest; the machine stays listed."""

    code: ClassVar[int] = 42
    text: ClassVar[str] = "Virtual machine destroy error: {self.detail}"
    vm: str
    detail: str


@error
class CannotReset(MachineError):
    """The hypervisor refused the reset."""

    code: ClassVar[int] = 90
    text: ClassVar[str] = "Failed to reset VM: {self.detail}"
    vm: str
    detail: str


@error
class StatsHookFailed(MachineError):
    """A hook before `getVmStats` forbade the answer (spec hooks 2.5)."""

    code: ClassVar[int] = 78
    text: ClassVar[str] = "Hook error: {self.detail}"
    detail: str


@error
class Abandoned(MachineError):
    """Somebody destroyed the machine while it was starting."""

    code: ClassVar[int] = 1
    text: ClassVar[str] = "VM destroyed during the startup"
    vm: str


@error
class LostAtStart(MachineError):
    """The guest ended before its start was complete; `detail` is the hypervisor's word for how."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "failed to start libvirt vm"
    vm: str
    detail: str


@error
class BadLaunchFlags(MachineError):
    """A script left something else than an integer in the launch flags file."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "Launch flags must be a decimal integer, not {self.found!r}"
    found: str


@error
class ForeignDocument(MachineError):
    """A script changed the machine's uuid, or metadata name another: the document describes another machine."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "The domain document that scripts left has another uuid: {self.found!r}"
    found: str


@error
class NoConsole(MachineError):
    """The machine was created without console or serial line, or is not running."""

    code: ClassVar[int] = 40
    text: ClassVar[str] = "Resource unavailable: machine {self.vm} has no console; create it with a console device"
    vm: str
