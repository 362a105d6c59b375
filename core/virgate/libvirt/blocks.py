"""Snapshots, block jobs and frozen file systems of running machines, by the domain's id.

Everything raises DomainNotFound, HypervisorAway or HypervisorFailed (libvirt.errors). A disk is named by its target
("vda"), a volume below its top by target and libvirt's index ("vda[3]").
"""

from typing import TYPE_CHECKING, Any

import libvirt
from attrs import frozen

from virgate.libvirt import words
from virgate.libvirt.errors import HypervisorFailed

if TYPE_CHECKING:
    from virgate.libvirt.domains import Domains

UNSUPPORTED = frozenset(
    {
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    }
)


@frozen
class BlockJob:
    """One look at a job. `kind` is a word of `words.BLOCK_JOBS`, the bandwidth counts MiB/s, 0 without a limit."""

    kind: str
    bandwidth: int
    cur: int
    end: int


def is_unsupported(failure: HypervisorFailed) -> bool:
    """Whether the hypervisor, or the machine as it is made, can never do what was asked."""
    return failure.libvirt_code in UNSUPPORTED


async def snapshot(domains: "Domains", uuid: str, xml: str, *, memory: bool) -> None:
    """Puts the disks on other volumes, which exist; all of them or none. With `memory` the guest stands still while
    its memory is written, for as long as that takes."""
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    flags |= 0 if memory else libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    await domains.on(uuid, lambda domain: domain.snapshotCreateXML(xml, flags))


async def migratable_xml(domains: "Domains", uuid: str) -> str:
    """The document that saved memory is woken up with."""
    return await domains.on(uuid, lambda domain: str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)))


async def abort_domain_job(domains: "Domains", uuid: str) -> None:
    """Ends the writing of memory that is under way."""
    await domains.on(uuid, lambda domain: domain.abortJob(), beside=True)


async def commit(
    domains: "Domains", uuid: str, target: str, *, base: str, top: str, bandwidth: int, active: bool
) -> None:
    """Begins to write what `top` and those between hold into `base`. An active one, of the disk's top, waits for
    `pivot` when both are alike; any other ends by itself."""
    flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE | (libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE if active else 0)
    await domains.on(uuid, lambda domain: domain.blockCommit(target, base, top, bandwidth, flags))


async def copy(domains: "Domains", uuid: str, target: str, xml: str) -> None:
    """Begins to write the disk's top, now and from now on, also to a volume that exists; `pivot` or `abort` end it."""
    flags = libvirt.VIR_DOMAIN_BLOCK_COPY_SHALLOW | libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
    flags |= libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB  # else refused for a domain that is defined, as ours are
    await domains.on(uuid, lambda domain: domain.blockCopy(target, xml, {}, flags))


async def pivot(domains: "Domains", uuid: str, target: str) -> None:
    """Lets the disk go on with what a job has written to; comes back when it does."""
    await domains.on(uuid, lambda domain: domain.blockJobAbort(target, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT))


async def abort(domains: "Domains", uuid: str, target: str) -> None:
    """Ends the job of a disk, which stays on what it is on; comes back when it is ended."""
    await domains.on(uuid, lambda domain: domain.blockJobAbort(target, 0))


async def job(domains: "Domains", uuid: str, target: str) -> BlockJob | None:
    """What works on a disk."""
    found: dict[str, Any] = await domains.on(uuid, lambda domain: domain.blockJobInfo(target, 0))
    if not found:
        return None
    kind = words.word(words.BLOCK_JOBS, int(found["type"]))
    return BlockJob(kind, int(found["bandwidth"]), int(found["cur"]), int(found["end"]))


async def resize(domains: "Domains", uuid: str, target: str, size: int) -> None:
    """Lets the guest see a disk of `size` bytes."""
    await domains.on(uuid, lambda domain: domain.blockResize(target, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES))


async def freeze(domains: "Domains", uuid: str) -> int:
    """Asks the guest's QEMU agent to let no file system be written; answers how many it froze."""
    return await domains.on(uuid, lambda domain: int(domain.fsFreeze(None, 0)))


async def thaw(domains: "Domains", uuid: str) -> int:
    return await domains.on(uuid, lambda domain: int(domain.fsThaw(None, 0)))
