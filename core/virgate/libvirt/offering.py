"""What kinds of machines the hypervisor offers, as its documents of domain capabilities say."""

from collections.abc import Callable
from typing import Any, Protocol

import libvirt

from virgate.libvirt.errors import HypervisorFailed


class Caller(Protocol):
    """The part of the connection that is needed here."""

    async def call(self, function: Callable[[Any], Any]) -> Any: ...


async def domain_capabilities(hypervisor: Caller, arch: str, virt_type: str, machine: str | None) -> str | None:
    """The document for one machine type; None for the type: the emulator's own choice.

    Answers "" when the emulator does not know the type, None when this driver tells nothing of the kind.
    """
    try:
        return str(
            await hypervisor.call(
                lambda connection: connection.getDomainCapabilities(None, arch, machine, virt_type, 0)
            )
        )
    except HypervisorFailed as refused:
        if refused.libvirt_code == libvirt.VIR_ERR_INVALID_ARG and machine:
            return ""
        return None
