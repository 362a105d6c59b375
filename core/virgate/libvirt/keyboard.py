"""Keys pressed in a guest, and commands to its QEMU, by the domain's id. Everything raises as `domains.py` says."""

from collections.abc import Sequence
from typing import Any

import libvirt

from virgate.libvirt.domains import Domains

HOLD = 100
"""Milliseconds that keys are held down."""


async def press(domains: Domains, uuid: str, codes: Sequence[int]) -> None:
    """Presses keys together; `codes` are Linux's."""
    keys = list(codes)
    await domains.on(uuid, lambda domain: domain.sendKey(libvirt.VIR_KEYCODE_SET_LINUX, HOLD, keys, len(keys), 0))


async def monitor(domains: Domains, uuid: str, command: str) -> str:
    """A line for people's monitor (HMP); answers what QEMU says."""

    def ask(domain: Any) -> str:
        import libvirt_qemu

        return str(libvirt_qemu.qemuMonitorCommand(domain, command, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP))

    return await domains.on(uuid, ask)
