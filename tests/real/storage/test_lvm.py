"""`lvm` itself on loop devices: groups, volumes, tags, sizes; and how seldom it has to be asked."""

import fcntl
import os
from functools import partial
from pathlib import Path

import pytest
import pytest_twisted
from contract.storage.disks import GIB, disks, private_lvm
from lab.process import run
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from virgate.node.storage.errors.volume_groups import (
    CannotInitializeDevice,
    CannotResizeLogicalVolume,
    NoSuchGroup,
)
from virgate.node.storage.lvm.commands import Method
from virgate.node.storage.lvm.lvm import Lvm
from virgate.run.writers import writers

SD = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"
EXTENT = 128 << 20


class CountingLvm(Lvm):
    """`ran` lists the names of the programs that were run."""

    async def _run(self, argv, patience):
        self.ran = [*getattr(self, "ran", []), argv[1]]
        return await super()._run(argv, patience)


@pytest.fixture
def devices(tmp_path, monkeypatch):
    private_lvm(monkeypatch, tmp_path / "lvm")
    with disks(tmp_path, [3 * GIB, 3 * GIB, 2 * GIB]) as made:
        yield made


@pytest.fixture
def lvm(devices):
    return CountingLvm(lambda: devices)


@pytest.fixture
def group(lvm, devices):
    return partial(lvm.create_group, SD, devices[:2])


@pytest_twisted.ensureDeferred
async def test_a_group_is_laid_out_as_other_hosts_expect_it(lvm, group, devices):
    """Vector C-07 of spec storage-format."""
    await group()
    found = await lvm.group(SD)
    assert (found.extent_size, found.mda_size, found.tags) == (EXTENT, EXTENT, {"RHAT_storage_domain_UNREADY"})
    assert found.pvs == tuple(devices[:2])
    physical = await lvm.physical()
    first, second = (physical[device] for device in devices[:2])
    assert (first.pe_start, second.pe_start) == (135266304, 135266304)
    assert (first.mda_used_count, second.mda_used_count) == (2, 0)


@pytest_twisted.ensureDeferred
async def test_what_was_done_is_remembered_as_lvm_tells_it(lvm, group):
    await group()
    await lvm.create(SD, "one", 100, tags=["OVIRT_VOL_INITIALIZING"])
    assert await lvm.volumes(SD)
    await lvm.create(SD, "two", 256)
    await lvm.change_tags(SD, "one", delete=["OVIRT_VOL_INITIALIZING"], add=["MD_4", "IU_x"])
    await lvm.change_tags(SD, "one", "two", add=["both"])
    assert await lvm.extend(SD, "one", 300, refresh=False) == 3 * EXTENT
    assert await lvm.reduce(SD, "two", 1) == EXTENT
    await lvm.rename(SD, "two", "three")
    await lvm.create(SD, "gone", 1)
    await lvm.remove(SD, "gone")
    asked = lvm.ran.count("lvs")
    known = await lvm.volumes(SD)
    assert lvm.ran.count("lvs") == asked == 1
    told = await lvm.volumes(SD, fresh=True)
    assert {name: (volume.size, volume.tags) for name, volume in known.items()} == {
        name: (volume.size, volume.tags) for name, volume in told.items()
    }
    assert told["one"].tags == {"MD_4", "IU_x", "both"}


@pytest_twisted.ensureDeferred
async def test_many_volumes_cost_one_process(lvm, group, devices):
    await group()
    for number in range(20):
        await lvm.create(SD, f"volume{number}", 128)
    lvm.invalidate()
    lvm.ran.clear()
    asked = [Deferred.fromCoroutine(lvm.volumes(SD)) for _ in range(10)]
    assert all(len(found) == 20 for found in await gatherResults(asked))
    assert lvm.ran == ["lvs"]


@pytest_twisted.ensureDeferred
async def test_fresh_means_read_after_the_question(lvm, group, devices):
    await group()
    await lvm.volumes(SD)
    other = Lvm(lambda: devices)
    await other.create(SD, "foreign", 128)
    assert "foreign" not in await lvm.volumes(SD)
    assert "foreign" in await lvm.volumes(SD, fresh=True)
    await other.create(SD, "second", 128)
    lvm.invalidate(SD)
    assert "second" in await lvm.volumes(SD)
    await other.create(SD, "third", 128)
    assert (await lvm.volume(SD, "third")).size == EXTENT


@pytest_twisted.ensureDeferred
async def test_growing_twice_is_growing_once_and_a_full_group_says_so(lvm, group, devices):
    await group()
    await lvm.create(SD, "one", 128)
    assert await lvm.extend(SD, "one", 256, refresh=False) == 2 * EXTENT
    assert await Lvm(lambda: devices).extend(SD, "one", 256, refresh=False) == 2 * EXTENT
    with pytest.raises(CannotResizeLogicalVolume, match=r"(?i)insufficient"):
        await lvm.extend(SD, "one", 100 << 10)


@pytest_twisted.ensureDeferred
async def test_removing_what_is_partly_gone_removes_the_rest(lvm, group, devices):
    await group()
    for name in ("one", "two"):
        await lvm.create(SD, name, 128)
    await Lvm(lambda: devices).remove(SD, "one")
    await lvm.remove(SD, "one", "two")
    assert await lvm.volumes(SD, fresh=True) == {}
    await lvm.remove(SD, "one")


@pytest_twisted.ensureDeferred
async def test_a_group_changes_its_tags_in_one_step(lvm, group):
    await group()
    await lvm.change_group_tags(SD, ["RHAT_storage_domain_UNREADY"], ["RHAT_storage_domain", "MDT_DESCRIPTION=a&32&b"])
    assert (await lvm.group(SD)).tags == {"RHAT_storage_domain", "MDT_DESCRIPTION=a&32&b"}


@pytest_twisted.ensureDeferred
async def test_a_group_grows_shrinks_and_goes(lvm, group, devices):
    await group()
    await lvm.extend_group(SD, [devices[2]])
    found = await lvm.group(SD)
    assert found.pvs == tuple(devices)
    assert (await lvm.physical())[devices[2]].mda_used_count == 0
    await lvm.reduce_group(SD, devices[2])
    assert (await lvm.group(SD)).pvs == tuple(devices[:2])
    await lvm.remove_group(SD)
    with pytest.raises(NoSuchGroup):
        await lvm.group(SD)
    assert await lvm.physical() == {}


@pytest_twisted.ensureDeferred
async def test_a_grown_device_gives_what_it_gained(lvm, group, devices, tmp_path):
    await group()
    before = (await lvm.group(SD)).size
    with (tmp_path / "disk1").open("r+b") as file:
        file.truncate(5 * GIB)
    run(["losetup", "--set-capacity", devices[1]])
    await lvm.resize_physical(SD, devices[1])
    assert (await lvm.group(SD)).size == before + 2 * GIB


@pytest_twisted.ensureDeferred
async def test_a_device_in_use_is_taken_by_force_only(lvm, devices):
    run(["mke2fs", "-q", "-F", devices[0], "100M"])
    assert not await lvm.usable(devices[0])
    assert await lvm.usable(devices[1])
    with pytest.raises(CannotInitializeDevice):
        await lvm.create_group(SD, devices[:1])
    await lvm.create_group(SD, devices[:1], force=True)
    assert (await lvm.group(SD)).pvs == (devices[0],)


@pytest_twisted.ensureDeferred
async def test_a_group_made_in_vain_leaves_its_devices_free(lvm, group, devices):
    await group()
    with pytest.raises(Exception, match="already exists"):
        await lvm.create_group(SD, [devices[2]])
    assert await lvm.usable(devices[2])


@pytest_twisted.ensureDeferred
async def test_a_device_that_came_later_is_found_by_trying_again(devices):
    seen = devices[:1]

    async def rescan():
        seen[:] = devices

    await Lvm(lambda: devices).create_group(SD, devices[1:2])
    lvm = CountingLvm(lambda: tuple(seen), rescan)
    assert await lvm.volumes(SD) == {}
    assert lvm.ran == ["lvs", "lvs"]


@pytest_twisted.ensureDeferred
async def test_a_missing_device_makes_a_group_partial(lvm, group, devices):
    await group()
    left = Lvm(lambda: devices[:1])
    assert (await left.group(SD)).partial
    assert not (await lvm.group(SD)).partial


@pytest_twisted.ensureDeferred
async def test_without_devices_nothing_is_run():
    lvm = CountingLvm(tuple)
    assert await lvm.groups(fresh=True) == await lvm.physical() == await lvm.volumes(SD) == {}
    assert not hasattr(lvm, "ran")


@pytest_twisted.ensureDeferred
async def test_a_filter_does_what_a_list_of_devices_does(devices):
    lvm = Lvm(lambda: devices[:2], method=Method.FILTER)
    await lvm.create_group(SD, devices[:2])
    await lvm.create(SD, "one", 128)
    assert list(await lvm.volumes(SD, fresh=True)) == ["one"]
    assert (await lvm.group(SD)).pvs == tuple(devices[:2])


@pytest_twisted.ensureDeferred
async def test_a_change_counts_as_a_writer_until_it_ends(lvm, group, tmp_path):
    """LVM closes what it does not expect; the sign by which leases are held until nothing writes must stay open."""
    await group()
    pipe = os.readlink(f"/proc/self/fd/{writers().writing}")
    place = tmp_path / "lvm" / "lock" / f"V_{SD}"
    with place.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        change = Deferred.fromCoroutine(lvm.change_group_tags(SD, add=["new"]))
        while not (waiting := [links for links in open_in_children() if str(place) in links]):
            await deferLater(reactor, 0.01)
    await change
    assert pipe in waiting[0]
    assert "new" in (await lvm.group(SD, fresh=True)).tags


def open_in_children():
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        try:
            yield [os.readlink(entry) for entry in Path(f"/proc/{child}/fd").iterdir()]
        except OSError:
            continue
