"""Limits of a running domain: memory, disks, processors; and the metadata that keep a policy.

Everything raises DomainNotFound, HypervisorAway or HypervisorFailed (libvirt.errors).
"""

from collections.abc import Callable, Mapping
from typing import Any

import libvirt

from virgate.libvirt.domains import Domains

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE


async def set_memory(domains: Domains, uuid: str, kibibytes: int) -> None:
    """Tells the balloon how much to leave to the guest."""
    await domains.on(uuid, lambda domain: domain.setMemoryFlags(kibibytes, LIVE))


async def io_limits(domains: Domains, uuid: str, target: str) -> dict[str, int]:
    """The limits of a disk, all that libvirt knows, 0 for none."""
    found = await domains.on(uuid, lambda domain: domain.blockIoTune(target, LIVE))
    return {name: value for name, value in found.items() if isinstance(value, int)}


async def set_io_limits(domains: Domains, uuid: str, limits: Mapping[str, Mapping[str, int]]) -> None:
    """Sets limits of several disks, by target; what is not named stays."""
    await domains.on(uuid, lambda domain: _set_io_limits(domain, limits))


def _set_io_limits(domain: Any, limits: Mapping[str, Mapping[str, int]]) -> None:
    for target, values in limits.items():
        domain.setBlockIoTune(target, dict(values), LIVE)


async def schedule(domains: Domains, uuid: str, **parameters: int) -> None:
    """Sets parameters of the host's scheduler: vcpu_quota and vcpu_period in microseconds."""
    await domains.on(uuid, lambda domain: domain.setSchedulerParametersFlags(parameters, LIVE))


async def rewrite_metadata(
    domains: Domains, uuid: str, change: Callable[[str | None], str | None], prefix: str, uri: str
) -> None:
    """Replaces a metadata element by what `change` makes of it, without anybody of this daemon in between.

    `change` runs in a thread; None leaves the element as it is.
    """
    await domains.on(uuid, lambda domain: _rewrite(domain, change, prefix, uri))


def _rewrite(domain: Any, change: Callable[[str | None], str | None], prefix: str, uri: str) -> None:
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    try:
        before = str(domain.metadata(kind, uri, LIVE))
    except libvirt.libvirtError as problem:
        if problem.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            raise
        before = None
    after = change(before)
    if after is not None:
        both = LIVE | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0)
        domain.setMetadata(kind, after, prefix, uri, both)
