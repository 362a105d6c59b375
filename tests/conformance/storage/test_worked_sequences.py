"""The worked sequences of spec xmlrpc-storage 12 that one host with folders can play."""

import os

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, IMAGE, VOLUME = uuid(2), uuid(3), uuid(4)
OTHER, OTHER_POOL = uuid(2, 2), uuid(1, 2)


@pytest_twisted.ensureDeferred
async def test_12_1_a_local_data_center_from_zero_to_a_disk(room):
    folder = room.folder("dom1")
    answer = await room.ask("connectStorageServer", 4, BLANK, [{"id": "C1", "connection": folder}])
    assert answer["statuslist"] == [{"id": "C1", "status": 0}]
    await room.ask("createStorageDomain", 4, DOMAIN, "local1", folder, 1, "3")
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1, "ON", 5, 60, 10, 3)
    await room.ask("connectStoragePool", POOL, 1, POOL, DOMAIN, 1)
    free = {"spmStatus": "Free", "spmLver": -1, "spmId": -1}
    assert (await room.ask("getSpmStatus", POOL))["spm_st"] == free
    await room.done("spmStart", POOL, -1, "-1", 0, "false", 250, "3")
    assert (await room.ask("getSpmStatus", POOL))["spm_st"] == {"spmStatus": "SPM", "spmLver": 0, "spmId": 1}
    made = (IMAGE, "10737418240", 5, 2, 2, VOLUME, '{"DiskAlias":"d1"}', BLANK, BLANK)
    await room.done("createVolume", DOMAIN, POOL, *made)
    info = await room.info()
    assert (info["capacity"], info["truesize"], info["voltype"]) == ("10737418240", "0", "LEAF")


@pytest.mark.parametrize(("form", "name"), [(5, "RAW"), (4, "COW")])
@pytest_twisted.ensureDeferred
async def test_12_4_a_snapshot_and_its_offline_merge(room, form, name):
    await room.pool(version="3")
    await room.volume(1, form=form)
    snapshot = (IMAGE, "10485760", 4, 2, 2, uuid(4, 2), "snap", IMAGE, VOLUME)
    await room.done("createVolume", DOMAIN, POOL, *snapshot)
    roles = [((await room.info(number))["voltype"], (await room.info(number))["parent"]) for number in (1, 2)]
    assert roles == [("INTERNAL", BLANK), ("LEAF", VOLUME)]
    await room.done("mergeSnapshots", DOMAIN, POOL, uuid(5), IMAGE, VOLUME, uuid(4, 2), "false")
    assert (await room.ask("getVolumesList", DOMAIN, POOL, IMAGE))["uuidlist"] == [uuid(4, 2)]
    info = await room.info(2)
    assert (info["parent"], info["format"]) == (BLANK, name)


@pytest_twisted.ensureDeferred
async def test_12_5_a_template_and_a_thin_machine_from_it(room):
    await room.pool(version="3")
    await room.volume(1, form=4)
    template = (uuid(3, 7), uuid(4, 7))
    copied = (IMAGE, VOLUME, *template, "tmpl", DOMAIN, 6, 5, 2, "false", "false")
    await room.done("copyImage", DOMAIN, POOL, uuid(5), *copied)
    assert (await room.info(7, image=7))["voltype"] == "SHARED"
    thin = (uuid(3, 2), "1", 4, 2, 2, uuid(4, 3), "", *template)
    await room.done("createVolume", DOMAIN, POOL, *thin)
    assert (await room.info(3, image=2))["capacity"] == "10485760"
    listed = (await room.ask("getVolumesList", DOMAIN, POOL, uuid(3, 2)))["uuidlist"]
    assert sorted(listed) == [uuid(4, 3), uuid(4, 7)]
    assert await room.code("deleteImage", DOMAIN, POOL, template[0]) == 223


@pytest_twisted.ensureDeferred
async def test_12_6_a_foreign_domain_comes_into_a_pool(room):
    await room.pool(memory=True)
    foreign = room.folder("dom2")
    await room.ask("connectStorageServer", 4, BLANK, [{"id": "C2", "connection": foreign}])
    await room.ask("createStorageDomain", 4, OTHER, "old", foreign, 1, "5")
    await room.ask("createStoragePool", 0, OTHER_POOL, "dc2", OTHER, [OTHER], 1)
    image = room.base / "dom2" / OTHER / "images" / uuid(3, 9)
    image.mkdir()
    (image / uuid(4, 9)).write_bytes(bytes(4096))
    (image / f"{uuid(4, 9)}.meta").write_text(
        f"CAP=4096\nCTIME=1700000000\nDESCRIPTION=d\nDISKTYPE=DATA\nDOMAIN={OTHER}\nFORMAT=RAW\nGEN=0\n"
        f"IMAGE={uuid(3, 9)}\nLEGALITY=LEGAL\nPUUID={BLANK}\nTYPE=SPARSE\nVOLTYPE=LEAF\nEOF\n"
    )
    assert (await room.ask("getStorageDomainsList", BLANK, 1, "", foreign))["domlist"] == [OTHER]
    assert (await room.ask("getStorageDomainInfo", OTHER))["info"]["pool"] == [OTHER_POOL]
    assert await room.code("attachStorageDomain", OTHER, POOL) == 380
    await room.ask("forcedDetachStorageDomain", OTHER, BLANK)
    await room.ask("attachStorageDomain", OTHER, POOL)
    await room.ask("activateStorageDomain", OTHER, POOL)
    await room.ask("connectStoragePool", POOL, 1, POOL, DOMAIN, 1, {DOMAIN: "active", OTHER: "active"})
    assert (await room.ask("getImagesList", OTHER))["imageslist"] == [uuid(3, 9)]
    assert (await room.ask("getVolumesList", OTHER, POOL, uuid(3, 9)))["uuidlist"] == [uuid(4, 9)]
    assert (await room.info(9, image=9, domain=2))["capacity"] == "4096"
    assert os.readlink(room.base / "data-center" / POOL / OTHER).endswith(OTHER)
