"""libvirt's errors in our words, told apart by their number and never by their text.

VirgateError
  DomainNotFound            code 1
  HypervisorAway            no connection now; it is being opened again
  HypervisorFailed          anything else that libvirt refuses, with its number
    OperationInvalid        not in the state the machine is in
    OperationTimedOut       somebody else holds the machine's lock
    AgentUnresponsive       the guest's agent does not answer
"""

from typing import ClassVar

import libvirt

from virgate.errors import VirgateError, error


@error
class DomainNotFound(VirgateError):
    """libvirt knows no domain of this id."""

    code: ClassVar[int] = 1
    text: ClassVar[str] = "Virtual machine does not exist: {self.uuid}"
    uuid: str


@error
class HypervisorAway(VirgateError):
    """The call did not reach libvirt, or its answer did not reach us."""

    text: ClassVar[str] = "No connection to libvirt ({self.uri}): {self.detail}"
    uri: str
    detail: str


@error
class HypervisorFailed(VirgateError):
    """libvirt refused or failed."""

    text: ClassVar[str] = "libvirt failed: {self.detail}"
    libvirt_code: int
    detail: str


@error
class OperationInvalid(HypervisorFailed):
    """Not possible in the domain's present state."""


@error
class OperationTimedOut(HypervisorFailed):
    """Another operation on the same domain takes too long."""


@error
class AgentUnresponsive(HypervisorFailed):
    """The guest agent is not there or does not answer."""


NARROWER: dict[int, type[HypervisorFailed]] = {
    libvirt.VIR_ERR_OPERATION_INVALID: OperationInvalid,
    libvirt.VIR_ERR_OPERATION_TIMEOUT: OperationTimedOut,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE: AgentUnresponsive,
    libvirt.VIR_ERR_AGENT_UNSYNCED: AgentUnresponsive,
}

BROKEN = frozenset(
    {
        libvirt.VIR_ERR_INTERNAL_ERROR,
        libvirt.VIR_ERR_SYSTEM_ERROR,
        libvirt.VIR_ERR_RPC,
        libvirt.VIR_ERR_NO_CONNECT,
        libvirt.VIR_ERR_INVALID_CONN,
    }
)
"""What calls fail with when the connection breaks under them; on a whole connection each may mean something else."""


def translate(problem: libvirt.libvirtError, uri: str, uuid: str = "", alive: bool = True) -> VirgateError:
    """Our error for libvirt's; `alive` is what the connection says of itself now, `uuid` the domain asked about."""
    number = problem.get_error_code()
    detail = problem.get_error_message() or str(problem)
    if number == libvirt.VIR_ERR_NO_DOMAIN:
        return DomainNotFound(uuid or detail)
    if number in BROKEN and not alive:
        return HypervisorAway(uri, detail)
    if number is None:  # raised by the binding itself, without an error of the library behind it
        return HypervisorFailed(libvirt.VIR_ERR_INTERNAL_ERROR, detail)
    return NARROWER.get(number, HypervisorFailed)(number, detail)
