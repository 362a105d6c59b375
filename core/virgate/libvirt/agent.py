"""What the QEMU guest agent is asked through libvirt; no other way to it is open while libvirt holds its channel.

What has a time of its own waits behind nothing: libvirt keeps talk with agents apart from the rest. Questions that need
the time set for them are one call among others for the machine, so that nobody's freeze runs in that time by mistake.
Everything raises as `virgate.libvirt.domains` does, `AgentUnresponsive` among it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import libvirt

from virgate.libvirt.domains import Domains

Result = TypeVar("Result")

PATIENT = libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK
"""As long as it takes; libvirt itself waits 5 s for the first sign of life."""


async def command(domains: Domains, uuid: str, name: str, seconds: int) -> str:
    """Sends a command without arguments that only asks; answers the agent's JSON."""

    def ask(domain: Any) -> str:
        import libvirt_qemu

        return str(libvirt_qemu.qemuAgentCommand(domain, json.dumps({"execute": name}), seconds, 0))

    return await domains.on(uuid, ask, beside=True)


async def information(domains: Domains, uuid: str, mask: int, seconds: int) -> Mapping[str, Any]:
    """libvirt's bulk question; `mask` says what (0 would mean everything and is refused)."""
    if not mask:
        raise ValueError("nothing is asked")
    return await _patiently(domains, uuid, seconds, lambda domain: domain.guestInfo(mask, 0))


async def addresses(domains: Domains, uuid: str, seconds: int) -> Mapping[str, Any]:
    """By interface: `hwaddr` and `addrs`, each with `addr` and `type` (0 for IPv4, 1 for IPv6)."""
    source = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
    return await _patiently(domains, uuid, seconds, lambda domain: domain.interfaceAddresses(source, 0))


async def processors(domains: Domains, uuid: str, seconds: int) -> Mapping[str, Any]:
    """`online`: which of the guest's CPUs are, as "0-1,3"."""
    return await _patiently(domains, uuid, seconds, lambda domain: domain.guestVcpus(0))


async def shut_down(domains: Domains, uuid: str) -> None:
    """Asks the guest to power off."""
    await domains.on(uuid, lambda domain: domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT), beside=True)


async def restart(domains: Domains, uuid: str) -> None:
    """Asks the guest to reboot."""
    await domains.on(uuid, lambda domain: domain.reboot(libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT), beside=True)


async def _patiently(domains: Domains, uuid: str, seconds: int, ask: Callable[[Any], Result]) -> Result:
    """With so many seconds for the answer; other callers' commands take as long as they take."""

    def limited(domain: Any) -> Result:
        domain.agentSetResponseTimeout(seconds, 0)
        try:
            return ask(domain)
        finally:
            domain.agentSetResponseTimeout(PATIENT, 0)

    return await domains.on(uuid, limited)
