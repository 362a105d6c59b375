"""Work of this host that an external lease guards, and what the lease tells of it (spec xmlrpc-storage 11)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeasePlace
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors.external_leases import JobMismatch, WrongLeaseGeneration
from virgate.node.storage.external_leases import ExternalLeases, manager, told
from virgate.node.storage.formats import lvb
from virgate.node.storage.sdm.volumes import held

log = Logger()


@frozen
class Guarded:
    """A job and the lease that keeps other hosts from it. `generation` is the one that the client knows of."""

    domain: str
    lease: str
    job: str
    generation: int | None = None

    def check(self, found: lvb.JobLease | None) -> None:
        """`JobMismatch` (912), `WrongLeaseGeneration` (911) unless the lease stands for this very job, to be done.

        One that stands for no job only guards; then there is no generation to agree with.
        """
        if found is None and self.generation is None:
            return
        if found is None or found.job != self.job or found.status is not lvb.JobStatus.PENDING:
            raise JobMismatch(self.lease, self.job, _said(found))
        if self.generation not in (None, found.generation):
            raise WrongLeaseGeneration(self.lease, self.generation, found.generation)


@asynccontextmanager
async def guarded(leases: ExternalLeases, work: Guarded) -> AsyncIterator[None]:
    """Inside, no other host does the job; `LeaseNotAcquired` (651). Afterwards the lease says how it ended."""
    domain, place = await leases.domain(work.domain), await leases.place(work.domain, work.lease)
    found, well = None, False
    try:
        async with held(domain, place):
            pending = await leases.job(domain, place)
            work.check(pending)
            found = pending
            yield
            well = True
    finally:
        if found is not None:
            await _tell(leases, domain, place, found, well=well)


async def _tell(leases: ExternalLeases, domain: Domain, place: LeasePlace, job: lvb.JobLease, *, well: bool) -> None:
    """Whoever fenced the job in the meantime is right; a failure is not hidden by another one."""

    def ended(data: bytes) -> bytes:
        now = lvb.decode(data)
        if now != job:
            raise JobMismatch(place.name, job.job, _said(now))
        return lvb.encode(job.ended(leases.host(), int(leases.clock.seconds()), well=well))

    try:
        await manager(domain).change_value(place, ended)
    except (VirgateError, OSError) as problem:
        if well:
            raise
        log.warn("lease {lease} does not say that its job failed: {problem}", lease=place.name, problem=str(problem))


def _said(found: lvb.JobLease | None) -> str:
    return str(told(found)) if found else "it stands for no job"
