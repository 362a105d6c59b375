"""A host in a pool: connecting, leaving, being its SPM; what is locked, linked, watched and written meanwhile."""

import shutil

import pytest
from attrs import evolve
from contract.storage.light import begun, now
from contract.storage.room import BLANK, POOL, uuid

from virgate.node.storage.pools.role import Role
from virgate.node.tasks.locks import storage

MASTER, SECOND = uuid(2), uuid(2, 2)
MONITORS = storage("HsmDomainMonitorLock")


def made(light, domains=1):
    """A pool that this host is not in."""
    found = [light.domain(number + 1) for number in range(domains)]
    light.ask("createStoragePool", 0, POOL, "dc1", MASTER, found, 3, "ON", 7, 70, 17, 4)
    light.said.clear()
    return light


# making


def test_a_new_pool_is_written_as_a_whole_into_its_master(light):
    made(light, domains=2)
    values = light.metadata(1)
    wanted = {
        "POOL_DESCRIPTION": "dc1", "POOL_SPM_ID": "-1", "POOL_SPM_LVER": "-1", "MASTER_VERSION": "3",
        "POOL_UUID": POOL, "ROLE": "Master", "POOL_DOMAINS": f"{MASTER}:Active,{SECOND}:Attached",
        "LOCKRENEWALINTERVALSEC": "7", "LEASETIMESEC": "70", "IOOPTIMEOUTSEC": "17", "LEASERETRIES": "4",
    }  # fmt: skip
    assert {key: values[key] for key in wanted} == wanted
    assert (light.metadata(2)["POOL_UUID"], light.metadata(2)["ROLE"]) == (POOL, "Regular")
    assert light.ask("getConnectedStoragePoolsList")["poollist"] == []


def test_a_pool_is_made_under_the_leases_of_its_domains_with_the_reserved_id(light):
    for number in (1, 2):
        light.domain(number)
    light.said.clear()
    light.ask("createStoragePool", 0, POOL, "dc1", MASTER, [MASTER, SECOND], 1)
    assert light.said == [
        ("join 250", 1), ("acquire", 1),
        ("join 250", 2), ("acquire", 2), ("release", 2), ("leave", 2),
        ("release", 1), ("leave", 1),
    ]  # fmt: skip


def test_what_keeps_a_pool_from_being_made_leaves_its_domains_alone(light):
    for number, version in ((1, "5"), (2, "4"), (3, "5")):
        light.domain(number, version=version)
    light.domain(4, domain_class=2)
    light.domain(5, domain_class=3)
    third, iso, backup, missing = (uuid(2, number) for number in (3, 4, 5, 8))
    now(now(light.room.storage.domains.find(third)).change({"POOL_UUID": uuid(1, 9)}))
    for master, domains, name, code in (
        (MASTER, [MASTER, SECOND], "dc1", 398),
        (MASTER, [MASTER, third], "dc1", 380),
        (MASTER, [MASTER, missing], "dc1", 379),
        (MASTER, [MASTER, *(uuid(2, number) for number in range(100, 200))], "dc1", 328),
        (MASTER, [SECOND], "dc1", 1000),
        (MASTER, [MASTER], "x" * 51, 327),
        (MASTER, [MASTER], "two\nlines", 1000),
        (iso, [iso], "dc1", 317),
        (backup, [backup], "dc1", 319),
    ):
        assert light.code("createStoragePool", 0, POOL, name, master, domains, 1) == code
    assert "POOL_DOMAINS" not in light.metadata(1)
    assert {light.metadata(number)["ROLE"] for number in range(1, 6)} == {"Regular"}
    light.ask("createStoragePool", 0, POOL, "x" * 50, MASTER, [MASTER, iso, backup], 1)


def test_names_of_old_pools_are_ascii(light):
    light.domain(1, version="0")
    assert light.code("createStoragePool", 0, POOL, "Büro", MASTER, [MASTER], 1) == 4900
    light.ask("createStoragePool", 0, POOL, "Buero", MASTER, [MASTER], 1)


# connecting


def test_a_connected_host_links_and_watches_the_active_domains(light):
    made(light, domains=2)
    light.ask("connectStoragePool", POOL, 4, POOL, MASTER, 3)
    assert (light.shown(), light.watched()) == ({1}, {1})
    assert (light.base / "data-center" / POOL / "mastersd").resolve() == light.folder(1)
    assert light.said == [("join 4", 1)]
    assert light.ask("getConnectedStoragePoolsList")["poollist"] == [POOL]


def test_connecting_waits_for_whoever_uses_the_pool_or_the_monitors(light):
    made(light)
    assert light.waits(storage(POOL), "connectStoragePool", POOL, 1, POOL, MASTER, 3)
    assert light.waits(MONITORS, "connectStoragePool", POOL, 1, POOL, MASTER, 3)
    assert light.waits(storage(POOL), "disconnectStoragePool", POOL, 1, POOL)
    assert not light.waits(storage(POOL), "disconnectStoragePool", POOL, 1, POOL)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ROLE": "Regular"}, 324),
        ({"POOL_UUID": uuid(1, 9)}, 324),
        ({"MASTER_VERSION": 4}, 324),
        ({"POOL_DOMAINS": f"{uuid(2)}:Attached"}, 324),
        ({"CLASS": "Iso"}, 324),
    ],
)
def test_a_domain_that_is_not_the_pools_master_is_not_connected_to(light, change, code):
    made(light)
    now(now(light.room.storage.domains.find(MASTER)).change(change))
    assert light.code("connectStoragePool", POOL, 1, POOL, MASTER, 3) == code
    assert light.code("connectStoragePool", POOL, 1, POOL, uuid(2, 8), 3) == 304
    assert (light.watched(), light.ask("getConnectedStoragePoolsList")["poollist"]) == (set(), [])


def test_a_connection_is_refreshed_by_repeating_it_and_kept_when_that_fails(light):
    made(light, domains=2)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    now(now(light.room.storage.domains.find(MASTER)).change({"POOL_DOMAINS": f"{MASTER}:Active,{SECOND}:Active"}))
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    assert (light.shown(), light.watched()) == ({1, 2}, {1, 2})
    assert light.code("connectStoragePool", POOL, 1, POOL, MASTER, 4) == 324
    assert (light.shown(), light.watched()) == ({1, 2}, {1, 2})
    assert light.ask("getStoragePoolInfo", POOL)["info"]["master_ver"] == 3


def test_a_pool_in_memory_is_told_each_time_and_stays_in_memory(light):
    made(light, domains=2)
    both = {MASTER: "active", SECOND: "ACTIVE"}
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 9, both)
    assert (light.statuses(), light.watched()) == ({1: "Active", 2: "Active"}, {1, 2})
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 10, {**both, SECOND: "locked"})
    assert (light.statuses(), light.watched()) == ({1: "Active", 2: "Unknown"}, {1})
    assert light.ask("getStoragePoolInfo", POOL)["info"]["master_ver"] == 10
    assert light.code("connectStoragePool", POOL, 1, POOL, MASTER, 3) == 325
    assert light.code("connectStoragePool", POOL, 1, POOL, MASTER, 10, {MASTER: "attached"}) == 324


def test_a_host_that_leaves_keeps_no_link_no_watch_and_no_id(light):
    made(light)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    light.said.clear()
    assert light.code("disconnectStoragePool", POOL, -1, POOL) == 1000
    light.ask("disconnectStoragePool", uuid(1, 9), 1, uuid(1, 9))
    assert light.watched() == {1}
    light.ask("disconnectStoragePool", POOL, 0, POOL)
    assert (light.shown(), light.watched(), light.said) == (set(), set(), [("leave", 1)])
    assert not (light.base / "data-center" / POOL).exists()
    light.ask("disconnectStoragePool", POOL, 1, POOL)


def test_a_domain_that_appears_late_is_linked_when_it_is_seen(light):
    made(light, domains=2)
    hidden = light.base / "hidden"
    light.folder(2).rename(hidden)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3, {MASTER: "active", SECOND: "active"})
    assert (light.shown(), light.watched()) == ({1}, {1, 2})
    hidden.rename(light.folder(2))
    light.clock.advance(10)
    assert light.shown() == {1, 2}


# refreshing


@pytest.mark.parametrize("host", [0, -1, 2001])
def test_a_host_without_a_place_in_leases_is_not_connected(light, host):
    made(light)
    assert light.code("connectStoragePool", POOL, host, POOL, MASTER, 3) == 1000
    assert light.room.storage.pools.connected is None


def test_refreshing_shows_what_the_master_says_now(light):
    made(light, domains=2)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    changes = {"POOL_DOMAINS": f"{MASTER}:Active,{SECOND}:Active", "MASTER_VERSION": 4}
    now(now(light.room.storage.domains.find(MASTER)).change(changes))
    assert light.waits(storage(POOL, exclusive=True), "refreshStoragePool", POOL, MASTER, 4)
    assert (light.shown(), light.watched()) == ({1, 2}, {1, 2})


def test_refreshing_follows_a_master_that_moved(light):
    made(light, domains=2)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    domains = light.room.storage.domains
    written = {"POOL_DOMAINS": f"{MASTER}:Attached,{SECOND}:Active", "MASTER_VERSION": 4, "ROLE": "Master"}
    now(now(domains.find(SECOND)).change(written))
    now(now(domains.find(MASTER)).change({"ROLE": "Regular"}))
    light.ask("refreshStoragePool", POOL, SECOND, 4)
    assert (light.shown(), light.watched()) == ({2}, {2})
    assert light.ask("getStoragePoolInfo", POOL)["info"]["master_uuid"] == SECOND


def test_a_refresh_that_fails_leaves_no_link_and_no_watch(light):
    made(light)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    assert light.code("refreshStoragePool", POOL, MASTER, 4) == 324
    assert (light.shown(), light.watched()) == (set(), set())
    assert light.code("refreshStoragePool", POOL, MASTER, 3) == 309


def test_a_host_that_became_spm_while_a_refresh_waited_stays_in_the_pool(light):
    made(light)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    spm = light.room.storage.pools.connected.spm
    with light.held(storage(POOL, exclusive=True)):
        answer = begun(light.room.call("refreshStoragePool", POOL, MASTER, 9))
        spm.role = Role.SPM
    assert answer[0]["status"]["code"] == 0
    spm.role = Role.FREE
    assert light.room.storage.pools.connected is not None


# destroying and reconstructing


def test_a_destroyed_pool_leaves_free_domains_and_an_empty_host(light):
    light.pool(domains=2)
    light.said.clear()
    assert light.code("destroyStoragePool", POOL, 2, POOL) == 700
    light.ask("destroyStoragePool", POOL, 1, POOL)
    for number in (1, 2):
        assert (light.metadata(number)["POOL_UUID"], light.metadata(number)["ROLE"]) == ("", "Regular")
    assert (light.shown(), light.watched()) == (set(), set())
    assert [entry for entry in light.said if entry[1] == 1] == [
        ("release", 1), ("acquire", 1), ("release", 1), ("leave", 1),
    ]  # fmt: skip
    assert light.code("getSpmStatus", POOL) == 309
    light.ask("formatStorageDomain", MASTER)


@pytest.mark.parametrize("resource", [POOL, MASTER, SECOND, "HsmDomainMonitorLock"])
def test_a_pool_is_destroyed_when_nobody_uses_it_or_its_domains(light, resource):
    light.pool(domains=2)
    assert light.waits(storage(resource), "destroyStoragePool", POOL, 1, POOL)


def test_a_pool_with_a_task_that_somebody_has_to_look_at_is_not_destroyed(light):
    light.pool(domains=2)
    left_for_a_hand(light)
    light.ask("spmStop", POOL)
    light.start_spm()
    assert light.code("destroyStoragePool", POOL, 1, POOL) == 653
    assert (light.metadata(1)["POOL_UUID"], light.metadata(2)["POOL_UUID"]) == (POOL, POOL)


def left_for_a_hand(light, state="waitrecover", policy="manual"):
    """Lets the journal say so of a task that is done."""
    light.ask("createVolume", MASTER, POOL, uuid(3, 2), "4096", 5, 2, 2, uuid(4, 2), "")
    (task,) = light.room.tasks.tagged("spm")
    now(task.store.save(evolve(task.record(), state=state, recovery_policy=policy)))


def test_a_pool_is_made_anew_with_the_id_that_was_given(light):
    light.pool(domains=2)
    light.ask("spmStop", POOL)
    light.ask("disconnectStoragePool", POOL, 1, POOL)
    light.said.clear()
    domains = {MASTER: "Attached", SECOND: "active"}
    light.ask("reconstructMaster", POOL, "again", SECOND, domains, 8, "ON", 5, 60, 10, 3, 6)
    values = light.metadata(2)
    assert (values["ROLE"], values["MASTER_VERSION"], values["POOL_DESCRIPTION"]) == ("Master", "8", "again")
    assert values["POOL_DOMAINS"] == f"{MASTER}:Attached,{SECOND}:Active"
    assert light.said == [("join 6", 2), ("acquire", 2), ("release", 2)]
    assert light.metadata(1)["ROLE"] == "Master"
    light.ask("connectStoragePool", POOL, 6, POOL, SECOND, 8)
    light.done("spmStart", POOL, -1, "-1", 0, "false", 250)


def test_what_cannot_become_a_master_is_not_made_one(light):
    light.pool()
    light.domain(2, domain_class=2)
    light.domain(3)
    other = uuid(2, 3)
    now(now(light.room.storage.domains.find(other)).change({"POOL_UUID": uuid(1, 9)}))
    assert light.code("reconstructMaster", POOL, "x", MASTER, {MASTER: "active"}, 2) == 325
    light.ask("spmStop", POOL)
    light.ask("disconnectStoragePool", POOL, 1, POOL)
    for master, domains, code in (
        (MASTER, {SECOND: "active"}, 1000),
        (MASTER, {MASTER: "locked"}, 376),
        (SECOND, {SECOND: "active"}, 317),
        (other, {other: "active"}, 380),
        (uuid(2, 8), {uuid(2, 8): "active"}, 379),
        (MASTER, {MASTER: "active", "NO-UUID": "active"}, 1000),
    ):
        assert light.code("reconstructMaster", POOL, "x", master, domains, 2) == code
    assert light.metadata(1)["MASTER_VERSION"] == "1"


# the SPM


def test_the_spm_writes_its_number_and_takes_it_back(light):
    light.pool()
    assert (light.metadata(1)["POOL_SPM_ID"], light.metadata(1)["POOL_SPM_LVER"]) == ("1", "0")
    light.said.clear()
    light.ask("spmStop", POOL)
    assert (light.metadata(1)["POOL_SPM_ID"], light.metadata(1)["POOL_SPM_LVER"]) == ("-1", "0")
    assert light.said == [("release", 1)]
    light.start_spm()
    assert light.metadata(1)["POOL_SPM_LVER"] == "1"


def test_an_spm_counts_on_from_what_is_written_when_it_has_the_lease(light):
    made(light)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    master = now(light.room.storage.domains.find(MASTER))
    acquire = master.lease.acquire

    async def late():
        await acquire()
        path = light.folder(1) / "dom_md" / "metadata"
        path.write_bytes(master.record.changed({"POOL_SPM_LVER": 7}).encoded())

    master.lease.acquire = late
    light.start_spm()
    assert light.metadata(1)["POOL_SPM_LVER"] == "8"


def test_starting_and_stopping_wait_for_whoever_uses_the_pool(light):
    light.pool()
    assert light.waits(storage(POOL), "spmStop", POOL)
    assert light.waits(storage(POOL), "spmStart", POOL, -1, "-1", 0, "false", 250)
    assert light.waits(storage(POOL), "upgradeStoragePool", POOL, "5")
    assert light.waits(storage(POOL), "fenceSpmStorage", POOL)


@pytest.mark.parametrize("step", [1, 2])
def test_a_start_that_fails_gives_everything_back(light, step):
    made(light)
    light.ask("connectStoragePool", POOL, 1, POOL, MASTER, 3)
    light.steps.left = step
    status = light.task("spmStart", POOL, -1, "-1", 0, "false", 250)
    assert (status["taskResult"], light.steps.left) == ("cleanSuccess", None)
    assert light.ask("getSpmStatus", POOL)["spm_st"]["spmStatus"] == "Free"
    assert not now(light.room.storage.domains.find(MASTER)).lease.held
    light.start_spm()
    assert light.ask("getSpmStatus", POOL)["spm_st"]["spmStatus"] == "SPM"


def test_domains_that_claim_to_be_masters_lose_the_role(light):
    light.pool(domains=2)
    light.ask("spmStop", POOL)
    now(now(light.room.storage.domains.find(SECOND)).change({"ROLE": "Master"}))
    light.start_spm()
    assert (light.metadata(1)["ROLE"], light.metadata(2)["ROLE"]) == ("Master", "Regular")


def test_a_start_with_a_version_raises_the_master_and_then_the_others(light):
    light.pool(version="3", domains=2)
    light.ask("spmStop", POOL)
    light.done("spmStart", POOL, -1, "-1", 0, "false", 250, "5")
    assert (light.metadata(1)["VERSION"], light.metadata(2)["VERSION"]) == ("5", "5")


def test_a_domain_that_was_away_is_raised_when_it_is_back(light):
    light.pool(version="4", domains=3)
    hidden = light.base / "hidden"
    light.folder(2).rename(hidden)
    light.clock.advance(10)
    light.ask("upgradeStoragePool", POOL, "5")
    assert (light.metadata(1)["VERSION"], light.metadata(3)["VERSION"]) == ("5", "5")
    hidden.rename(light.folder(2))
    assert light.metadata(2)["VERSION"] == "4"
    light.clock.advance(10)
    assert light.metadata(2)["VERSION"] == "5"


def test_an_upgrade_waits_for_each_domain_and_only_one_runs(light):
    light.pool(version="4", domains=2)
    holding = light.room.storage.locks.hold(storage(SECOND))
    now(holding.__aenter__())
    light.ask("upgradeStoragePool", POOL, "5")
    assert (light.metadata(1)["VERSION"], light.metadata(2)["VERSION"]) == ("5", "4")
    assert light.code("upgradeStoragePool", POOL, "5") == 396
    now(holding.__aexit__(None, None, None))
    assert light.metadata(2)["VERSION"] == "5"
    light.ask("upgradeStoragePool", POOL, "5")


def test_a_host_that_is_not_spm_any_more_raises_nothing(light):
    light.pool(version="4", domains=2)
    holding = light.room.storage.locks.hold(storage(SECOND))
    now(holding.__aenter__())
    light.ask("upgradeStoragePool", POOL, "5")
    light.ask("spmStop", POOL)
    now(holding.__aexit__(None, None, None))
    assert light.metadata(2)["VERSION"] == "4"


def test_a_fenced_spm_holds_nothing_and_writes_nothing(light):
    light.pool()
    light.steps.left, light.steps.hangs = 4, True
    came = begun(light.room.call("createVolume", MASTER, POOL, uuid(3), "4096", 5, 2, 2, uuid(4), ""))
    light.steps.hung = False
    before = len(light.steps.names)
    answer = light.ask("fenceSpmStorage", POOL)["spm_st"]
    assert answer == {"spmStatus": "Free", "spmLver": -1, "spmId": -1}
    assert not now(light.room.storage.domains.find(MASTER)).lease.held
    assert light.steps.names[before:] == ["write_file"]
    assert light.code("createVolume", MASTER, POOL, uuid(3), "4096", 5, 2, 2, uuid(4, 2), "") == 654
    assert came


def test_a_pool_in_memory_is_only_told_about(light):
    light.pool(memory=True)
    before = light.metadata(1)
    assert light.ask("fenceSpmStorage", POOL)["spm_st"]["spmStatus"] == "SPM"
    light.ask("setStoragePoolDescription", POOL, "another name")
    assert light.metadata(1) == before


def test_only_the_spm_renames_a_pool(light):
    light.pool()
    light.ask("setStoragePoolDescription", POOL, "another")
    assert light.metadata(1)["POOL_DESCRIPTION"] == "another"
    assert light.waits(storage(POOL), "setStoragePoolDescription", POOL, "another one")
    assert light.code("setStoragePoolDescription", POOL, "x" * 51) == 327
    light.ask("spmStop", POOL)
    assert light.code("setStoragePoolDescription", POOL, "third") == 654


def test_the_end_of_the_daemon_gives_the_role_back_and_leaves_links_to_machines(light):
    light.pool()
    light.said.clear()
    begun(light.room.storage.stop())
    assert (light.metadata(1)["POOL_SPM_ID"], light.said) == ("-1", [("release", 1)])
    assert light.shown() == {1}


def test_a_role_that_cannot_be_given_back_does_not_hold_up_the_end(light):
    light.pool()
    shutil.rmtree(light.folder(1))
    assert begun(light.room.storage.stop()) == [None]


# what a merge left, and who may want it back


@pytest.mark.parametrize(("state", "policy", "stays"), [("finished", "auto", False), ("waitrecover", "manual", True)])
def test_hidden_volumes_are_swept_unless_a_task_may_want_them_back(light, state, policy, stays):
    light.pool()
    light.volume(1)
    left_for_a_hand(light, state, policy)
    light.ask("spmStop", POOL)
    left = light.folder(1) / "images" / uuid(3) / f"_remove_me_12345678_{uuid(4)}"
    left.write_bytes(b"")
    light.start_spm()
    assert left.exists() is stays
    assert light.ask("getVolumesList", MASTER, POOL, uuid(3))["uuidlist"] == [uuid(4)]


def test_a_blank_domain_of_machines_is_the_master(light):
    light.pool()
    light.ask("updateVM", POOL, [{"vm": uuid(5), "ovf": "<ovf/>", "imglist": ""}], BLANK)
    assert (light.folder(1) / "master/vms" / uuid(5) / f"{uuid(5)}.ovf").read_text() == "<ovf/>"
