"""What can go wrong with limits (codes: spec xmlrpc-host-vm 1.9)."""

from typing import ClassVar

from virgate.errors import error
from virgate.node.vm.errors import MachineError


class NotTuned(MachineError):
    """Base of what these verbs answer."""


@error
class BalloonUnavailable(NotTuned):
    """The guest keeps the memory it has."""

    code: ClassVar[int] = 53
    text: ClassVar[str] = "Balloon operation is not available: {self.detail}"
    detail: str


@error
class CpuTuneUnavailable(NotTuned):
    """The processors run as before."""

    code: ClassVar[int] = 62
    text: ClassVar[str] = "CpuTune operation is not available: {self.detail}"
    detail: str


@error
class PolicyNotUpdated(NotTuned):
    """The policy is the one before."""

    code: ClassVar[int] = 63
    text: ClassVar[str] = "Failed to update VM SLA policy: {self.detail}"
    detail: str


@error
class IoTuneNotUpdated(NotTuned):
    """The disks are as limited as before."""

    code: ClassVar[int] = 64
    text: ClassVar[str] = "Failed to update ioTune values: {self.detail}"
    detail: str
