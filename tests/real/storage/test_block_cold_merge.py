"""Volumes of a block domain merged into the ones below them: real LVM, real qemu-img, loop devices for volumes."""

import pytest
import pytest_twisted
from contract.storage.room import POOL, uuid
from lab.process import run
from real.storage.test_block_images import COW, EXTENT, IMG, MIB, RAW, SIZE, house
from real.storage.test_cold_merge import job, pair

from virgate.node.storage.block.images import BlockImages
from virgate.node.storage.images.qemu_img import QemuImg

__all__ = ["house"]
LARGER = 192 * MIB


async def merge(house, base, top, number=1):
    await house.room.done("prepareMerge", POOL, pair(base, top))
    await house.room.ask("spmStop", POOL)
    assert await job(house.room, "sdmMerge", pair(base, top), number=number) == ("done", 0)
    await house.room.start_spm()
    await house.room.done("finalizeMerge", POOL, pair(base, top))
    await house.room.done("deleteVolume", uuid(2), POOL, IMG, [uuid(4, top)])


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_the_spm_prepares_and_ends_and_a_host_that_is_none_copies(house, form):
    await house.chain(form, 4)
    await merge(house, 1, 2)
    await house.holds(4, 4)
    found = await house.entries()
    assert (found[uuid(4, 3)].parent, (await house.room.info(3))["parent"]) == (uuid(4, 1), uuid(4, 1))
    await merge(house, 3, 4, 2)
    await house.holds(3, 4)
    await merge(house, 1, 3, 3)
    await house.holds(1, 4)
    info = await house.room.info(1)
    assert (info["voltype"], info["legality"], info["generation"]) == ("LEAF", "LEGAL", 2)
    assert set(await house.entries()) == {uuid(4, 1)}
    await house.must_be_tidy()


@pytest_twisted.ensureDeferred
async def test_a_host_that_copies_sees_the_room_that_another_gave_and_writes_past_its_cache(house, monkeypatch):
    await house.chain(COW, 2)
    steps = []
    refresh, merge_down = BlockImages.refresh, QemuImg.merge_down

    async def refreshing(self, image, volume):
        steps.append(("refresh", volume))
        await refresh(self, image, volume)

    async def merging(self, path, *, report, direct):
        steps.append(("merge", path.name, direct))
        await merge_down(self, path, report=report, direct=direct)

    monkeypatch.setattr(BlockImages, "refresh", refreshing)
    monkeypatch.setattr(QemuImg, "merge_down", merging)
    await house.room.done("prepareMerge", POOL, pair(1, 2))
    assert await job(house.room, "sdmMerge", pair(1, 2), number=1) == ("done", 0)
    assert steps == [("refresh", uuid(4, 1)), ("merge", uuid(4, 2), True)]


@pytest_twisted.ensureDeferred
async def test_a_smaller_raw_base_gets_more_extents(house):
    await house.room.volume(1, size=SIZE, form=RAW, allocation=1)
    await house.room.volume(7, image=7, size=SIZE, form=RAW, allocation=1)  # keeps the extent behind the base free
    await house.room.volume(2, size=SIZE, form=COW, parent=(1, 1))
    await house.room.done("deleteImage", uuid(2), POOL, uuid(3, 7))
    await house.io(1, "write -P 1 1M 1M")
    ids = (POOL, uuid(2), IMG, uuid(4, 2))
    path = (await house.room.ask("prepareImage", *ids))["path"]
    run(["qemu-img", "resize", "-q", "-f", "qcow2", path, str(LARGER)])
    await house.room.ask("teardownImage", *ids)
    await house.room.ask("volumeSetSize", uuid(2), POOL, IMG, uuid(4, 2), str(LARGER))
    await house.io(2, "write -P 2 190M 1M")

    assert await job(house.room, "sdmMerge", pair(1, 2), number=9) == ("failed", 922)
    await merge(house, 1, 2)
    assert (await house.room.info(1))["capacity"] == str(2 * EXTENT)
    assert (await house.entries())[uuid(4, 1)].size == 2 * EXTENT
    await house.io(1, "read -P 1 1M 1M")
    await house.io(1, "read -P 2 190M 1M")
    await house.must_be_tidy()


@pytest_twisted.ensureDeferred
async def test_a_thin_base_gets_what_both_need_and_gives_back_what_it_does_not_need(house):
    size, merged = str(8 * EXTENT), uuid(4, 1)
    await house.room.volume(1, size=size, form=COW)
    await house.room.volume(2, size=size, form=COW, parent=(1, 1))
    await house.room.volume(3, size=size, form=COW, parent=(1, 2))
    await house.io(1, "write -P 1 0 80M")
    await house.io(2, "write -P 2 70M 80M")
    for number in (1, 2, 3):
        await house.lvm.reduce(uuid(2), uuid(4, number), 128)
    await house.room.done("prepareMerge", POOL, pair(1, 2))
    assert (await house.entries())[merged].size == 2 * EXTENT
    assert await job(house.room, "sdmMerge", pair(1, 2), number=1) == ("done", 0)
    await house.lvm.extend(uuid(2), merged, 512)
    await house.room.done("finalizeMerge", POOL, pair(1, 2))
    assert (await house.entries())[merged].size == 2 * EXTENT
    await house.room.done("deleteVolume", uuid(2), POOL, IMG, [uuid(4, 2)])
    for command in ("read -P 1 0 70M", "read -P 2 70M 80M", "read -P 0 150M 10M"):
        await house.io(3, command)

    await house.io(3, "write -P 3 200M 1M")
    await house.room.done("prepareMerge", POOL, pair(1, 3))
    assert (await house.entries())[merged].size == 2 * EXTENT, "there is room enough"
    assert await job(house.room, "sdmMerge", pair(1, 3), number=2) == ("done", 0)
    await house.lvm.extend(uuid(2), merged, 512)
    await house.room.done("finalizeMerge", POOL, pair(1, 3))
    assert (await house.entries())[merged].size == 4 * EXTENT, "a guest is going to write to it"
