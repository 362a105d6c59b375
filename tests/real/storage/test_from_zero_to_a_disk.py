"""The worked sequence 12.1 of spec xmlrpc-storage, on a real folder with the real qemu-img."""

import os

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, IMAGE, VOLUME = uuid(2), uuid(3), uuid(4)


@pytest_twisted.ensureDeferred
async def test_a_local_data_center_is_made_from_nothing_and_gets_a_disk(room):
    folder = room.folder("dom1")
    answer = await room.ask("connectStorageServer", 4, BLANK, [{"id": "c1", "connection": folder}])
    assert answer["statuslist"] == [{"id": "c1", "status": 0}]
    await room.ask("createStorageDomain", 4, DOMAIN, "local1", folder, 1, "5")
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1, "ON", 5, 60, 10, 3)
    await room.ask("connectStoragePool", POOL, 1, POOL, DOMAIN, 1)
    before = (await room.ask("getSpmStatus", POOL))["spm_st"]
    assert before == {"spmStatus": "Free", "spmLver": -1, "spmId": -1}
    await room.done("spmStart", POOL, -1, "-1", 0, "false", 250, "5")
    after = (await room.ask("getSpmStatus", POOL))["spm_st"]
    assert after == {"spmStatus": "SPM", "spmLver": 0, "spmId": 1}
    await room.done(
        "createVolume",
        DOMAIN, POOL, IMAGE, "10737418240", 5, 2, 2, VOLUME, '{"DiskAlias":"d1"}', BLANK, BLANK,
    )  # fmt: skip
    info = await room.info()
    assert (info["capacity"], info["truesize"], info["voltype"]) == ("10737418240", "0", "LEAF")
    prepared = await room.ask("prepareImage", POOL, DOMAIN, IMAGE, VOLUME)
    assert os.stat(prepared["path"]).st_size == 10737418240
    assert os.path.realpath(prepared["path"]) == f"{folder}/{DOMAIN}/images/{IMAGE}/{VOLUME}"


@pytest.mark.parametrize("memory", [False, True], ids=["disk", "memory"])
@pytest_twisted.ensureDeferred
async def test_a_thin_disk_with_a_snapshot_is_prepared_as_a_chain(room, memory):
    await room.pool(memory=memory)
    await room.volume(1, form=4)
    await room.volume(2, form=4, parent=(1, 1))
    base, leaf = await room.info(1), await room.info(2)
    assert (base["voltype"], leaf["voltype"], leaf["parent"]) == ("INTERNAL", "LEAF", uuid(4, 1))
    prepared = await room.ask("prepareImage", BLANK, DOMAIN, IMAGE, uuid(4, 2))
    assert [member["volumeID"] for member in prepared["imgVolumesInfo"]] == [uuid(4, 1), uuid(4, 2)]
    assert prepared["path"] == f"{room.base}/run/storage/{DOMAIN}/{IMAGE}/{uuid(4, 2)}"
    await room.ask("teardownImage", BLANK, DOMAIN, IMAGE)
    assert not os.path.lexists(os.path.dirname(prepared["path"]))


@pytest_twisted.ensureDeferred
async def test_what_was_made_can_be_taken_apart_again(room):
    await room.pool()
    await room.volume(1)
    await room.done("deleteVolume", DOMAIN, POOL, IMAGE, [VOLUME])
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == []
    await room.ask("destroyStoragePool", POOL, 1, POOL)
    assert (await room.ask("getStorageDomainInfo", DOMAIN))["info"]["pool"] == []
    await room.ask("formatStorageDomain", DOMAIN)
    assert os.listdir(room.folder("dom1")) == []
    answer = await room.ask("disconnectStorageServer", 4, BLANK, [{"id": "c1", "connection": room.folder("dom1")}])
    assert answer["statuslist"] == [{"id": "c1", "status": 0}]
    assert os.listdir(room.base / "data-center" / "mnt") == []
