"""Work under an external lease: whose it is, and what the lease says afterwards."""

import pytest
from contract.storage.light import now
from contract.storage.room import uuid
from contract.storage.written_leases import WrittenLease

from virgate.node.storage.errors.external_leases import JobMismatch, WrongLeaseGeneration
from virgate.node.storage.formats import lvb
from virgate.node.storage.sdm.guarding import Guarded, guarded

DOMAIN, LEASE, JOB = uuid(2), uuid(7), uuid(9)
ADDRESS = {"sd_id": DOMAIN, "lease_id": LEASE}
VALUE = {"type": "JOB", "generation": 999, "job_id": JOB, "job_status": "PENDING"}


def stands_for(**changes):
    values = {"job": JOB, "status": lvb.JobStatus.PENDING, "host": "h", "created": 1, "modified": 1, "generation": 4}
    return lvb.JobLease(**{**values, **changes})


@pytest.fixture
def shared(shared):
    """With the lease of the job."""
    shared.done("createLease", ADDRESS, VALUE)
    return shared


def status(shared):
    found = shared.ask("getLeaseStatus", ADDRESS)["result"]["metadata"]
    return found["job_status"], found["generation"]


def work(shared, inside=lambda: None):
    async def run():
        async with guarded(shared.room.storage.external_leases, Guarded(DOMAIN, LEASE, JOB, 999)):
            inside()

    now(run())


def test_the_generation_behind_the_last_one_is_the_first():
    assert stands_for(generation=999).ended("h", 2, well=True).generation == 0
    assert stands_for().ended("h", 2, well=False) == stands_for(status=lvb.JobStatus.FAILED, modified=2)


@pytest.mark.parametrize(
    ("found", "generation", "problem"),
    [
        (None, None, None),
        (None, 0, JobMismatch),
        (stands_for(), None, None),
        (stands_for(), 4, None),
        (stands_for(), 3, WrongLeaseGeneration),
        (stands_for(job="other"), 4, JobMismatch),
        (stands_for(status=lvb.JobStatus.FENCED), None, JobMismatch),
        (stands_for(status=lvb.JobStatus.SUCCEEDED), 4, JobMismatch),
    ],
)
def test_a_lease_is_for_one_pending_job(found, generation, problem):
    wanted = Guarded(DOMAIN, LEASE, JOB, generation)
    if problem is None:
        wanted.check(found)
    else:
        with pytest.raises(problem):
            wanted.check(found)


def test_the_lease_is_held_inside_and_says_how_it_ended(shared):
    work(shared, lambda: WrittenLease.held_by[LEASE])
    assert (status(shared), WrittenLease.held_by) == (("SUCCEEDED", 0), {})


def test_work_that_breaks_is_told_as_failed_and_raised_as_it_is(shared):
    with pytest.raises(KeyError, match="broken"):
        work(shared, lambda: {}["broken"])
    assert (status(shared), WrittenLease.held_by) == (("FAILED", 999), {})


def test_a_lease_that_cannot_be_written_hides_no_failure_but_is_one(shared, monkeypatch):
    async def fails(self, lease, change):
        raise OSError(5, "no storage")

    monkeypatch.setattr(WrittenLease, "change_value", fails)
    with pytest.raises(KeyError, match="broken"):
        work(shared, lambda: {}["broken"])
    with pytest.raises(OSError, match="no storage"):
        work(shared)
    assert status(shared) == ("PENDING", 999)


def test_who_fenced_the_job_meanwhile_is_right(shared, monkeypatch):
    async def released(self, lease):
        self.held_by.clear()
        await self.change_value(lease, lambda data: lvb.encode(lvb.decode(data).fenced("other", 5)))

    monkeypatch.setattr(WrittenLease, "release_other", released)
    with pytest.raises(JobMismatch):
        work(shared)
    assert status(shared) == ("FENCED", 0)
