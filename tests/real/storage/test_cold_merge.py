"""Volumes merged into the ones below them, as newer clients do it: the SPM prepares, any host copies, the SPM ends."""

import json
import subprocess

import pytest
import pytest_twisted
from attrs import evolve
from contract.storage.room import BLANK, POOL, Room, uuid
from contract.storage.written_leases import Plugin, WrittenLease
from real.storage.test_sdm import path, qemu_io

from virgate.hookspecs.leases import LeaseOwner
from virgate.node.storage.errors import ProgramFailed
from virgate.node.storage.formats.volume_metadata import Legality, VolumeRole

DOMAIN, IMG = uuid(2), uuid(3)
MIB = 1 << 20
RAW, COW = 5, 4


def pair(base, top, **others):
    return {"sd_id": DOMAIN, "img_id": IMG, "base_id": uuid(4, base), "top_id": uuid(4, top), **others}


def tell(*argv):
    return json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)


def bitmaps(room, number):
    told = tell("qemu-img", "info", "--output=json", path(room, number))
    return {one["name"]: one["flags"] for one in told["format-specific"]["data"].get("bitmaps", ())}


def bitmap(room, number, *words, name="b"):
    subprocess.run(["qemu-img", "bitmap", *words, "-f", "qcow2", path(room, number), name], check=True)


async def job(room, verb, *arguments, number):
    """How it ended: its status, and the code of its error."""
    told = await room.job(verb, uuid(9, number), *arguments)
    return told["status"], told.get("error", {}).get("code", 0)


async def chain(room, form=RAW, sizes=(10, 10, 10)):
    """Volumes one above the other, of so many MiB; volume n holds the byte n at MiB n, and all hold theirs at 0."""
    await room.pool()
    for number, size in enumerate(sizes, 1):
        parent = (1, number - 1) if number > 1 else None
        first = form if number == 1 else COW
        await room.volume(number, size=str(sizes[0] * MIB), form=first, parent=parent)
        if size > sizes[0]:
            subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", path(room, number), f"{size}M"], check=True)
            await room.ask("volumeSetSize", DOMAIN, POOL, IMG, uuid(4, number), str(size * MIB))
        name = "raw" if first == RAW else "qcow2"
        qemu_io(path(room, number), name, f"write -P {number} {number}M 1M", f"write -P {number} 0 1M")


def holds(room, number, top, form="qcow2", last=None):
    """What the chain up to `top` shows."""
    reads = [f"read -P {n} {n}M 1M" for n in range(1, top + 1)]
    qemu_io(path(room, number), form, *reads, f"read -P {top} 0 1M")


async def merge(room, base, top, *, number=1, bitmaps=False, **others):
    await room.done("prepareMerge", POOL, pair(base, top))
    assert await job(room, "sdmMerge", pair(base, top, **others), bitmaps, number=number) == ("done", 0)
    await room.done("finalizeMerge", POOL, pair(base, top))


async def delete(room, number):
    await room.done("deleteVolume", DOMAIN, POOL, IMG, [uuid(4, number)])


async def volumes(room):
    return (await room.ask("getVolumesList", DOMAIN, POOL, IMG))["uuidlist"]


async def change(room, number, **changes):
    images = (await room.storage.domains.find(DOMAIN)).images
    metadata = (await images.survey(IMG)).volume(uuid(4, number)).metadata
    await images.write(IMG, uuid(4, number), evolve(metadata, **changes))


async def findings(room):
    return (await room.ask("checkStorageDomain", DOMAIN))["check"]["findings"]


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_a_leaf_goes_into_the_volume_below_it(room, form):
    await chain(room, form)
    await merge(room, 2, 3, base_generation=0)
    assert ((await room.info(3))["legality"], (await room.info(2))["generation"]) == ("ILLEGAL", 1)
    await delete(room, 3)
    assert (await room.info(2))["voltype"] == "LEAF"
    holds(room, 2, 3)
    await merge(room, 1, 2, number=2)
    await delete(room, 2)
    assert await volumes(room) == [uuid(4, 1)]
    holds(room, 1, 3, "raw" if form == RAW else "qcow2")
    assert await findings(room) == []
    ids = (POOL, DOMAIN, IMG, uuid(4, 1))
    await room.ask("prepareImage", *ids)
    await room.ask("teardownImage", *ids)


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_what_is_above_an_inner_volume_is_set_upon_the_base(room, form):
    await chain(room, form)
    await merge(room, 1, 2)
    assert (await room.info(3))["parent"] == uuid(4, 1)
    look = tell("qemu-img", "info", "--output=json", path(room, 3))
    wanted = (uuid(4, 1), "raw" if form == RAW else "qcow2")
    assert (look["backing-filename"], look["backing-filename-format"]) == wanted
    assert [one["what"] for one in await findings(room) if one["severity"] == "error"] == []
    leaf = uuid(4, 3)
    assert (await room.ask("reconcileVolumeChain", POOL, DOMAIN, IMG, leaf))["volumes"] == [uuid(4, 1), leaf]
    assert await room.code("prepareImage", POOL, DOMAIN, IMG, leaf) == 227
    await delete(room, 2)
    holds(room, 3, 3)
    assert (await room.info(1))["voltype"] == "INTERNAL"
    assert await findings(room) == []


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_a_smaller_base_becomes_as_large_as_what_is_merged_into_it(room, form):
    await chain(room, form, (8, 12))
    qemu_io(path(room, 2), "qcow2", "write -P 9 11M 1M")
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("failed", 922)
    assert (await room.info(1))["legality"] == "LEGAL"
    await merge(room, 1, 2, number=2)
    await delete(room, 2)
    info = await room.info(1)
    assert info["capacity"] == str(12 * MIB)
    qemu_io(path(room, 1), "raw" if form == RAW else "qcow2", "read -P 9 11M 1M", "read -P 0 8M 3M", "read -P 2 2M 1M")
    assert await findings(room) == []


@pytest_twisted.ensureDeferred
async def test_a_base_whose_space_is_reserved_has_it_all_afterwards(room):
    await room.pool()
    await room.volume(1, size=str(8 * MIB), allocation=1)
    await room.volume(2, form=COW, parent=(1, 1))
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", path(room, 2), "12M"], check=True)
    await room.done("prepareMerge", POOL, pair(1, 2))
    assert int((await room.info(1))["truesize"]) >= 12 * MIB - 4096  # a first block is never reserved
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("done", 0)
    assert (await room.info(1))["capacity"] == str(12 * MIB)


@pytest_twisted.ensureDeferred
async def test_every_step_may_be_asked_for_again(room):
    await chain(room)
    for _ in range(2):
        await room.done("prepareMerge", POOL, pair(1, 2))
    for number in (1, 2):
        assert await job(room, "sdmMerge", pair(1, 2), number=number) == ("done", 0)
    assert await job(room, "sdmMerge", pair(1, 2, base_generation=1), number=3) == ("failed", 911)
    for _ in range(2):
        await room.done("finalizeMerge", POOL, pair(1, 2))
    assert (await room.task("prepareMerge", POOL, pair(1, 2)))["code"] == 920
    await delete(room, 2)
    assert (await room.task("finalizeMerge", POOL, pair(1, 2)))["code"] == 920
    holds(room, 3, 3)


@pytest_twisted.ensureDeferred
async def test_a_merge_that_was_cut_off_is_ended_by_the_next_and_by_nothing_else(room):
    await chain(room)
    await change(room, 1, legality=Legality.ILLEGAL)  # as a host that died left it
    assert (await room.task("finalizeMerge", POOL, pair(1, 2)))["code"] == 922
    assert await room.code("prepareImage", POOL, DOMAIN, IMG, uuid(4, 3)) == 227
    found = [one for one in await findings(room) if "ILLEGAL" in one["what"]]
    assert len(found) == 1 and "delete" not in found[0]["mend"]
    await merge(room, 1, 2, base_generation=0)
    await delete(room, 2)
    holds(room, 3, 3)


@pytest_twisted.ensureDeferred
async def test_a_merge_that_fails_lets_machines_run_on(room, monkeypatch):
    await chain(room)

    async def full(self, path, **others):
        raise ProgramFailed("qemu-img", "No space left on device")

    monkeypatch.setattr(type(room.storage.volumes.qemu), "merge_down", full)
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("failed", 252)
    info = await room.info(1)
    assert (info["legality"], info["generation"]) == ("LEGAL", 0)
    ids = (POOL, DOMAIN, IMG, uuid(4, 3))
    await room.ask("prepareImage", *ids)
    await room.ask("teardownImage", *ids)


@pytest_twisted.ensureDeferred
async def test_only_two_volumes_of_one_image_that_follow_each_other_are_merged(room):
    await chain(room)
    for wrong in ({}, pair(1, 2, top_id="../x"), pair(1, 2, base_generation="x"), pair(1, 2, sd_id="")):
        assert await room.code("prepareMerge", POOL, wrong) == 1000
        assert await room.code("sdmMerge", uuid(9), wrong) == 1000
    for given, code in ((pair(1, 3), 921), (pair(2, 1), 921), (pair(1, 9), 920), (pair(9, 2), 920)):
        for verb in ("prepareMerge", "finalizeMerge"):
            assert (await room.task(verb, POOL, given))["code"] == code
    await change(room, 1, role=VolumeRole.SHARED)
    status = await room.task("prepareMerge", POOL, pair(1, 2))
    assert status["code"] == 100 and "shared" in status["message"]  # a task has no code 219
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("failed", 219)
    await change(room, 2, legality=Legality.ILLEGAL)
    assert await job(room, "sdmMerge", pair(2, 3), number=2) == ("done", 0)
    await change(room, 2, legality=Legality.FAKE)
    assert await job(room, "sdmMerge", pair(2, 3), number=3) == ("failed", 922)
    holds(room, 3, 3)


@pytest_twisted.ensureDeferred
async def test_a_host_that_is_no_spm_merges_and_does_not_prepare(room):
    await chain(room, COW)
    await room.ask("spmStop", POOL)
    assert await room.code("prepareMerge", POOL, pair(1, 2)) == 654
    assert await room.code("finalizeMerge", POOL, pair(1, 2)) == 654
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("done", 0)


@pytest_twisted.ensureDeferred
async def test_a_header_that_leads_elsewhere_is_not_followed(room):
    await chain(room, COW)
    subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", path(room, 2)])
    assert (await room.task("prepareMerge", POOL, pair(1, 2)))["code"] == 262
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("failed", 262)
    assert (await room.info(1))["legality"] == "LEGAL"


@pytest_twisted.ensureDeferred
async def test_a_header_above_that_leads_elsewhere_is_not_set_upon_the_base(room):
    await chain(room, COW)
    await room.done("prepareMerge", POOL, pair(1, 2))
    assert await job(room, "sdmMerge", pair(1, 2), number=1) == ("done", 0)
    subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", path(room, 3)])
    assert (await room.task("finalizeMerge", POOL, pair(1, 2)))["code"] == 262
    assert tell("qemu-img", "info", "--output=json", path(room, 3))["backing-filename"] == "/etc/passwd"


@pytest_twisted.ensureDeferred
async def test_no_step_touches_what_another_host_uses(tmp_path):
    room = await Room(tmp_path, plugins=[Plugin()]).start()
    try:
        await chain(room)
        before = WrittenLease.steps[:]
        for used in (1, 3):  # merged into, and run from
            WrittenLease.held_by[uuid(4, used)] = LeaseOwner(2, 1)
            for verb in ("prepareMerge", "finalizeMerge"):
                assert (await room.task(verb, POOL, pair(1, 2)))["code"] == 651
            assert await job(room, "sdmMerge", pair(1, 2), number=used) == ("failed", 651)
            del WrittenLease.held_by[uuid(4, used)]
        assert {(await room.info(number))["legality"] for number in (1, 2, 3)} == {"LEGAL"}
        del WrittenLease.steps[: len(before)]
        await merge(room, 1, 2, number=9)
        assert WrittenLease.held_by == {} and ("take", uuid(4, 3)) in WrittenLease.steps
    finally:
        await room.stop()


# bitmaps


def changed(room, number, name="b"):
    """Each MiB in which a bitmap names something."""
    socket = room.base / "nbd"
    served = ["qemu-nbd", "-r", "-B", name, "-k", str(socket), "-f", "qcow2", path(room, number)]
    address = f"driver=nbd,server.type=unix,server.path={socket},x-dirty-bitmap=qemu:dirty-bitmap:{name}"
    with subprocess.Popen([*served, "--fork"]):
        pass
    found = tell("qemu-img", "map", "--output=json", "--image-opts", address)
    return [at for one in found if not one["data"] for at in range(one["start"] // MIB, -(-_end(one) // MIB))]


def _end(extent):
    return extent["start"] + extent["length"]


@pytest_twisted.ensureDeferred
async def test_bitmaps_are_added_removed_and_cleared(room):
    await chain(room, COW, (10, 10))
    target = {"sd_id": DOMAIN, "img_id": IMG, "vol_id": uuid(4, 2)}
    for number, name in enumerate(("one", "-two", "one", "three"), 1):
        assert await job(room, "sdmAddBitmap", target, name, number=number) == ("done", 0)
    assert bitmaps(room, 2) == {"one": ["auto"], "-two": ["auto"], "three": ["auto"]}
    assert await job(room, "sdmRemoveBitmap", {**target, "generation": 4}, "-two", number=5) == ("done", 0)
    assert await job(room, "sdmRemoveBitmap", target, "-two", number=6) == ("failed", 946)
    assert await job(room, "sdmRemoveBitmap", {**target, "generation": 4}, "one", number=7) == ("failed", 911)
    assert sorted(bitmaps(room, 2)) == ["one", "three"]
    assert await job(room, "sdmClearBitmaps", target, number=8) == ("done", 0)
    assert bitmaps(room, 2) == {}
    assert (await room.info(2))["generation"] == 6
    for wrong in ("", "x" * 1024, "\0", "\ud800"):
        assert await room.code("sdmAddBitmap", uuid(9, 20), target, wrong) == 1000
    holds(room, 2, 2)


@pytest_twisted.ensureDeferred
async def test_a_raw_volume_has_no_bitmaps(room):
    await chain(room)
    target = {"sd_id": DOMAIN, "img_id": IMG, "vol_id": uuid(4, 1)}
    assert await job(room, "sdmAddBitmap", target, "b", number=1) == ("failed", 202)
    assert await job(room, "sdmClearBitmaps", target, number=2) == ("failed", 202)
    await merge(room, 1, 2, number=3, bitmaps=True)


@pytest_twisted.ensureDeferred
async def test_a_bitmap_that_goes_on_in_the_top_knows_what_both_know(room):
    await chain(room, COW, (10, 10))
    for number in (1, 2):
        bitmap(room, number, "--add")
        qemu_io(path(room, number), "qcow2", f"write -P 7 {4 + number}M 1M")
    bitmap(room, 1, "--add", name="stale")
    bitmap(room, 2, "--add", "--disable", name="new")
    await room.done("prepareMerge", POOL, pair(1, 2))
    assert bitmaps(room, 1) == {"b": ["auto"]}
    assert await job(room, "sdmMerge", pair(1, 2), True, number=1) == ("done", 0)
    assert bitmaps(room, 1) == {"b": ["auto"], "new": []}
    qemu_io(path(room, 1), "qcow2", "read -P 7 5M 2M", "read -P 1 1M 1M")
    assert changed(room, 1) == [0, 2, 5, 6]  # 0 and 2: the merge itself wrote there


@pytest_twisted.ensureDeferred
async def test_bitmaps_are_copied_with_the_data_on_wish(room):
    await chain(room, COW, (10, 10))
    bitmap(room, 2, "--add")
    bitmap(room, 1, "--add", name="below")
    for image, form in ((5, COW), (6, COW), (7, RAW)):
        await room.volume(image, image=image, form=form)

    def end(number, image):
        return {"endpoint_type": "div", "sd_id": DOMAIN, "img_id": uuid(3, image), "vol_id": uuid(4, number)}

    for number, (image, wish, code) in enumerate(((5, True, 0), (6, False, 0), (7, True, 2009)), 1):
        ended = await job(room, "sdmCopyData", end(2, 1), end(image, image), wish, number=number)
        assert ended == ("failed" if code else "done", code)
    assert (await room.info(7, image=7))["legality"] == "LEGAL"
    found = [tell("qemu-img", "info", "--output=json", path(room, n, n)) for n in (5, 6)]
    assert ["bitmaps" in one["format-specific"]["data"] for one in found] == [True, False]
    assert await room.code("prepareImage", BLANK, DOMAIN, uuid(3, 7), uuid(4, 7)) == 0


def wanted(number, form, *others, parent=None):
    source = (IMG, uuid(4, parent)) if parent else (BLANK, BLANK)
    return (DOMAIN, POOL, IMG, str(10 * MIB), form, 2, 2, uuid(4, number), "", *source, None, *others)


@pytest_twisted.ensureDeferred
async def test_a_snapshot_goes_on_with_the_bitmaps_of_its_parent_on_wish(room):
    await chain(room, COW, (10,))
    bitmap(room, 1, "--add", "-g", "32768")
    bitmap(room, 1, "--add", "--disable", name="ended")
    info = (await room.ask("getQemuImageInfo", DOMAIN, POOL, IMG, uuid(4, 1)))["info"]
    one, other = info["bitmaps"]
    assert one == {"name": "b", "granularity": 32768, "flags": ["auto"]} and other["flags"] == []
    await room.done("createVolume", *wanted(2, COW, False, parent=1))
    assert bitmaps(room, 2) == {}
    await room.done("createVolume", *wanted(3, COW, True, False, 7, "new", parent=2))
    assert bitmaps(room, 3) == {"new": ["auto"]}
    info = await room.info(3)
    assert (info["legality"], info["sequence"]) == ("ILLEGAL", 7)
    await delete(room, 3)
    await delete(room, 2)
    await room.done("createVolume", *wanted(2, COW, "true", parent=1))
    assert bitmaps(room, 2) == {"b": ["auto"], "ended": []}
    told = tell("qemu-img", "info", "--output=json", path(room, 2))["format-specific"]["data"]["bitmaps"]
    assert {one["name"]: one["granularity"] for one in told} == {"b": 32768, "ended": 65536}


@pytest_twisted.ensureDeferred
async def test_a_volume_that_cannot_have_its_bitmap_is_not_made(room):
    await room.pool(version="3")
    for form, others, code in ((RAW, (False, True, 0, "b"), 202), (COW, (False, True, 0, "b"), 205)):
        assert (await room.task("createVolume", *wanted(1, form, *others)))["code"] == code
    for others in ((False, True, -1), (False, True, 0, "x" * 1024), (False, True, 0, ["b"])):
        assert await room.code("createVolume", *wanted(1, COW, *others)) == 1000
    assert (await room.ask("getImagesList", DOMAIN))["imageslist"] == []
