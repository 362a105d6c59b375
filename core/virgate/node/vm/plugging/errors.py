"""What can go wrong with devices of running machines (codes: spec xmlrpc-host-vm 1.9)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from virgate.domxml.errors import MissingParameter
from virgate.errors import Unexpected, VirgateError, error
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import DomainNotFound, HypervisorFailed
from virgate.node.vm.errors import MachineError, Moving, NoSuchMachine


class ChangeFailed(MachineError):
    """Base of what a client's verb promises to answer."""


@error
class NoMedium(ChangeFailed):
    """What should go into a drive is not there."""

    code: ClassVar[int] = 13
    text: ClassVar[str] = "Drive image file could not be found: {self.detail}"
    detail: str


@error
class TicketNotSet(ChangeFailed):
    """The display keeps its old password."""

    code: ClassVar[int] = 18
    text: ClassVar[str] = "Error while setting spice ticket: {self.detail}"
    detail: str


@error
class MediumNotChanged(ChangeFailed):
    """The drive keeps its medium."""

    code: ClassVar[int] = 41
    text: ClassVar[str] = "Failed to change disk image: {self.detail}"
    detail: str


@error
class DiskNotPlugged(ChangeFailed):
    """Nothing of the disk is left behind."""

    code: ClassVar[int] = 45
    text: ClassVar[str] = "Failed to hotplug disk: {self.detail}"
    detail: str


@error
class DiskNotUnplugged(ChangeFailed):
    """The guest keeps the disk."""

    code: ClassVar[int] = 46
    text: ClassVar[str] = "Failed to hotunplug disk: {self.detail}"
    detail: str


@error
class NicNotPlugged(ChangeFailed):
    """Nothing of the nic is left behind."""

    code: ClassVar[int] = 49
    text: ClassVar[str] = "Failed to hotplug NIC: {self.detail}"
    detail: str


@error
class NicNotUnplugged(ChangeFailed):
    """The guest keeps the nic."""

    code: ClassVar[int] = 50
    text: ClassVar[str] = "Failed to hotunplug NIC: {self.detail}"
    detail: str


@error
class DeviceNotUpdated(ChangeFailed):
    """The device is as it was before."""

    code: ClassVar[int] = 56
    text: ClassVar[str] = "Failed to update device: {self.detail}"
    detail: str


@error
class CpusNotSet(ChangeFailed):
    """The guest has as many processors as it did not give back."""

    code: ClassVar[int] = 60
    text: ClassVar[str] = "Failed to set the number of cpus: {self.detail}"
    detail: str


@error
class MemoryNotPlugged(ChangeFailed):
    """The guest has the memory it had."""

    code: ClassVar[int] = 70
    text: ClassVar[str] = "Failed to hotplug memory: {self.detail}"
    detail: str


@error
class HostDeviceNotUnplugged(ChangeFailed):
    """The guest keeps the host's device."""

    code: ClassVar[int] = 83
    text: ClassVar[str] = "Failed to detach host device: {self.detail}"
    detail: str


@error
class MemoryNotUnplugged(ChangeFailed):
    """The guest keeps the memory module."""

    code: ClassVar[int] = 85
    text: ClassVar[str] = "Failed to hotunplug memory: {self.detail}"
    detail: str


@error
class LeaseNotPlugged(ChangeFailed):
    """The machine does not hold the lease."""

    code: ClassVar[int] = 86
    text: ClassVar[str] = "Failed to hotplug lease: {self.detail}"
    detail: str


@error
class LeaseNotUnplugged(ChangeFailed):
    """The machine still holds the lease."""

    code: ClassVar[int] = 87
    text: ClassVar[str] = "Failed to hotunplug lease: {self.detail}"
    detail: str


@error
class UnknownDeviceKind(ChangeFailed):
    """Only nics and displays can be changed in place."""

    code: ClassVar[int] = 44
    text: ClassVar[str] = "Not implemented: a device of type {self.kind} cannot be updated"
    kind: str


@error
class StillThere(MachineError):
    """The guest was asked to let a device go and did not; it may still do so later."""

    text: ClassVar[str] = "the guest did not let go of {self.alias} within {self.seconds:g} s; is an OS running in it?"
    alias: str
    seconds: float


@error
class Refused(MachineError):
    """The guest said no."""

    text: ClassVar[str] = "the guest refused to let go of {self.alias}"
    alias: str


PASSED = (ChangeFailed, HookError, MissingParameter, DomainNotFound, NoSuchMachine, Moving)
"""What keeps its own code, whatever was being done."""


@contextmanager
def told_as(kind: Callable[[str], VirgateError]) -> Iterator[None]:
    """What goes wrong inside is raised as `kind`, which the client's verb promises."""
    try:
        yield
    except PASSED:
        raise
    except VirgateError as problem:
        raise kind(detail(problem)) from problem


def detail(problem: VirgateError) -> str:
    """What happened, without the words that the client's error has itself."""
    return problem.detail if isinstance(problem, HypervisorFailed | Unexpected) else str(problem)
