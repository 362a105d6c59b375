"""Vectors of spec xmlrpc-storage 14 about places, domains, pools and the SPM. Numbers are the vectors' own."""

import os

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, OTHER = uuid(2), uuid(2, 2)


@pytest_twisted.ensureDeferred
async def test_v1_the_spm_of_an_unknown_pool_is_309(room):
    answer = await room.call("getSpmStatus", POOL)
    assert answer["status"]["code"] == 309 and "spm_st" not in answer


@pytest_twisted.ensureDeferred
async def test_v2_all_tasks_are_the_spms_to_tell(room):
    assert await room.code("getAllTasksStatuses") == 654
    await room.domain()
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
    await room.connect()
    assert await room.code("getAllTasksStatuses") == 654


@pytest_twisted.ensureDeferred
async def test_v3_each_connection_has_a_status_of_its_own(room):
    good = room.folder("dom1")
    connections = [{"id": id, "connection": path} for id, path in (("a", good), ("b", good), ("c", good + "-missing"))]
    answer = await room.ask("connectStorageServer", 4, BLANK, connections)
    assert answer["statuslist"] == [{"id": "a", "status": 0}, {"id": "b", "status": 0}, {"id": "c", "status": 469}]


@pytest.mark.parametrize("type, connection", [(4, {"connection": "/srv"}), (9, {"id": "a", "connection": "/srv"})])
@pytest_twisted.ensureDeferred
async def test_v4_a_connection_without_id_or_of_unknown_type_fails_the_call(room, type, connection):
    assert await room.code("connectStorageServer", type, BLANK, [connection]) == 451


@pytest_twisted.ensureDeferred
async def test_v5_what_keeps_a_domain_from_being_made(room):
    await room.domain()
    folder, empty = room.folder("dom1"), room.folder("dom2")
    await room.ask("connectStorageServer", 4, BLANK, [{"id": "b", "connection": empty}])
    make = "createStorageDomain"
    assert await room.code(make, 4, DOMAIN, "again", folder, 1, "3") == 365
    assert await room.code(make, 4, DOMAIN.replace("a", "X"), "bad", empty, 1, "3") == 1000
    assert await room.code(make, 4, OTHER.upper(), "bad", empty, 1, "3") == 1000
    assert await room.code(make, 4, OTHER, "not empty", folder, 1, "3") == 361
    assert await room.code(make, 4, OTHER, "class", empty, 9, "3") == 386
    assert await room.code(make, 4, OTHER, "version", empty, 1, "7") == 394
    assert await room.code(make, 5, OTHER, "type", empty, 1, "3") == 372
    assert os.listdir(empty) == []


@pytest.mark.parametrize(
    "path, code", [("relative", 390), ("/a/../b", 390), ("/a//b", 390), ("/a/", 390), ("/not/connected", 360)]
)
@pytest_twisted.ensureDeferred
async def test_a_domain_is_made_at_a_normal_connected_path_only(room, path, code):
    assert await room.code("createStorageDomain", 4, DOMAIN, "x", path, 1, "5") == code


@pytest_twisted.ensureDeferred
async def test_v6_a_new_domain_says_what_it_is(room):
    await room.domain(version="3")
    assert (await room.ask("getStorageDomainInfo", DOMAIN))["info"] == {
        "uuid": DOMAIN,
        "type": "LOCALFS",
        "class": "Data",
        "name": "local1",
        "role": "Regular",
        "pool": [],
        "version": "3",
        "remotePath": room.folder("dom1"),
    }


@pytest_twisted.ensureDeferred
async def test_v7_domains_are_listed_by_class_and_type_also_in_text(room):
    found = [await room.domain(1), await room.domain(2)]
    assert (await room.ask("getStorageDomainsList", BLANK, 1, 4))["domlist"] == found
    assert (await room.ask("getStorageDomainsList", BLANK, 1, "4"))["domlist"] == found
    assert (await room.ask("getStorageDomainsList", BLANK, 2, ""))["domlist"] == []
    assert (await room.ask("getStorageDomainsList", BLANK, 0, "", room.folder("dom2")))["domlist"] == [OTHER]


@pytest_twisted.ensureDeferred
async def test_v8_a_pool_needs_its_master_and_a_short_name(room):
    await room.domain()
    assert await room.code("createStoragePool", 0, POOL, "dc1", OTHER, [DOMAIN], 1) == 1000
    assert await room.code("createStoragePool", 0, POOL, "x" * 51, DOMAIN, [DOMAIN], 1) == 327


@pytest_twisted.ensureDeferred
async def test_v9_a_host_is_in_one_pool_in_one_way(room):
    await room.domain()
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
    assert await room.code("connectStoragePool", POOL, 1, POOL, DOMAIN, 2) == 324
    assert await room.code("connectStoragePool", POOL, 1, POOL, OTHER, 1) == 304
    assert await room.code("connectStoragePool", POOL, 1, POOL, DOMAIN, 1) == 0
    assert await room.code("connectStoragePool", POOL, 1, POOL, DOMAIN, 1) == 0
    assert await room.code("connectStoragePool", POOL, 2, POOL, DOMAIN, 1) == 325
    assert await room.code("connectStoragePool", uuid(1, 9), 1, POOL, DOMAIN, 1) == 323
    assert await room.code("connectStoragePool", POOL, 1, POOL, DOMAIN, 1, {DOMAIN: "active"}) == 0
    assert await room.code("connectStoragePool", POOL, 1, POOL, DOMAIN, 1) == 325


@pytest_twisted.ensureDeferred
async def test_v10_only_the_spm_changes_storage(room):
    await room.domain(1)
    await room.domain(2)
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
    await room.connect()
    made = (DOMAIN, POOL, uuid(3), "1048576", 5, 2, 2, uuid(4), "d", BLANK, BLANK)
    assert await room.code("createVolume", *made) == 654
    assert await room.code("attachStorageDomain", OTHER, POOL) == 654


@pytest.mark.parametrize("memory, version", [(False, 0), (True, -1)], ids=["disk", "memory"])
@pytest_twisted.ensureDeferred
async def test_v11_v12_v13_the_spm_says_so_and_stays(room, memory, version):
    await room.domain(version="3")
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
    await room.connect(memory=memory)
    task = (await room.ask("spmStart", POOL, -1, "-1", 0, "false", 250, "3"))["uuid"]
    assert (await room.ask("getTaskInfo", task))["TaskInfo"] == {"id": task, "verb": "spmStart"}
    assert (await room.wait(task))["taskResult"] == "success"
    assert (await room.ask("getAllTasksStatuses"))["allTasksStatus"] == {}
    status = (await room.ask("getSpmStatus", POOL))["spm_st"]
    assert status == {"spmStatus": "SPM", "spmLver": version, "spmId": 1}
    assert await room.code("spmStart", POOL, -1, "-1", 0, "false") == 656
    assert await room.code("disconnectStoragePool", POOL, 1, POOL) == 656


@pytest_twisted.ensureDeferred
async def test_v36_the_master_role_moves_only_to_a_greater_version(room):
    await room.pool(domains=2)
    assert await room.code("deactivateStorageDomain", DOMAIN, POOL, BLANK, 0) == 0
    assert (await room.ask("getStoragePoolInfo", POOL))["info"]["master_uuid"] == DOMAIN
    assert await room.code("deactivateStorageDomain", DOMAIN, POOL, OTHER, 1) == 324
    assert await room.code("deactivateStorageDomain", DOMAIN, POOL, OTHER, 2) == 0
    told = await room.ask("getStoragePoolInfo", POOL)
    assert (told["info"]["master_uuid"], told["info"]["master_ver"]) == (OTHER, 2)
    assert {domain: of["status"] for domain, of in told["dominfo"].items()} == {DOMAIN: "Attached", OTHER: "Active"}
    await room.volume(1, domain=2)
    assert (await room.ask("getSpmStatus", POOL))["spm_st"]["spmStatus"] == "SPM"


@pytest_twisted.ensureDeferred
async def test_v37_members_and_masters_are_protected(room):
    await room.pool(domains=2)
    assert await room.code("detachStorageDomain", DOMAIN, POOL, BLANK, 0) == 383
    assert await room.code("formatStorageDomain", OTHER) == 392
    assert await room.code("detachStorageDomain", OTHER, POOL, BLANK, 0) == 0
    assert await room.code("formatStorageDomain", OTHER) == 0
    assert await room.code("spmStop", POOL) == 0
    assert await room.code("spmStop", POOL) == 654


@pytest_twisted.ensureDeferred
async def test_v38_a_pool_is_made_anew_on_another_master(room):
    await room.pool(domains=2)
    await room.ask("spmStop", POOL)
    assert await room.code("reconstructMaster", POOL, "dc1", OTHER, {OTHER: "active"}, 5) == 325
    await room.ask("disconnectStoragePool", POOL, 1, POOL)
    domains = {DOMAIN: "attached", OTHER: "active"}
    await room.ask("reconstructMaster", POOL, "dc1", OTHER, domains, 5, "ON", 5, 60, 10, 3, 1)
    await room.ask("connectStoragePool", POOL, 1, POOL, OTHER, 5, domains)
    info = (await room.ask("getStoragePoolInfo", POOL))["info"]
    assert (info["name"], info["master_ver"], info["master_uuid"]) == ("No Description", 5, OTHER)


@pytest_twisted.ensureDeferred
async def test_v39_a_pool_is_destroyed_by_its_own_spm(room):
    await room.pool(domains=2)
    assert await room.code("destroyStoragePool", POOL, 7, POOL) == 700
    assert await room.code("destroyStoragePool", POOL, 1, POOL) == 0
    assert (await room.ask("getConnectedStoragePoolsList"))["poollist"] == []
    for domain in (DOMAIN, OTHER):
        info = (await room.ask("getStorageDomainInfo", domain))["info"]
        assert (info["pool"], info["role"]) == ([], "Regular")


@pytest_twisted.ensureDeferred
async def test_v40_a_forced_detach_is_one_sided_each_time(room):
    await room.pool(domains=2)
    assert await room.code("forcedDetachStorageDomain", DOMAIN, POOL) == 383
    assert await room.code("forcedDetachStorageDomain", OTHER, POOL) == 0
    assert (await room.ask("getStorageDomainInfo", OTHER))["info"]["pool"] == [POOL]
    assert await room.code("forcedDetachStorageDomain", OTHER, BLANK) == 0
    assert (await room.ask("getStorageDomainInfo", OTHER))["info"]["pool"] == []


@pytest_twisted.ensureDeferred
async def test_v41_iso_domains_list_files_that_guests_can_read(room):
    await room.pool()
    await room.domain(2, domain_class=2)
    await room.ask("attachStorageDomain", OTHER, POOL)
    assert await room.code("getIsoList", POOL) == 314
    await room.ask("activateStorageDomain", OTHER, POOL)
    files = room.base / "dom2" / OTHER / "images" / "11111111-1111-1111-1111-111111111111"
    (files / "sub").mkdir()
    for name, mode in (("a.iso", 0o644), ("B.ISO", 0o644), ("f.vfd", 0o644), ("sub/c.iso", 0o644), ("n.iso", 0o600)):
        (files / name).write_bytes(b"x")
        (files / name).chmod(mode)
    assert sorted((await room.ask("getIsoList", POOL))["isolist"]) == ["B.ISO", "a.iso", "sub/c.iso"]
    assert (await room.ask("getFloppyList", POOL))["isolist"] == ["f.vfd"]
    every = (await room.ask("getFileStats", OTHER))["fileStats"]
    assert (every["n.iso"]["status"], every["a.iso"]["status"], every["a.iso"]["size"]) == (469, 0, "1")
    assert "B.ISO" not in (await room.ask("getFileStats", OTHER, "*.iso", True))["fileStats"]
    assert await room.code("getFileStats", DOMAIN) == 330


@pytest_twisted.ensureDeferred
async def test_v42_machines_are_kept_on_the_master_and_on_backup_domains(room):
    await room.pool()
    await room.domain(2, domain_class=3)
    await room.ask("attachStorageDomain", OTHER, POOL)
    await room.ask("activateStorageDomain", OTHER, POOL)
    machine = uuid(5)
    assert await room.code("updateVM", POOL, [{"vm": machine, "ovf": "<ovf/>"}]) == 1000
    await room.ask("updateVM", POOL, [{"vm": machine, "ovf": "<ovf>é</ovf>", "imglist": ""}])
    assert (await room.ask("getVmsList", POOL))["vmlist"] == [machine]
    assert (await room.ask("getVmsInfo", POOL, BLANK))["vmlist"] == {machine: "<ovf>é</ovf>"}
    assert await room.code("getVmsInfo", POOL, DOMAIN) == 378
    assert (await room.ask("getVmsInfo", POOL, OTHER, [machine]))["vmlist"] == {}
    await room.ask("removeVM", POOL, machine)
    await room.ask("removeVM", POOL, machine)
    assert (await room.ask("getVmsList", POOL))["vmlist"] == []


@pytest_twisted.ensureDeferred
async def test_v43_the_report_of_a_watched_domain_has_the_types_managers_need(room):
    await room.pool()
    await room.storage.monitors[DOMAIN].check()
    entry = (await room.ask("repoStats"))[DOMAIN]
    assert (entry["code"], entry["valid"], entry["actual"], entry["version"]) == (0, True, True, 5)
    assert entry["acquired"] is True
    assert isinstance(entry["lastCheck"], str) and isinstance(entry["delay"], str) and float(entry["delay"]) >= 0


@pytest_twisted.ensureDeferred
async def test_v45_a_wrong_count_of_arguments_is_16(room):
    assert await room.code("getVolumeInfo", DOMAIN) == 16


@pytest.mark.parametrize(
    "given, stored", [("active", "Active"), ("ATTACHED", "Attached"), ("inactive", "Attached"), ("locked", None)]
)
@pytest_twisted.ensureDeferred
async def test_v53_statuses_are_read_in_any_case(room, given, stored):
    await room.domain(1)
    await room.domain(2)
    code = await room.code("reconstructMaster", POOL, "dc1", DOMAIN, {DOMAIN: "active", OTHER: given}, 1)
    assert code == (0 if stored else 376)
    if stored:
        await room.connect()
        assert (await room.ask("getStoragePoolInfo", POOL))["dominfo"][OTHER]["status"] == stored
