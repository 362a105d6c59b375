"""What a pool's SPM does to its domains beyond the vectors."""

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid

from virgate.node.storage.formats import volume_metadata

DOMAIN, OTHER, IMAGE = uuid(2), uuid(2, 2), uuid(3)


def metadata(room, number, image=1, domain=1):
    folder = room.base / f"dom{domain}" / uuid(2, domain) / "images" / uuid(3, image)
    return (folder / f"{uuid(4, number)}.meta").read_bytes()


@pytest_twisted.ensureDeferred
async def test_an_old_domain_is_upgraded_with_its_volumes(room):
    await room.pool(version="3")
    await room.volume(1, form=5)
    await room.volume(2, image=2, form=4, parent=(1, 1))
    assert b"SIZE=" in metadata(room, 1) and b"CAP=" not in metadata(room, 1)
    assert (await room.ask("upgradeStoragePool", POOL, "5"))["upgradeStatus"] == "started"
    info = (await room.ask("getStorageDomainInfo", DOMAIN))["info"]
    assert (info["version"], info["block_size"], info["alignment"]) == ("5", 512, 1 << 20)
    for number, image in ((1, 1), (2, 2), (1, 2)):
        text = metadata(room, number, image)
        assert b"CAP=10485760\n" in text and b"SIZE=" not in text and b"SEQ=0" in text
        assert volume_metadata.decode(text).capacity.bytes == 10485760
    await room.volume(3, image=3, form=4)
    assert await room.code("upgradeStoragePool", POOL, "7") == 394


@pytest_twisted.ensureDeferred
async def test_the_spm_upgrades_its_master_when_it_is_told_to(room):
    await room.domain(version="3")
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
    await room.connect()
    assert (await room.task("spmStart", POOL, -1, "-1", 0, "false", 250, "2"))["code"] == 395
    await room.done("spmStart", POOL, -1, "-1", 0, "false", 250, "4")
    assert (await room.ask("getStorageDomainInfo", DOMAIN))["info"]["version"] == "4"


@pytest_twisted.ensureDeferred
async def test_domains_of_other_pools_and_newer_versions_are_not_attached(room):
    await room.pool(version="4")
    await room.domain(2, version="5")
    assert await room.code("attachStorageDomain", OTHER, POOL) == 398
    await room.domain(3, version="4")
    await room.ask("createStoragePool", 0, uuid(1, 9), "dc2", uuid(2, 3), [uuid(2, 3)], 1)
    assert await room.code("attachStorageDomain", uuid(2, 3), POOL) == 380
    assert await room.code("activateStorageDomain", OTHER, POOL) == 353
    assert await room.code("attachStorageDomain", uuid(2, 8), POOL) == 358


@pytest_twisted.ensureDeferred
async def test_a_domain_comes_goes_and_comes_again(room):
    await room.pool()
    await room.domain(2)
    link = room.base / "data-center" / POOL / OTHER
    for _ in range(2):
        await room.ask("attachStorageDomain", OTHER, POOL)
        await room.ask("attachStorageDomain", OTHER, POOL)
        assert not link.exists()
        await room.ask("activateStorageDomain", OTHER, POOL)
        assert link.is_dir() and OTHER in await room.ask("repoStats")
        await room.ask("deactivateStorageDomain", OTHER, POOL, BLANK, 0)
        assert not link.exists() and OTHER not in await room.ask("repoStats")
        await room.ask("detachStorageDomain", OTHER, POOL, BLANK, 0)
    assert (await room.ask("getStorageDomainInfo", OTHER))["info"]["pool"] == []


@pytest.mark.parametrize("memory", [False, True], ids=["disk", "memory"])
@pytest_twisted.ensureDeferred
async def test_a_host_that_cannot_refresh_leaves_the_pool(room, memory):
    await room.pool(memory=memory)
    await room.ask("refreshStoragePool", POOL, DOMAIN, 9)
    await room.ask("spmStop", POOL)
    await room.ask("refreshStoragePool", POOL, DOMAIN, 1)
    if not memory:
        assert await room.code("refreshStoragePool", POOL, DOMAIN, 9) == 324
        assert await room.code("getStoragePoolInfo", POOL) == 309
        assert await room.ask("repoStats") == {"status": {"code": 0, "message": "OK"}}


@pytest_twisted.ensureDeferred
async def test_deletions_of_the_last_spm_are_finished(room):
    await room.pool()
    await room.ask("spmStop", POOL)
    left = room.base / "dom1" / DOMAIN / "images" / f"_remove_me_{IMAGE}"
    left.mkdir()
    await room.start_spm()
    assert not left.exists()


@pytest_twisted.ensureDeferred
async def test_a_restarted_daemon_is_in_no_pool_and_finds_its_domains(tmp_path):
    room = await Room(tmp_path).start()
    await room.pool()
    await room.volume(1)
    prepared = (await room.ask("prepareImage", POOL, DOMAIN, IMAGE, uuid(4)))["path"]
    await room.die()
    room = await Room(tmp_path).start()
    try:
        assert (await room.ask("getConnectedStoragePoolsList"))["poollist"] == []
        assert (await room.ask("getStorageDomainsList"))["domlist"] == [DOMAIN]
        with open(prepared, "rb") as disk:
            assert disk.read(1) == b"\0"
        assert (await room.ask("prepareImage", BLANK, DOMAIN, IMAGE, uuid(4)))["path"]
    finally:
        await room.stop()


@pytest_twisted.ensureDeferred
async def test_names_of_pools_and_domains_are_changed(room):
    await room.pool()
    await room.ask("setStoragePoolDescription", POOL, "another")
    assert (await room.ask("getStoragePoolInfo", POOL))["info"]["name"] == "another"
    await room.ask("setStorageDomainDescription", DOMAIN, "café")
    assert (await room.ask("getStorageDomainInfo", DOMAIN))["info"]["name"] == "café"
    assert await room.code("setStorageDomainDescription", DOMAIN, "x" * 51) == 387
    assert await room.code("setStoragePoolDescription", POOL, "x" * 51) == 327


@pytest_twisted.ensureDeferred
async def test_a_fenced_spm_is_free_again(room):
    await room.pool()
    told = (await room.ask("fenceSpmStorage", POOL))["spm_st"]
    assert told == {"spmStatus": "Free", "spmLver": -1, "spmId": -1}


@pytest_twisted.ensureDeferred
async def test_domains_outside_of_pools_can_be_watched(room):
    await room.domain()
    await room.ask("startMonitoringDomain", DOMAIN, 3)
    assert DOMAIN in await room.ask("repoStats")
    await room.ask("stopMonitoringDomain", DOMAIN)
    await room.ask("stopMonitoringDomain", DOMAIN)
    assert DOMAIN not in await room.ask("repoStats")


@pytest_twisted.ensureDeferred
async def test_a_pools_domains_are_not_unwatched_one_by_one(room):
    await room.pool()
    assert await room.code("stopMonitoringDomain", DOMAIN) == 900
