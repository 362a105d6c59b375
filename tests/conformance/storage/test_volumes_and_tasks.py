"""Vectors of spec xmlrpc-storage 14 about volumes, images and tasks. Numbers are the vectors' own."""

import os
import stat

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid

from virgate.node.storage.images.qemu_img import QemuImg

DOMAIN, OTHER, IMAGE, VOLUME = uuid(2), uuid(2, 2), uuid(3), uuid(4)


def create(size="1048576", form=4, allocation=2, volume=VOLUME, image=IMAGE, parent=(BLANK, BLANK), domain=DOMAIN):
    return ("createVolume", domain, POOL, image, size, form, allocation, 2, volume, "d", *parent)


def ended(status):
    return status["taskState"], status["taskResult"], status["code"]


@pytest_twisted.ensureDeferred
async def test_v14_a_size_is_a_string_of_bytes_and_becomes_whole_sectors(room):
    await room.pool(version="3")
    assert await room.code(*create(size=1073741824)) == 1000
    assert await room.code(*create(size="-5")) == 1000
    await room.done(*create(size="10485761"))
    assert (await room.info())["capacity"] == "10486272"


@pytest_twisted.ensureDeferred
async def test_a_domain_of_version_5_counts_in_whole_blocks(room):
    await room.pool(version="5")
    await room.done(*create(size="10485761", form=5))
    info = await room.info()
    assert (info["capacity"], info["apparentsize"]) == ("10489856", "10489856")


@pytest_twisted.ensureDeferred
async def test_v15_formats_and_allocations_are_checked_before_the_task(room):
    await room.pool()
    await room.volume(1, form=4)
    assert await room.code(*create(form=5, volume=uuid(4, 2), parent=(IMAGE, VOLUME))) == 202
    assert await room.code(*create(allocation=9)) == 231
    assert await room.code(*create(form=9)) == 202
    assert await room.code(*create(domain=OTHER)) == 358
    assert await room.code(*create(volume="../../etc")) == 1000
    assert await room.code(*create(image="..")) == 1000


@pytest_twisted.ensureDeferred
async def test_v16_a_volume_is_made_once_and_files_have_no_initial_size(room):
    await room.pool()
    await room.done(*create())
    assert ended(await room.task(*create())) == ("finished", "cleanSuccess", 212)
    assert (await room.info())["status"] == "OK"
    assert ended(await room.task(*create(volume=uuid(4, 2)), "1048576")) == ("finished", "cleanSuccess", 205)


@pytest_twisted.ensureDeferred
async def test_v17_a_raw_sparse_file_is_a_hole(room):
    await room.pool(version="3")
    await room.done(*create(size="10485761", form=5))
    info = await room.info()
    assert (info["apparentsize"], info["capacity"], info["truesize"]) == ("10486272", "10486272", "0")
    folder = room.base / "dom1" / DOMAIN / "images" / IMAGE
    assert stat.S_IMODE(os.stat(folder / VOLUME).st_mode) == 0o660
    assert stat.S_IMODE(os.stat(folder / f"{VOLUME}.meta").st_mode) == 0o644
    assert sorted(os.listdir(folder)) == [VOLUME, f"{VOLUME}.meta"]


@pytest.mark.parametrize("form", [4, 5], ids=["cow", "raw"])
@pytest_twisted.ensureDeferred
async def test_preallocated_data_have_their_space(room, form):
    await room.pool()
    await room.volume(1, size="4194304", form=form, allocation=1)
    info = await room.info()
    assert info["type"] == "PREALLOCATED" and int(info["truesize"]) >= 4194304 - 4096


@pytest_twisted.ensureDeferred
async def test_v18_a_snapshot_makes_its_parent_internal_and_takes_its_size(room):
    await room.pool()
    await room.volume(1, form=5)
    await room.volume(2, form=4, size="1", parent=(1, 1))
    assert (await room.info(1))["voltype"] == "INTERNAL"
    leaf = await room.info(2)
    assert (leaf["voltype"], leaf["parent"], leaf["capacity"]) == ("LEAF", VOLUME, "10485760")


@pytest_twisted.ensureDeferred
async def test_v19_v20_a_volume_that_is_needed_or_unknown_is_not_deleted(room):
    await room.pool()
    await room.volume(1)
    await room.volume(2, form=4, parent=(1, 1))
    assert ended(await room.task("deleteVolume", DOMAIN, POOL, IMAGE, [VOLUME])) == ("finished", "cleanSuccess", 100)
    assert (await room.info(1))["legality"] == "LEGAL"
    unknown = await room.task("deleteVolume", DOMAIN, POOL, IMAGE, [uuid(4, 9)])
    assert ended(unknown) == ("finished", "cleanSuccess", 201)


@pytest_twisted.ensureDeferred
async def test_a_parent_that_lost_its_child_is_a_leaf_again(room):
    await room.pool()
    await room.volume(1)
    await room.volume(2, form=4, parent=(1, 1))
    await room.done("deleteVolume", DOMAIN, POOL, IMAGE, [uuid(4, 2)])
    assert (await room.info(1))["voltype"] == "LEAF"


@pytest.mark.parametrize("form, name", [(5, "RAW"), (4, "COW")])
@pytest_twisted.ensureDeferred
async def test_v21_a_merge_leaves_the_successor_alone(room, form, name):
    await room.pool()
    await room.volume(1, form=form)
    await room.volume(2, form=4, parent=(1, 1))
    await room.done("mergeSnapshots", DOMAIN, POOL, BLANK, IMAGE, VOLUME, uuid(4, 2), "false")
    assert (await room.ask("getVolumesList", DOMAIN, POOL, IMAGE))["uuidlist"] == [uuid(4, 2)]
    info = await room.info(2)
    assert (info["parent"], info["format"], info["voltype"]) == (BLANK, name, "LEAF")


@pytest_twisted.ensureDeferred
async def test_v22_v23_templates_are_shared_cloned_and_protected(room):
    await room.pool(domains=2)
    await room.volume(1, form=4)
    template, clone = uuid(3, 7), uuid(3, 8)
    copied = (IMAGE, VOLUME, template, uuid(4, 7), "tmpl", DOMAIN, 6, 5, 2, "false", "false")
    await room.done("copyImage", DOMAIN, POOL, BLANK, *copied)
    info = await room.info(7, image=7)
    assert (info["voltype"], info["format"], info["legality"]) == ("SHARED", "RAW", "LEGAL")
    assert await room.code("deleteImage", DOMAIN, POOL, uuid(3, 9)) == 268
    await room.volume(8, image=8, form=4, size="1", parent=(7, 7))
    assert sorted((await room.ask("getVolumesList", DOMAIN, POOL, clone))["uuidlist"]) == [uuid(4, 7), uuid(4, 8)]
    assert await room.code("deleteImage", DOMAIN, POOL, template) == 223
    assert await room.code("moveImage", POOL, DOMAIN, OTHER, clone, BLANK, 2) == 268
    assert await room.code("moveImage", POOL, DOMAIN, OTHER, template, BLANK, 1) == 266
    assert await room.code("moveImage", POOL, DOMAIN, OTHER, template, BLANK, 2) == 266
    await room.done("copyImage", DOMAIN, POOL, BLANK, template, uuid(4, 7), template, uuid(4, 7), "t", OTHER)
    await room.done("moveImage", POOL, DOMAIN, OTHER, clone, BLANK, 2)
    assert sorted((await room.ask("getVolumesList", OTHER, POOL, clone))["uuidlist"]) == [uuid(4, 7), uuid(4, 8)]
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == [IMAGE, template]
    await room.done("deleteImage", DOMAIN, POOL, template)


@pytest_twisted.ensureDeferred
async def test_v24_only_a_base_that_is_alone_becomes_a_template(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.volume(2, form=4, parent=(1, 1))
    made = create(image=uuid(3, 2), volume=uuid(4, 3), parent=(IMAGE, uuid(4, 2)))
    assert ended(await room.task(*made)) == ("finished", "cleanSuccess", 100)
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == [IMAGE]


@pytest_twisted.ensureDeferred
async def test_v25_structure_and_data_are_copied_in_two_steps(room):
    await room.pool(domains=2)
    await room.volume(1, form=5)
    await room.volume(2, form=4, parent=(1, 1))
    await room.volume(3, form=4, parent=(1, 2))
    await room.done("cloneImageStructure", POOL, DOMAIN, IMAGE, OTHER)
    roles = [(await room.info(number, domain=2))["voltype"] for number in (1, 2, 3)]
    assert roles == ["INTERNAL", "INTERNAL", "LEAF"]
    await room.done("syncImageData", POOL, DOMAIN, IMAGE, OTHER, "INTERNAL")
    assert ended(await room.task("syncImageData", POOL, DOMAIN, IMAGE, OTHER, "SOME"))[1:] == ("cleanSuccess", 100)
    await room.volume(9, image=9)
    await room.done("cloneImageStructure", POOL, DOMAIN, uuid(3, 9), OTHER)
    status = await room.task("syncImageData", POOL, DOMAIN, uuid(3, 9), OTHER, "INTERNAL")
    assert ended(status)[1:] == ("cleanSuccess", 100)


@pytest_twisted.ensureDeferred
async def test_v26_an_image_moves_to_another_domain_by_a_known_operation(room):
    await room.pool(domains=2)
    await room.volume(1)
    assert await room.code("moveImage", POOL, DOMAIN, DOMAIN, IMAGE, BLANK, 2) == 1000
    assert ended(await room.task("moveImage", POOL, DOMAIN, OTHER, IMAGE, BLANK, 7))[2] == 253


@pytest_twisted.ensureDeferred
async def test_v27_raw_volumes_grow_qcow2_ones_need_not(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.done("extendVolumeSize", POOL, DOMAIN, IMAGE, VOLUME, "20971520")
    assert (await room.info(1))["capacity"] == "10485760"
    await room.volume(2, image=2, form=5)
    raw = (uuid(3, 2), uuid(4, 2))
    assert ended(await room.task("extendVolumeSize", POOL, DOMAIN, *raw, "4096"))[1:] == ("cleanSuccess", 232)
    await room.done("extendVolumeSize", POOL, DOMAIN, *raw, "20971521")
    info = await room.info(2, image=2)
    assert (info["capacity"], info["apparentsize"]) == ("20975616", "20975616")
    await room.volume(3, image=3, form=4, parent=(2, 2))
    assert (await room.info(2, image=2))["voltype"] == "SHARED"
    assert ended(await room.task("extendVolumeSize", POOL, DOMAIN, *raw, "41943040"))[1:] == ("cleanSuccess", 100)


@pytest_twisted.ensureDeferred
async def test_v28_a_qcow2_leaf_is_resized_while_nobody_uses_it(room):
    await room.pool()
    await room.volume(1, form=4)
    resize = room.storage.images.resize_offline
    assert await resize(POOL, DOMAIN, IMAGE, VOLUME, 20971520) == 20971520
    assert (await room.info(1))["capacity"] == "20971520"
    await room.volume(2, form=4, parent=(1, 1))
    for volume, size, code in ((uuid(4, 2), 4096, 232), (VOLUME, 41943040, 213)):
        with pytest.raises(Exception) as caught:
            await resize(POOL, DOMAIN, IMAGE, volume, size)
        assert caught.value.code == code


@pytest_twisted.ensureDeferred
async def test_v29_an_illegal_volume_is_not_prepared(room):
    await room.pool()
    await room.volume(1)
    await room.ask("setVolumeLegality", DOMAIN, POOL, IMAGE, VOLUME, "ILLEGAL")
    assert (await room.info(1))["status"] == "ILLEGAL"
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, VOLUME) == 227
    assert await room.code("setVolumeLegality", DOMAIN, POOL, IMAGE, VOLUME, "MAYBE") == 1000


@pytest_twisted.ensureDeferred
async def test_v30_v31_size_and_description_are_stored_as_told_and_cut(room):
    await room.pool()
    await room.volume(1)
    await room.ask("volumeSetSize", DOMAIN, POOL, IMAGE, VOLUME, "0")
    assert (await room.info(1))["capacity"] == "0"
    await room.ask("setVolumeDescription", DOMAIN, POOL, IMAGE, VOLUME, "x" * 300)
    assert (await room.info(1))["description"] == "x" * 210


@pytest_twisted.ensureDeferred
async def test_v32_v33_a_running_preallocation_is_stopped_and_leaves_nothing(tmp_path):
    slow = tmp_path / "fallocate"
    slow.write_text("#!/bin/sh\ntouch %s\nexec sleep 60\n" % (tmp_path / "began"))
    slow.chmod(0o755)
    room = await Room(tmp_path, qemu=QemuImg(fallocate=str(slow))).start()
    try:
        await room.pool()
        task = (await room.ask(*create(form=5, allocation=1)))["uuid"]
        assert (await room.ask("getTaskStatus", task))["taskStatus"]["taskState"] == "running"
        assert await room.code("clearTask", task) == 410
        assert await room.code("revertTask", task) == 403
        assert await room.code("spmStop", POOL) == 653
        await room.ask("stopTask", task)
        await room.tasks.find(task).done()
        status = (await room.ask("getTaskStatus", task))["taskStatus"]
        assert ended(status) == ("finished", "cleanSuccess", 411)
        assert await room.code("stopTask", task) == 0
        assert await room.code("revertTask", task) == 441
        await room.ask("clearTask", task)
        assert await room.code("clearTask", task) == 401
        assert await room.code("clearTask", "a.b") == 1000
        assert os.listdir(tmp_path / "dom1" / DOMAIN / "images") == []
    finally:
        await room.stop()


@pytest_twisted.ensureDeferred
async def test_v34_what_a_killed_spm_left_undone_is_undone_by_the_next(tmp_path):
    slow = tmp_path / "fallocate"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    room = await Room(tmp_path, qemu=QemuImg(fallocate=str(slow))).start()
    await room.pool()
    done = (await room.ask(*create(image=uuid(3, 2), volume=uuid(4, 2))))["uuid"]
    await room.tasks.find(done).done()
    undone = (await room.ask(*create(form=5, allocation=1)))["uuid"]
    folder = tmp_path / "dom1" / DOMAIN / "images"
    while not (folder / IMAGE / VOLUME).exists():
        await room.ask("getVolumesList", DOMAIN, POOL)
    await room.die()

    room = await Room(tmp_path).start()
    try:
        await room.connect()
        await room.start_spm()
        await room.tasks.find(undone).done()
        statuses = (await room.ask("getAllTasksStatuses"))["allTasksStatus"]
        assert ended(statuses[undone]) == ("finished", "cleanSuccess", 0)
        assert ended(statuses[done]) == ("finished", "success", 0)
        assert uuid(4, 2) in str((await room.ask("getAllTasks"))["tasks"][done]["result"])
        assert os.listdir(folder) == [uuid(3, 2)]
    finally:
        await room.stop()


@pytest_twisted.ensureDeferred
async def test_v35_uncleared_tasks_do_not_keep_the_role_away(room):
    """The reference fails here (defect R1); a done task is read again from disk instead."""
    await room.pool()
    task = (await room.ask(*create()))["uuid"]
    await room.tasks.find(task).done()
    await room.ask("spmStop", POOL)
    assert await room.code("getTaskStatus", task) == 401
    await room.start_spm()
    assert ended((await room.ask("getTaskStatus", task))["taskStatus"]) == ("finished", "success", 0)


@pytest_twisted.ensureDeferred
async def test_the_journal_of_a_finished_task_is_the_one_old_hosts_write(room):
    await room.pool()
    task = (await room.ask(*create()))["uuid"]
    await room.tasks.find(task).done()
    folder = room.base / "dom1" / DOMAIN / "master" / "tasks" / task
    tree = room.base / "data-center" / POOL
    lines = set((folder / f"{task}.task").read_text().splitlines())
    assert lines == {
        f"id = {task}", "name = createVolume", "tag = spm", "state = finished", "recoveryPolicy = auto",
        "persistPolicy = auto", "cleanPolicy = manual", "priority = low", "njobs = 1", "nrecoveries = 2",
        "metadataVersion = 1", f"store = {tree}/mastersd/master/tasks",
    }  # fmt: skip
    undo = set((folder / f"{task}.recover.1").read_text().splitlines())
    assert undo == {
        "name = Create volume rollback", "moduleName = fileVolume", "object = FileVolume",
        "function = createVolumeRollback",
        f"params = {tree},{DOMAIN},{IMAGE},{VOLUME},{tree}/{DOMAIN}/images/{IMAGE}",
    }  # fmt: skip
    assert f"result = {{'uuid': '{VOLUME}'}}" in (folder / f"{task}.result").read_text().splitlines()
