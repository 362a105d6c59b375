"""External leases of a domain: for machines and for jobs of any host (spec storage-format 5.5, xmlrpc-storage 11).

Their index is changed by the SPM alone, and a lease is always written before a record names it.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from attrs import frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.leases import ExternalLeaseManager, LeasePlace
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors.external_leases import JobMismatch, NoExternalLeases
from virgate.node.storage.errors.pools import NoPoolConnected
from virgate.node.storage.formats import layout, lvb, xleases
from virgate.node.storage.formats.errors import NoSuchLease
from virgate.node.storage.formats.sanlock import LVB_SECTOR
from virgate.node.storage.formats.xleases import Index, Lease
from virgate.node.storage.formats.xleases_rebuild import Found, mend
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.repository import part
from virgate.node.storage.values import Clock
from virgate.node.tasks.locks import Request, storage
from virgate.node.tasks.task import Task
from virgate.units import MiB

SECTOR = 4096


@frozen
class ExternalLeases:
    """`host` is the hardware id of this host, told in the values of jobs' leases."""

    log = Logger()

    jobs: Jobs
    clock: Clock
    host: Callable[[], str]

    async def create(self, domain: str, lease: str, job: Mapping[str, Any] | None = None) -> str:
        """The task that makes a lease; one that is there already is as good. With the `job` it stands for, if any."""
        found, wanted = await self._ready(domain), part(lease)
        value = self._new_value(job) if job else None
        if value is not None:
            _value_offset(found)

        async def make(task: Task) -> None:
            index = await self._index(found)
            changed, record = index.add(wanted, found.record.alignment, _room(found))
            place = _place(found, record)
            if changed is not index:
                await manager(found).write_other(place, wanted)
                await self._write(found, changed, record)
            if value is not None:
                await manager(found).change_value(place, lambda _: lvb.encode(value))

        return await self._start("create_lease", found, make)

    async def delete(self, domain: str, lease: str) -> str:
        """The task that removes a lease; one that is not there is removed already."""
        found, wanted = await self._ready(domain), part(lease)

        async def remove(task: Task) -> None:
            try:
                index, record = (await self._index(found)).remove(wanted)
            except NoSuchLease:
                return
            await self._write(found, index, record)
            try:
                await manager(found).write_other(_place(found, record), "")
            except (VirgateError, OSError) as problem:  # the index knows it no more: that is what counts
                self.log.warn("lease {lease} stays in its slot: {problem}", lease=wanted, problem=problem)

        return await self._start("delete_lease", found, remove)

    async def rebuild(self, domain: str) -> str:
        """The task that makes index and leases agree again."""
        found = await self._ready(domain)

        async def rebuild(task: Task) -> None:
            align = found.record.alignment
            data = await found.files.call("read_blocks", _path(found), align, layout.XLEASES_INDEX)
            slots = await self._slots(found)
            mended = mend(data, slots, found.id, int(self.clock.seconds()), align)
            for number, name in mended.write.items():
                await manager(found).write_other(_place(found, Lease(number, name)), name)
            for number in mended.clear:
                await manager(found).write_other(_place(found, Lease(number, slots[number].name)), "")
            for block in mended.blocks:
                await found.files.call("write_blocks", _path(found), align + block.offset, block.data)

        return await self._start("rebuild_leases", found, rebuild)

    async def place(self, domain: str, lease: str) -> LeasePlace:
        """Where a lease is; `NoSuchLease` (936). Every host may ask."""
        found = await self.domain(domain)
        return _place(found, (await self._index(found)).find(lease))

    async def info(self, domain: str, lease: str) -> dict[str, Any]:
        place = await self.place(domain, lease)
        return {"sd_id": domain, "lease_id": lease, "path": str(place.path), "offset": place.offset}

    async def status(self, domain: str, lease: str) -> dict[str, Any]:
        """Who holds it, how often it changed hands, and the job it stands for."""
        found, place = await self.domain(domain), await self.place(domain, lease)
        owner = await found.lease.inquire_other(place)
        job = await self.job(found, place)
        return {
            "owners": [owner.host] if owner else [],
            "version": owner.version if owner else 0,
            "metadata": told(job) if job else {},
        }

    async def fence(self, domain: str, lease: str, job: Mapping[str, Any]) -> None:
        """Ends the job that the lease stands for, if it is that very one and still pending: `JobMismatch` (912).

        651 while the host that runs the job holds the lease.
        """
        found, place = await self.domain(domain), await self.place(domain, lease)
        generation, name = _generation(job), str(job.get("job_id", ""))

        def fenced(data: bytes) -> bytes:
            now = lvb.decode(data)
            expected = now is not None and (now.job, now.generation) == (name, generation)
            if now is None or not expected or now.status is not lvb.JobStatus.PENDING:
                raise JobMismatch(lease, name, str(told(now)) if now else "it stands for no job")
            return lvb.encode(now.fenced(self.host(), int(self.clock.seconds())))

        if job.get("type", lvb.JOB) != lvb.JOB:
            raise InvalidParameter("type", job.get("type"))
        _value_offset(found)
        await manager(found).change_value(place, fenced)

    async def domain(self, domain: str) -> Domain:
        """One that has external leases; `NoExternalLeases` (2009)."""
        found = await self.jobs.domains.find(domain)
        if not found.lease.volume_leases:
            raise NoExternalLeases(domain, "only this host sees it")
        if found.version < 4:
            raise NoExternalLeases(domain, f"its version is {found.version}, they came with 4")
        return found

    async def _ready(self, domain: str) -> Domain:
        """The domain, if this host is the SPM."""
        pool = self.jobs.pools.connected
        if pool is None:
            raise NoPoolConnected()
        pool.spm.require()
        return await self.domain(domain)

    async def _start(self, verb: str, domain: Domain, job: Callable[[Task], Any]) -> str:
        pool = self.jobs.pools.connected
        if pool is None:
            raise NoPoolConnected()
        alone = Request("03_leases", domain.id, exclusive=True)
        return await self.jobs.start(verb, pool.id, job, storage(domain.id), alone)

    async def _index(self, domain: Domain) -> Index:
        data = await domain.files.call("read_blocks", _path(domain), domain.record.alignment, layout.XLEASES_INDEX)
        return Index.decode(data)

    async def _write(self, domain: Domain, index: Index, record: Lease) -> None:
        block = index.block(record.number, domain.record.block_size)
        await domain.files.call("write_blocks", _path(domain), domain.record.alignment + block.offset, block.data)

    async def _slots(self, domain: Domain) -> dict[int, Found]:
        """Of a file: as far as something lies in it, and one more for what the index says of the next."""
        found: dict[int, Found] = {}
        for number in range(_room(domain)):
            offset = layout.vm_lease_offset(number, domain.record.alignment)
            sector = await domain.files.call("read_blocks", _path(domain), offset, SECTOR, timeout=math.inf)
            found[number] = Found.of(sector[:512], domain.id)
            if not sector:
                break
        return found

    async def job(self, domain: Domain, place: LeasePlace) -> lvb.JobLease | None:
        """What a lease stands for; None if it only guards, and where there is no room to say."""
        try:
            offset = place.offset + _value_offset(domain)
        except NoExternalLeases:
            return None
        start = offset // SECTOR * SECTOR
        block = await domain.files.call("read_blocks", str(place.path), start, SECTOR)
        return lvb.decode(block[offset - start :][: lvb.SIZE])

    def _new_value(self, job: Mapping[str, Any]) -> lvb.JobLease:
        now = int(self.clock.seconds())
        try:
            return lvb.JobLease(
                job=str(job["job_id"]),
                status=lvb.JobStatus(job.get("job_status", "PENDING")),
                host=self.host(),
                created=now,
                modified=now,
                generation=int(job.get("generation", 0)),
            )
        except (KeyError, ValueError):
            raise InvalidParameter("metadata", dict(job)) from None


def _generation(job: Mapping[str, Any]) -> int:
    try:
        return int(job.get("generation", 0))
    except (TypeError, ValueError):
        raise InvalidParameter("generation", job["generation"]) from None


def manager(domain: Domain) -> ExternalLeaseManager:
    return cast(ExternalLeaseManager, domain.lease)


def _path(domain: Domain) -> str:
    return str(domain.path / "dom_md" / "xleases")


def _place(domain: Domain, lease: Lease) -> LeasePlace:
    return LeasePlace(lease.name, Path(_path(domain)), lease.offset(domain.record.alignment))


def _room(domain: Domain) -> int:
    """How many leases there can be: a file grows with them."""
    if domain.kind is Kind.FILE:
        return xleases.RECORDS
    size = layout.special_volumes_mib(domain.version, domain.record.alignment)["xleases"] * MiB
    return layout.vm_leases(size, domain.record.alignment)


def _value_offset(domain: Domain) -> int:
    """Where the value lies in a lease; `NoExternalLeases` (2009) where it would lie in the next one."""
    offset = LVB_SECTOR * domain.record.block_size
    if offset + lvb.SIZE > domain.record.alignment:
        raise NoExternalLeases(domain.id, "leases of its size have no room for what is told of a job")
    return offset


def told(job: lvb.JobLease) -> dict[str, Any]:
    return {
        "type": lvb.JOB,
        "generation": job.generation,
        "job_id": job.job,
        "job_status": job.status.value,
        "created": job.created,
        "modified": job.modified,
        "host_hardware_id": job.host,
    }
