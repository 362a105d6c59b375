"""Verbs about volumes and images beyond the vectors, through the verbs' own conversions."""

import os
import stat

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid

from virgate.api.verb import Family
from virgate.node.storage.images.qemu_img import QemuImg

DOMAIN, OTHER, IMAGE, VOLUME = uuid(2), uuid(2, 2), uuid(3), uuid(4)


def folder_of(room, image=IMAGE, domain=1):
    return room.base / f"dom{domain}" / uuid(2, domain) / "images" / image


@pytest_twisted.ensureDeferred
async def test_a_volume_tells_everything_old_managers_read(room):
    await room.pool()
    await room.done(
        "createVolume", DOMAIN, POOL, IMAGE, "10485760", 4, 2, "DATA", VOLUME, '{"DiskAlias":"é"}', BLANK, BLANK
    )
    info = await room.info()
    size = os.stat(folder_of(room) / VOLUME)
    assert int(info.pop("ctime")) > 1_600_000_000
    assert info == {
        "uuid": VOLUME, "type": "SPARSE", "format": "COW", "disktype": "DATA", "voltype": "LEAF",
        "capacity": "10485760", "apparentsize": str(size.st_size), "truesize": str(size.st_blocks * 512),
        "parent": BLANK, "description": '{"DiskAlias":"é"}', "pool": "", "domain": DOMAIN, "image": IMAGE,
        "mtime": "0", "legality": "LEGAL", "status": "OK", "children": [], "generation": 0, "sequence": 0,
    }  # fmt: skip
    told = await room.ask("getVolumeSize", DOMAIN, POOL, IMAGE, VOLUME)
    assert (told["apparentsize"], told["truesize"]) == (str(size.st_size), str(size.st_blocks * 512))
    await room.ask("refreshVolume", DOMAIN, POOL, IMAGE, VOLUME)


@pytest_twisted.ensureDeferred
async def test_numbers_may_come_as_text_and_disk_types_as_numbers(room):
    await room.pool()
    await room.done("createVolume", DOMAIN, POOL, IMAGE, "4096", "5", "2", 2, VOLUME, "", BLANK, BLANK)
    assert (await room.info())["disktype"] == "2"
    await room.done("createVolume", DOMAIN, POOL, uuid(3, 2), "4096", "4", "1", "OVFS", uuid(4, 2), "")
    assert (await room.info(2, image=2))["disktype"] == "OVFS"


@pytest_twisted.ensureDeferred
async def test_a_blank_image_of_the_parent_means_the_same_image(room):
    await room.pool()
    await room.volume(1, form=4)
    made = (DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", BLANK, VOLUME)
    await room.done("createVolume", *made)
    assert (await room.info(2))["parent"] == VOLUME


@pytest_twisted.ensureDeferred
async def test_a_missing_or_illegal_parent_ends_the_creation(room):
    await room.pool()
    missing = (DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", BLANK, uuid(4, 9))
    assert (await room.task("createVolume", *missing))["code"] == 216
    assert not folder_of(room).exists()
    await room.volume(1, form=4)
    await room.ask("setVolumeLegality", DOMAIN, POOL, IMAGE, VOLUME, "ILLEGAL")
    illegal = (DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", BLANK, VOLUME)
    assert (await room.task("createVolume", *illegal))["code"] == 226
    assert (await room.info(1))["voltype"] == "LEAF"


@pytest_twisted.ensureDeferred
async def test_a_description_that_does_not_fit_is_756_and_nothing_is_made(room):
    await room.pool()
    await room.volume(1)
    assert await room.code("setVolumeDescription", DOMAIN, POOL, IMAGE, VOLUME, "é" * 210) == 756
    assert (await room.info(1))["description"] == "a disk"
    assert await room.code("setVolumeDescription", DOMAIN, POOL, IMAGE, VOLUME, "two\nlines") == 1000
    made = (DOMAIN, POOL, uuid(3, 2), "4096", 5, 2, 2, uuid(4, 2), "é" * 210, BLANK, BLANK)
    assert (await room.task("createVolume", *made))["taskResult"] == "cleanSuccess"
    assert not folder_of(room, uuid(3, 2)).exists()


@pytest_twisted.ensureDeferred
async def test_volumes_are_listed_by_image_and_by_domain(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.volume(2, image=2, form=5)
    assert (await room.ask("getVolumesList", DOMAIN, POOL))["uuidlist"] == [VOLUME, uuid(4, 2)]
    assert (await room.ask("getVolumesList", DOMAIN, POOL, BLANK))["uuidlist"] == [VOLUME, uuid(4, 2)]
    assert (await room.ask("getVolumesList", DOMAIN, POOL, uuid(3, 2)))["uuidlist"] == [uuid(4, 2)]
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == [IMAGE, uuid(3, 2)]
    assert await room.code("getVolumesList", DOMAIN, POOL, uuid(3, 9)) == 268


@pytest_twisted.ensureDeferred
async def test_an_image_is_found_in_each_domain_that_holds_it(room):
    await room.pool(domains=2)
    await room.volume(1)
    await room.done("moveImage", POOL, DOMAIN, OTHER, IMAGE, BLANK, 1)
    assert sorted((await room.ask("getImageDomainsList", POOL, IMAGE))["domainslist"]) == [DOMAIN, OTHER]
    assert (await room.ask("getImageDomainsList", POOL, uuid(3, 9)))["domainslist"] == []


@pytest_twisted.ensureDeferred
async def test_volumes_are_deleted_in_the_order_they_are_named(room):
    await room.pool()
    for number in (1, 2, 3):
        await room.volume(number, form=4, parent=(1, number - 1) if number > 1 else None)
    wrong = await room.task("deleteVolume", DOMAIN, POOL, IMAGE, [uuid(4, 3), VOLUME])
    assert wrong["taskResult"] == "cleanSuccess"
    assert (await room.ask("getVolumesList", DOMAIN, POOL, IMAGE))["uuidlist"] == [VOLUME, uuid(4, 2)]
    await room.done("deleteVolume", DOMAIN, POOL, IMAGE, [uuid(4, 2), VOLUME], "false", "false")
    assert not folder_of(room).exists()


@pytest.mark.parametrize("force", [True, "true", "True"])
@pytest_twisted.ensureDeferred
async def test_force_deletes_what_others_need(room, force):
    await room.pool()
    await room.volume(1, form=4)
    await room.volume(2, form=4, parent=(1, 1))
    await room.done("deleteVolume", DOMAIN, POOL, IMAGE, [VOLUME], "false", force)
    assert (await room.ask("getVolumesList", DOMAIN, POOL, IMAGE))["uuidlist"] == [uuid(4, 2)]
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, uuid(4, 2)) == 262


@pytest_twisted.ensureDeferred
async def test_a_shared_volume_is_not_deleted_without_force(room):
    await room.pool()
    await room.volume(1, form=5)
    await room.volume(2, image=2, form=4, parent=(1, 1))
    assert (await room.task("deleteVolume", DOMAIN, POOL, IMAGE, [VOLUME]))["code"] == 223
    await room.done("deleteVolume", DOMAIN, POOL, uuid(3, 2), [uuid(4, 2)])
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == [IMAGE]
    assert (folder_of(room) / VOLUME).exists()


@pytest_twisted.ensureDeferred
async def test_a_prepared_clone_shows_its_template_first(room):
    await room.pool()
    await room.volume(1, form=5)
    await room.volume(2, image=2, form=4, parent=(1, 1))
    prepared = await room.ask("prepareImage", POOL, DOMAIN, uuid(3, 2), uuid(4, 2))
    assert [(of["imageID"], of["volumeID"]) for of in prepared["imgVolumesInfo"]] == [
        (uuid(3, 2), VOLUME),
        (uuid(3, 2), uuid(4, 2)),
    ]
    assert prepared["info"] == prepared["imgVolumesInfo"][1]
    assert all(os.path.exists(of["path"]) and of["volType"] == "path" for of in prepared["imgVolumesInfo"])


@pytest_twisted.ensureDeferred
async def test_preparing_is_idempotent_and_names_what_is_missing(room):
    await room.pool()
    await room.volume(1)
    first = await room.ask("prepareImage", POOL, DOMAIN, IMAGE, VOLUME)
    assert await room.ask("prepareImage", POOL, DOMAIN, IMAGE, VOLUME) == first
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, uuid(4, 9)) == 201
    assert await room.code("prepareImage", POOL, DOMAIN, uuid(3, 9), VOLUME) == 268
    assert await room.code("prepareImage", uuid(1, 9), DOMAIN, IMAGE, VOLUME) == 309
    for _ in range(2):
        await room.ask("teardownImage", POOL, DOMAIN, IMAGE, VOLUME)


@pytest_twisted.ensureDeferred
async def test_a_prepared_volume_is_open_to_its_group(room):
    await room.pool()
    await room.volume(1)
    path = folder_of(room) / VOLUME
    path.chmod(0o600)
    await room.ask("prepareImage", POOL, DOMAIN, IMAGE, VOLUME)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest_twisted.ensureDeferred
async def test_a_copy_needs_another_image_or_another_domain(room):
    await room.pool()
    await room.volume(1)
    same = (IMAGE, VOLUME, IMAGE, uuid(4, 2), "", BLANK)
    assert await room.code("copyImage", DOMAIN, POOL, BLANK, *same) == 1000
    other = (IMAGE, VOLUME, uuid(3, 2), uuid(4, 2), "", BLANK)
    assert await room.code("copyImage", DOMAIN, POOL, BLANK, *other, 6, 9) == 202
    assert await room.code("copyImage", DOMAIN, POOL, BLANK, *other, 6, 3, 9) == 231
    await room.ask("setVolumeLegality", DOMAIN, POOL, IMAGE, VOLUME, "ILLEGAL")
    assert (await room.task("copyImage", DOMAIN, POOL, BLANK, *other))["code"] == 262


@pytest_twisted.ensureDeferred
async def test_a_copy_replaces_what_is_illegal_and_with_force_what_is_not(room):
    await room.pool()
    await room.volume(1)
    copy = ("copyImage", DOMAIN, POOL, BLANK, IMAGE, VOLUME, uuid(3, 2), uuid(4, 2), "", BLANK, 8, 4, 2, "false")
    await room.done(*copy)
    assert (await room.task(*copy))["code"] == 212
    await room.done(*copy, "true")
    await room.ask("setVolumeLegality", DOMAIN, POOL, uuid(3, 2), uuid(4, 2), "ILLEGAL")
    await room.done(*copy)
    assert (await room.info(2, image=2))["legality"] == "LEGAL"


@pytest.mark.parametrize("ancestor, successor", [(2, 1), (1, 1), (9, 1)])
@pytest_twisted.ensureDeferred
async def test_only_a_volume_below_is_merged_into_one_above(room, ancestor, successor):
    await room.pool()
    await room.volume(1, form=4)
    await room.volume(2, form=4, parent=(1, 1))
    merge = (DOMAIN, POOL, BLANK, IMAGE, uuid(4, ancestor), uuid(4, successor), "false")
    assert (await room.task("mergeSnapshots", *merge))["code"] == 252


@pytest_twisted.ensureDeferred
async def test_jobs_on_one_image_wait_for_each_other_and_all_succeed(room):
    await room.pool()
    await room.volume(1, form=4)
    made = [(DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, n), "", IMAGE, uuid(4, n - 1)) for n in (2, 3, 4)]
    first = await room.ask("createVolume", *made[0])
    assert (await room.wait(first["uuid"]))["taskResult"] == "success"
    tasks = [(await room.ask("createVolume", *arguments))["uuid"] for arguments in made[1:]]
    assert [(await room.wait(task))["taskResult"] for task in tasks] == ["success", "success"]
    assert (await room.info(4))["voltype"] == "LEAF"


@pytest_twisted.ensureDeferred
async def test_a_client_does_not_wait_for_an_image_that_is_busy(tmp_path):
    slow, go = tmp_path / "fallocate", tmp_path / "go"
    slow.write_text(f"#!/bin/sh\nwhile ! test -e {go}; do sleep 0.02; done\n")
    slow.chmod(0o755)
    room = await Room(tmp_path, qemu=QemuImg(fallocate=str(slow))).start()
    try:
        await room.pool()
        first = await room.ask("createVolume", DOMAIN, POOL, IMAGE, "65536", 5, 1, 2, VOLUME, "", BLANK, BLANK)
        made = (DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", IMAGE, VOLUME)
        second = await room.ask("createVolume", *made)
        assert (await room.ask("getTaskStatus", second["uuid"]))["taskStatus"]["taskState"] == "running"
        await room.volume(3, image=3)
        go.touch()
        ended = [(await room.wait(task["uuid"]))["taskResult"] for task in (first, second)]
        assert ended == ["success", "success"]
    finally:
        await room.stop()


def test_every_storage_verb_follows_the_conventions_of_its_family(room_verbs):
    rooms = {"connection", "domain", "pool", "volume", "image", "task", "ovf"}
    mine = [verb for verb in room_verbs.values() if verb.built and verb.room in rooms]
    assert len(mine) > 60
    assert all(verb.family is Family.STORAGE and verb.summary for verb in mine)


@pytest.fixture
def room_verbs():
    import virgate.api.verbs  # noqa: F401
    from virgate.api.verb import verbs

    return verbs()
