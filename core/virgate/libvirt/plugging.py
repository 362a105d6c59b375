"""Devices of a running domain: attached, taken away, changed. The definition of the next start is left alone.

Everything raises DomainNotFound, HypervisorAway or HypervisorFailed (libvirt.errors).
"""

import errno
from collections.abc import Sequence
from typing import Any

import libvirt

from virgate.errors import error
from virgate.libvirt.domains import Domains
from virgate.libvirt.errors import HypervisorFailed

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE


@error
class MediumMissing(HypervisorFailed):
    """The file or device of a medium is not there."""


async def attach(domains: Domains, uuid: str, xml: str) -> None:
    """Comes back when QEMU has the device; what the guest makes of it is the guest's."""
    await domains.on(uuid, lambda domain: domain.attachDeviceFlags(xml, LIVE))


async def ask_for(domains: Domains, uuid: str, alias: str) -> None:
    """Asks the guest to let a device go. Whether it does is told later: `libvirt.device_removed`, or
    `libvirt.device_removal_failed`; a guest that does not care tells nothing."""
    await domains.on(uuid, lambda domain: domain.detachDeviceAlias(alias, LIVE))


async def detach(domains: Domains, uuid: str, xml: str) -> None:
    """Takes a device that no guest sees, for example a lease."""
    await domains.on(uuid, lambda domain: domain.detachDeviceFlags(xml, LIVE))


async def update(domains: Domains, uuid: str, xml: str) -> None:
    """Changes a device in place; `xml` is the whole device as it shall be."""
    await domains.on(uuid, lambda domain: domain.updateDeviceFlags(xml, LIVE))


async def change_medium(domains: Domains, uuid: str, xml: str) -> None:
    """Puts another medium into a drive, also when the guest has locked its tray. `MediumMissing`."""
    await domains.on(uuid, lambda domain: _change_medium(domain, xml))


def _change_medium(domain: Any, xml: str) -> None:
    try:
        domain.updateDeviceFlags(xml, LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
    except libvirt.libvirtError as problem:
        if problem.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR and problem.get_int1() == errno.ENOENT:
            raise MediumMissing(problem.get_error_code(), problem.get_error_message() or str(problem)) from None
        raise


async def set_vcpus(domains: Domains, uuid: str, number: int) -> None:
    """Plugs or unplugs processors until there are so many. A guest may keep those that shall go: then it fails."""
    await domains.on(uuid, lambda domain: domain.setVcpusFlags(number, LIVE))


async def pin_vcpus(domains: Domains, uuid: str, sets: Sequence[frozenset[int]]) -> None:
    """Lets each processor of the guest run on these of the host only."""
    await domains.on(uuid, lambda domain: _pin(domain, sets))


def _pin(domain: Any, sets: Sequence[frozenset[int]]) -> None:
    for number, allowed in enumerate(sets):
        width = max(allowed, default=-1) + 1
        domain.pinVcpuFlags(number, tuple(cpu in allowed for cpu in range(width)), LIVE)
