"""External leases: made, removed, told, fenced and rebuilt by verbs, on the bytes of a domain in a folder."""

from pathlib import Path

import pytest
from contract.storage.light import now
from contract.storage.room import POOL, uuid
from contract.storage.written_leases import WrittenLease, get, put

from virgate.hookspecs.leases import LeaseOwner
from virgate.node.storage.formats import sanlock
from virgate.node.storage.formats.xleases import Index

DOMAIN = uuid(2)
MIB = 1 << 20
FIRST, SECOND, THIRD = (f"d4c3b2a1-6f5e-4d8c-9b7a-0f1e2d3c4b{number:02}" for number in (1, 2, 3))
JOB = {"type": "JOB", "generation": 4, "job_id": uuid(9), "job_status": "PENDING"}


def path(room) -> Path:
    return room.folder() / "dom_md" / "xleases"


def index(room) -> Index:
    return Index.decode(get(path(room), MIB, 253952))


def names(room) -> dict[int, str]:
    return {lease.number: lease.name for lease in index(room).leases()}


def in_slot(room, number: int) -> str:
    return sanlock.Leader.decode(get(path(room), (3 + number) * MIB, 512)).resource


def address(lease: str) -> dict[str, str]:
    return {"sd_id": DOMAIN, "lease_id": lease}


def test_a_lease_is_made_and_every_host_finds_it(shared):
    shared.done("createLease", address(FIRST))
    shared.done("createLease", address(SECOND))
    assert names(shared) == {0: FIRST, 1: SECOND}
    assert (in_slot(shared, 0), in_slot(shared, 1)) == (FIRST, SECOND)
    told = shared.ask("getLeaseInfo", address(SECOND))["result"]
    assert told == {
        **address(SECOND),
        "path": str(shared.ask("getLeaseInfo", address(FIRST))["result"]["path"]),
        "offset": 4 * MIB,
    }
    assert Path(told["path"]).samefile(path(shared))


def test_making_it_again_changes_nothing_and_succeeds(shared):
    shared.done("createLease", address(FIRST))
    before = path(shared).read_bytes()
    WrittenLease.steps.clear()
    shared.done("createLease", address(FIRST))
    assert (path(shared).read_bytes() == before, WrittenLease.steps) == (True, [])


def test_a_removed_lease_is_gone_and_its_place_is_used_again(shared):
    for lease in (FIRST, SECOND):
        shared.done("createLease", address(lease))
    shared.done("deleteLease", address(FIRST))
    shared.done("deleteLease", address(FIRST))
    assert (names(shared), in_slot(shared, 0)) == ({1: SECOND}, "")
    assert shared.code("getLeaseInfo", address(FIRST)) == 936
    shared.done("createLease", address(THIRD))
    assert names(shared) == {0: THIRD, 1: SECOND}


def test_a_lease_that_cannot_be_overwritten_is_removed_all_the_same(shared, monkeypatch):
    shared.done("createLease", address(FIRST))

    async def fails(self, lease, name):
        raise OSError(5, "broken")

    monkeypatch.setattr(WrittenLease, "write_other", fails)
    shared.done("deleteLease", address(FIRST))
    assert names(shared) == {}


def test_no_record_is_written_for_a_lease_that_could_not_be_written(shared, monkeypatch):
    async def fails(self, lease, name):
        raise OSError(5, "broken")

    monkeypatch.setattr(WrittenLease, "write_other", fails)
    status = shared.wait(shared.ask("createLease", address(FIRST))["uuid"])
    assert status["taskResult"] != "success"
    assert names(shared) == {}


def test_the_status_tells_who_holds_it_and_for_which_job(shared):
    shared.done("createLease", address(FIRST), JOB)
    shared.done("createLease", address(SECOND))
    WrittenLease.held_by[FIRST] = LeaseOwner(7, 3)
    told = shared.ask("getLeaseStatus", address(FIRST))["result"]
    assert (told["owners"], told["version"]) == ([7], 3)
    assert {key: told["metadata"][key] for key in JOB} == JOB
    assert shared.ask("getLeaseStatus", address(SECOND))["result"] == {"owners": [], "version": 0, "metadata": {}}


def test_a_job_is_fenced_once_nobody_holds_its_lease(shared):
    shared.done("createLease", address(FIRST), JOB)
    WrittenLease.held_by[FIRST] = LeaseOwner(7, 3)
    assert shared.code("fenceLease", address(FIRST), JOB) == 651
    WrittenLease.held_by.clear()
    shared.ask("fenceLease", address(FIRST), JOB)
    told = shared.ask("getLeaseStatus", address(FIRST))["result"]["metadata"]
    assert (told["job_status"], told["generation"]) == ("FENCED", 5)


@pytest.mark.parametrize(
    "job",
    [{**JOB, "generation": 3}, {**JOB, "job_id": uuid(9, 2)}, {"job_id": uuid(9)}],
    ids=["generation", "job", "no generation"],
)
def test_another_job_than_that_of_the_lease_is_not_fenced(shared, job):
    shared.done("createLease", address(FIRST), JOB)
    assert shared.code("fenceLease", address(FIRST), job) == 912
    assert shared.ask("getLeaseStatus", address(FIRST))["result"]["metadata"]["job_status"] == "PENDING"


def test_a_job_that_ended_is_not_fenced_nor_one_that_never_was(shared):
    shared.done("createLease", address(FIRST), {**JOB, "job_status": "SUCCEEDED"})
    shared.done("createLease", address(SECOND))
    assert (shared.code("fenceLease", address(FIRST), JOB), shared.code("fenceLease", address(SECOND), JOB)) == (
        912,
        912,
    )


def test_where_the_value_would_lie_in_the_next_lease_none_is_kept(shared):
    shared.done("createLease", address(FIRST))
    domain = now(shared.room.storage.domains.find(DOMAIN))
    now(domain.change({"BLOCK_SIZE": 4096}))
    assert shared.ask("getLeaseStatus", address(FIRST))["result"]["metadata"] == {}
    assert shared.code("createLease", address(SECOND), JOB) == 2009
    assert shared.code("fenceLease", address(FIRST), JOB) == 2009


def test_a_damaged_index_is_rebuilt_from_the_leases(shared):
    for lease in (FIRST, SECOND, THIRD):
        shared.done("createLease", address(lease), JOB)
    shared.done("deleteLease", address(SECOND))
    put(path(shared), MIB, b"\xff" * 600)
    assert shared.code("getLeaseInfo", address(THIRD)) == 749
    shared.done("rebuildLeases", DOMAIN)
    assert names(shared) == {0: FIRST, 2: THIRD}
    assert shared.ask("getLeaseStatus", address(THIRD))["result"]["metadata"]["job_status"] == "PENDING"


def test_a_damaged_lease_is_rebuilt_from_the_index_and_strangers_are_cleared(shared):
    for lease in (FIRST, SECOND):
        shared.done("createLease", address(lease))
    put(path(shared), 3 * MIB, b"\xff" * 512)
    put(path(shared), 5 * MIB, sanlock.resource(DOMAIN, THIRD, 512, MIB))
    shared.done("rebuildLeases", DOMAIN)
    assert (names(shared), in_slot(shared, 0), in_slot(shared, 2)) == ({0: FIRST, 1: SECOND}, FIRST, "")


def test_only_the_spm_changes_leases_and_every_host_reads_them(shared):
    shared.done("createLease", address(FIRST))
    shared.ask("spmStop", POOL)
    for verb in ("createLease", "deleteLease"):
        assert shared.code(verb, address(FIRST)) == 654
    assert shared.code("rebuildLeases", DOMAIN) == 654
    assert shared.ask("getLeaseInfo", address(FIRST))["result"]["offset"] == 3 * MIB


def test_a_domain_without_leases_says_why(pooled):
    answer = now(pooled.room.call("createLease", address(FIRST)))["status"]
    assert (answer["code"], "only this host sees it" in answer["message"]) == (2009, True)


@pytest.mark.parametrize("lease", [{}, {"sd_id": DOMAIN}, {"sd_id": DOMAIN, "lease_id": "../x"}])
def test_what_is_no_address_is_refused(shared, lease):
    assert shared.code("getLeaseInfo", lease) == 1000
    assert shared.code("createLease", lease) == 1000
