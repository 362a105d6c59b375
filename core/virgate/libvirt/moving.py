"""A running domain on its way to another host: libvirt's calls for it (spec migration 5, 6).

All of them go beside the domain's lane: the move itself takes it for as long as it lasts.
"""

from collections.abc import Mapping
from typing import Any

import libvirt
from lxml import etree

from virgate.libvirt.domains import Domains
from virgate.libvirt.errors import HypervisorFailed, OperationInvalid


async def migrate(domains: Domains, uuid: str, uri: str, parameters: Mapping[str, Any], flags: int) -> None:
    """Comes back when the guest runs on the other side. It occupies a thread of libvirt's pool all the time."""
    await domains.on(uuid, lambda domain: domain.migrateToURI3(uri, dict(parameters), flags), beside=True)


async def document(domains: Domains, uuid: str) -> str:
    """The document as the other side's libvirt takes it, passwords of screens included."""
    flags = libvirt.VIR_DOMAIN_XML_MIGRATABLE | libvirt.VIR_DOMAIN_XML_SECURE
    return await domains.on(uuid, lambda domain: str(domain.XMLDesc(flags)), beside=True)


async def job(domains: Domains, uuid: str) -> dict[str, Any]:
    """The figures of what libvirt does with the domain now; `type` is 0 when that is nothing."""
    return await domains.on(uuid, lambda domain: dict(domain.jobStats()), beside=True)


async def last_job(domains: Domains, uuid: str) -> dict[str, Any]:
    """The figures of what it did last, as long as the domain is known here; empty when it forgot them."""

    def ask(domain: Any) -> dict[str, Any]:
        flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
        return dict(domain.jobStats(flags))

    try:
        return await domains.on(uuid, ask, beside=True)
    except HypervisorFailed:
        return {}


async def abort(domains: Domains, uuid: str) -> None:
    await domains.on(uuid, lambda domain: domain.abortJob(), beside=True)


async def allow_downtime(domains: Domains, uuid: str, milliseconds: int) -> None:
    """How long the guest may stand still in the end."""
    await domains.on(uuid, lambda domain: domain.migrateSetMaxDowntime(milliseconds, 0), beside=True)


async def limit_bandwidth(domains: Domains, uuid: str, mebibytes: int) -> None:
    """Of the move that is under way, per second."""
    await domains.on(uuid, lambda domain: domain.migrateSetMaxSpeed(mebibytes, 0), beside=True)


async def go_on_there(domains: Domains, uuid: str) -> None:
    """Post-copy: the guest runs on the other side from now on and fetches what it misses."""
    await domains.on(uuid, lambda domain: domain.migrateStartPostCopy(0), beside=True)


async def keep_spice_ticket(domains: Domains, uuid: str, until: str) -> None:
    """The password of a SPICE screen stays good until then (`YYYY-MM-DDTHH:MM:SS`, UTC) and nobody is thrown out."""

    def extend(domain: Any) -> None:
        root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE).encode())
        for screen in root.iterfind("devices/graphics[@type='spice'][@passwd]"):
            if screen.get("passwdValidTo", until) >= until:
                continue
            screen.set("passwdValidTo", until)
            screen.set("connected", "keep")
            domain.updateDeviceFlags(etree.tostring(screen, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)

    await domains.on(uuid, extend)


def is_abort(problem: HypervisorFailed) -> bool:
    """Whether a move ended because somebody wanted it to."""
    return bool(problem.libvirt_code == libvirt.VIR_ERR_OPERATION_ABORTED)


def is_failure(problem: HypervisorFailed) -> bool:
    """Whether libvirt began to move the guest and could not."""
    return bool(problem.libvirt_code == libvirt.VIR_ERR_OPERATION_FAILED)


def is_too_late(problem: HypervisorFailed) -> bool:
    """Whether there is no job any more that could be aborted."""
    return isinstance(problem, OperationInvalid)
