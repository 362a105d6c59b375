"""The domains of a pool: who may come in, what is written where, which leases are held meanwhile."""

import shutil
from types import SimpleNamespace

import pytest
from contract.storage.light import now
from contract.storage.room import BLANK, POOL, uuid

from virgate.hookspecs.storage import Kind
from virgate.node.storage.pools.membership import MAX_DOMAINS, most_domains

MASTER, SECOND, THIRD = (uuid(2, number) for number in (1, 2, 3))
ISO, BACKUP = 2, 3
ANOTHER_POOL = uuid(1, 9)


def written(light):
    """The map on the master."""
    return light.metadata(1)["POOL_DOMAINS"]


def attached(light, number=2, **made):
    light.domain(number, **made)
    light.ask("attachStorageDomain", uuid(2, number), POOL)


def active(light, number=2, **made):
    attached(light, number, **made)
    light.ask("activateStorageDomain", uuid(2, number), POOL)


# attaching and detaching


def test_a_domain_is_attached_under_its_own_lease_and_known_by_both_sides(pooled):
    attached(pooled)
    assert pooled.said == [("join 1", 2), ("acquire", 2), ("release", 2), ("leave", 2)]
    assert pooled.metadata(2)["POOL_UUID"] == POOL
    assert written(pooled) == f"{MASTER}:Active,{SECOND}:Attached"
    assert (pooled.statuses(), pooled.shown()) == ({1: "Active", 2: "Attached"}, {1})


def test_a_domain_that_another_holds_is_not_attached(pooled):
    pooled.domain(2)
    found = now(pooled.room.storage.domains.find(SECOND))
    now(found.lease.join(7))
    assert pooled.code("attachStorageDomain", SECOND, POOL) == 0  # who has an id there keeps it
    assert found.lease.joined == 7
    pooled.ask("detachStorageDomain", SECOND, POOL, BLANK, 0)
    now(found.lease.leave())
    (pooled.folder(2) / "dom_md" / "ids").unlink()
    assert pooled.code("attachStorageDomain", SECOND, POOL) == 651
    assert (pooled.metadata(2)["POOL_UUID"], pooled.statuses()) == ("", {1: "Active"})
    assert found.lease.joined is None


def test_a_pool_has_so_many_domains_and_no_more(pooled):
    backend = pooled.room.storage.pools.connected.backend
    crowd = dict.fromkeys((uuid(2, number) for number in range(2, MAX_DOMAINS + 1)), backend.map.domains[MASTER])
    del crowd[uuid(2, MAX_DOMAINS)]
    now(backend.write(type(backend.map)(MASTER, 1, {**backend.map.domains, **crowd})))
    attached(pooled, MAX_DOMAINS)
    pooled.domain(MAX_DOMAINS + 1)
    assert pooled.code("attachStorageDomain", uuid(2, MAX_DOMAINS + 1), POOL) == 328
    assert len(pooled.statuses()) == MAX_DOMAINS


def test_v51_the_oldest_block_masters_have_room_for_few_domains():
    def master(kind, version):
        return SimpleNamespace(kind=kind, version=version)

    assert most_domains(master(Kind.BLOCK, 0)) == 9
    assert [most_domains(master(Kind.BLOCK, 2)), most_domains(master(Kind.FILE, 0))] == [MAX_DOMAINS] * 2


def test_only_domains_of_iso_files_are_in_several_pools(pooled):
    for number, domain_class in ((2, ISO), (3, BACKUP)):
        pooled.domain(number, domain_class=domain_class)
        found = now(pooled.room.storage.domains.find(uuid(2, number)))
        now(found.change({"POOL_UUID": ANOTHER_POOL}))
    assert pooled.code("attachStorageDomain", THIRD, POOL) == 380
    pooled.ask("attachStorageDomain", SECOND, POOL)
    assert pooled.metadata(2)["POOL_UUID"] == f"{ANOTHER_POOL},{POOL}"
    pooled.ask("detachStorageDomain", SECOND, POOL, BLANK, 0)
    assert pooled.metadata(2)["POOL_UUID"] == ANOTHER_POOL


def test_a_domain_without_data_may_be_of_any_version(light):
    light.pool(version="3")
    for number, domain_class in ((2, ISO), (3, BACKUP)):
        active(light, number, domain_class=domain_class, version="5")
        assert light.metadata(number)["VERSION"] == "5"
    light.domain(4, version="5")
    assert light.code("attachStorageDomain", uuid(2, 4), POOL) == 398


def test_an_older_domain_may_come_and_is_raised_when_it_is_activated(light):
    light.pool(version="4")
    light.domain(2, version="3")
    light.said.clear()
    light.ask("attachStorageDomain", SECOND, POOL)
    assert light.metadata(2)["VERSION"] == "3"
    light.said.clear()
    light.ask("activateStorageDomain", SECOND, POOL)
    assert light.metadata(2)["VERSION"] == "4"
    assert light.said[:4] == [("join 1", 2), ("acquire", 2), ("release", 2), ("leave", 2)]
    attached(light, 3, domain_class=BACKUP, version="3")
    light.ask("activateStorageDomain", THIRD, POOL)
    assert light.metadata(3)["VERSION"] == "3"


def test_a_detached_domain_says_that_it_is_in_no_pool(pooled):
    active(pooled)
    pooled.said.clear()
    pooled.ask("detachStorageDomain", SECOND, POOL, BLANK, 0)
    assert {what for what, _ in pooled.said} >= {"acquire", "release", "leave"}
    assert (pooled.metadata(2)["POOL_UUID"], pooled.metadata(2)["ROLE"]) == ("", "Regular")
    assert (written(pooled), pooled.shown(), pooled.watched()) == (f"{MASTER}:Active", {1}, {1})
    assert pooled.code("detachStorageDomain", SECOND, POOL, BLANK, 0) in (353, 375)


def test_a_forced_detach_takes_the_domain_from_the_pools_view_only(pooled):
    active(pooled)
    shutil.rmtree(pooled.folder(2))
    pooled.ask("forcedDetachStorageDomain", SECOND, POOL)
    assert (written(pooled), pooled.shown(), pooled.watched()) == (f"{MASTER}:Active", {1}, {1})
    pooled.ask("forcedDetachStorageDomain", uuid(2, 8), POOL)
    assert pooled.code("forcedDetachStorageDomain", MASTER, POOL) == 383


def test_a_foreign_domain_is_made_free_under_its_lease(pooled):
    pooled.domain(2)
    now(now(pooled.room.storage.domains.find(SECOND)).change({"POOL_UUID": ANOTHER_POOL}))
    pooled.said.clear()
    pooled.ask("forcedDetachStorageDomain", SECOND, BLANK)
    assert pooled.said == [("join 1", 2), ("acquire", 2), ("release", 2), ("leave", 2)]
    assert pooled.metadata(2)["POOL_UUID"] == ""
    pooled.ask("spmStop", POOL)
    pooled.ask("disconnectStoragePool", POOL, 1, POOL)
    assert pooled.code("forcedDetachStorageDomain", SECOND, BLANK) == 313


# activating and deactivating


def test_activating_forgets_that_a_domain_was_a_master(pooled):
    attached(pooled)
    now(now(pooled.room.storage.domains.find(SECOND)).change({"ROLE": "Master", "MASTER_VERSION": 4}))
    pooled.ask("activateStorageDomain", SECOND, POOL)
    assert (pooled.metadata(2)["ROLE"], pooled.metadata(2)["MASTER_VERSION"]) == ("Regular", "0")
    assert (pooled.shown(), pooled.watched()) == ({1, 2}, {1, 2})


def test_a_pool_in_memory_leaves_the_masters_version_alone(light):
    light.pool(memory=True)
    attached(light)
    light.ask("activateStorageDomain", SECOND, POOL)
    assert "MASTER_VERSION" not in light.metadata(2)
    assert "POOL_DOMAINS" in light.metadata(1) and SECOND not in written(light)
    assert light.statuses() == {1: "Active", 2: "Active"}


def test_a_domain_that_does_not_know_the_pool_is_not_activated(pooled):
    attached(pooled)
    now(now(pooled.room.storage.domains.find(SECOND)).change({"POOL_UUID": ANOTHER_POOL}))
    assert pooled.code("activateStorageDomain", SECOND, POOL) in (353, 375)
    assert pooled.statuses()[2] == "Attached"


def test_a_backup_domain_has_room_for_machines_once_it_is_active(pooled):
    attached(pooled, domain_class=BACKUP)
    assert not (pooled.folder(2) / "master").exists()
    pooled.ask("activateStorageDomain", SECOND, POOL)
    assert sorted(path.name for path in (pooled.folder(2) / "master").iterdir()) == ["tasks", "vms"]
    active(pooled, 3)
    assert not (pooled.folder(3) / "master").exists()


def test_activating_again_changes_nothing(pooled):
    active(pooled)
    before = len(pooled.steps.names)
    pooled.ask("activateStorageDomain", SECOND, POOL)
    assert pooled.steps.names[before:] == []


def test_a_domain_that_is_gone_is_deactivated_unless_the_master_is_to_move(pooled):
    active(pooled)
    shutil.rmtree(pooled.folder(2))
    pooled.room.storage.domains.forget()
    assert pooled.code("deactivateStorageDomain", SECOND, POOL, MASTER, 2) == 379
    assert pooled.statuses()[2] == "Active"
    pooled.ask("deactivateStorageDomain", SECOND, POOL, BLANK, 0)
    assert (pooled.statuses()[2], pooled.shown(), pooled.watched()) == ("Attached", {1}, {1})
    pooled.ask("deactivateStorageDomain", SECOND, POOL, BLANK, 0)
    assert pooled.code("deactivateStorageDomain", uuid(2, 8), POOL, BLANK, 0) in (353, 375)


# the master moves


@pytest.fixture
def two(light):
    """A pool with an active second domain, a machine on the master and a task in the journal."""
    light.pool(domains=2)
    now(now(light.room.storage.domains.find(MASTER)).change({"LEASETIMESEC": 77, "POOL_DESCRIPTION": "the pool"}))
    light.ask("updateVM", POOL, [{"vm": uuid(5), "ovf": "<ovf/>", "imglist": ""}])
    light.ask("createVolume", MASTER, POOL, uuid(3), "4096", 5, 2, 2, uuid(4), "")
    light.said.clear()
    return light


def move(light, version=2):
    light.ask("deactivateStorageDomain", MASTER, POOL, SECOND, version)


def test_a_new_master_has_all_that_the_old_one_had(two):
    (task,) = two.ask("getAllTasksStatuses")["allTasksStatus"]
    move(two)
    new = two.metadata(2)
    assert (new["ROLE"], new["MASTER_VERSION"], new["POOL_DESCRIPTION"]) == ("Master", "2", "the pool")
    assert (new["LEASETIMESEC"], new["POOL_SPM_ID"], new["POOL_SPM_LVER"]) == ("77", "1", "0")
    assert new["POOL_DOMAINS"] == f"{MASTER}:Attached,{SECOND}:Active"
    assert (two.folder(2) / "master/vms" / uuid(5) / f"{uuid(5)}.ovf").read_text() == "<ovf/>"
    assert (two.folder(2) / "master/tasks" / task / f"{task}.task").exists()
    assert two.ask("getVmsList", POOL)["vmlist"] == [uuid(5)]


def test_an_old_master_keeps_nothing_of_the_pool(two):
    move(two)
    old = two.metadata(1)
    assert (old["ROLE"], old["MASTER_VERSION"]) == ("Regular", "0")
    assert list((two.folder(1) / "master/vms").iterdir()) == list((two.folder(1) / "master/tasks").iterdir()) == []
    assert (two.statuses(), two.shown(), two.watched()) == ({1: "Attached", 2: "Active"}, {2}, {2})
    assert (two.base / "data-center" / POOL / "mastersd").resolve() == two.folder(2)


def test_leases_follow_the_master(two):
    move(two)
    assert [entry for entry in two.said if entry[0] in ("acquire", "release")] == [("acquire", 2), ("release", 1)]
    assert two.said[-1] == ("leave", 1)
    held = {domain: now(two.room.storage.domains.find(domain)).lease.held for domain in (MASTER, SECOND)}
    assert held == {MASTER: False, SECOND: True}


def test_a_moved_master_serves_jobs_and_can_be_moved_back(two):
    move(two)
    two.ask("activateStorageDomain", MASTER, POOL)
    two.done("createVolume", MASTER, POOL, uuid(3, 2), "4096", 5, 2, 2, uuid(4, 2), "")
    two.ask("deactivateStorageDomain", SECOND, POOL, MASTER, 3)
    assert (two.metadata(1)["ROLE"], two.metadata(1)["MASTER_VERSION"]) == ("Master", "3")
    assert two.ask("getVmsList", POOL)["vmlist"] == [uuid(5)]
    two.ask("spmStop", POOL)


def test_a_master_that_moves_to_an_older_domain_raises_it(light):
    light.pool(version="4", domains=2)
    now(now(light.room.storage.domains.find(SECOND)).change({"VERSION": 3}))
    move(light)
    assert light.metadata(2)["VERSION"] == "4"


def test_a_master_does_not_move_where_it_cannot_be(two):
    attached(two, 3)
    active(two, 4, domain_class=ISO)
    active(two, 5, domain_class=BACKUP)
    wanted = {MASTER: 1000, THIRD: 369, uuid(2, 4): 317, uuid(2, 5): 319, uuid(2, 8): 353}
    for domain, code in wanted.items():
        assert two.code("deactivateStorageDomain", MASTER, POOL, domain, 2) == code
    assert two.code("deactivateStorageDomain", MASTER, POOL, SECOND, 1) == 324
    two.ask("deactivateStorageDomain", MASTER, POOL, BLANK, 0)
    assert (two.metadata(1)["ROLE"], two.statuses()[1]) == ("Master", "Active")


@pytest.mark.parametrize("step", range(1, 6))
def test_a_move_of_the_master_that_fails_leaves_the_old_one_in_charge(two, step):
    two.steps.left = step
    code = two.code("deactivateStorageDomain", MASTER, POOL, SECOND, 2)
    assert (code, two.steps.left) == (350, None)
    assert (two.metadata(1)["ROLE"], two.metadata(2)["ROLE"]) == ("Master", "Regular")
    assert two.statuses() == {1: "Active", 2: "Active"}
    assert (two.folder(1) / "master/vms" / uuid(5)).is_dir()
    held = {domain: now(two.room.storage.domains.find(domain)).lease.held for domain in (MASTER, SECOND)}
    assert held == {MASTER: True, SECOND: False}
    two.done("createVolume", MASTER, POOL, uuid(3, 2), "4096", 5, 2, 2, uuid(4, 2), "")
    move(two)
    assert two.ask("getVmsList", POOL)["vmlist"] == [uuid(5)]


def test_a_master_that_moved_has_moved_though_the_old_one_cannot_be_cleaned(two):
    two.steps.left = 6
    move(two)
    assert two.steps.left is None
    assert (two.folder(1) / "master/vms" / uuid(5)).exists()
    assert (two.metadata(1)["ROLE"], two.metadata(2)["ROLE"]) == ("Regular", "Master")
    assert (two.statuses(), two.shown()) == ({1: "Attached", 2: "Active"}, {2})
    assert ("release", 1) in two.said


def test_a_lease_is_given_back_though_the_new_master_cannot_be_unmade(two, monkeypatch):
    new = now(two.room.storage.domains.find(SECOND))

    async def broken(changes):
        raise OSError(5, "I/O error")

    monkeypatch.setattr(new, "change", broken)
    assert two.code("deactivateStorageDomain", MASTER, POOL, SECOND, 2) == 350
    assert two.said[-1] == ("release", 2)
    assert two.metadata(1)["ROLE"] == "Master"
