"""Snapshots and live merges of a guest that writes all the while, through a whole daemon that is killed as well."""

import pytest
from real.whole.house import new_id
from real.whole.writer import one_writer, patiently


@pytest.fixture(scope="module")
def only(libvirtd, guest, tmp_path_factory):
    with one_writer(libvirtd, guest, tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def writer(only):
    """It writes, to a disk of one volume."""
    only.write()
    only.write_on(3)
    yield only
    only.rest()
    only.flat()
    only.check()


def test_kill_9_in_the_middle_of_a_merge_in_the_middle_of_the_chain_loses_nothing(writer):
    house = writer.house
    writer.snapshot()
    writer.fill(8, at=16)
    writer.write_on()
    writer.snapshot()
    writer.write_on()
    writer.check()
    job = new_id()
    writer.merge(0, 1, 1, job)
    told = writer.jobs()[job]
    assert (told["blockJobType"], told["bandwidth"], told["imgUUID"]) == ("commit", 1, writer.image)
    house.until(lambda: int(writer.jobs()[job]["cur"]) > 1 << 20, "the merge is under way")
    house.kill()
    writer.write_on()
    house.start("--set=machines.job_period=0.5")
    assert int(writer.jobs()[job]["end"]) >= 0
    house.rejoin()
    writer.merged(0, 1)
    writer.check()
    writer.write_on()
    writer.rest()
    assert writer.verify() > 15


def test_the_top_is_merged_while_the_guest_writes_and_the_disk_goes_on_in_its_base(writer):
    house = writer.house
    writer.snapshot()
    writer.fill(4, at=16)
    job = new_id()
    writer.merge(0, 1, 1, job)
    found = house.ask("getJobs", "virt", [job])["jobs"][job]
    assert (found["status"], found["description"]) == ("running", "merge")
    writer.merged(0, 1)
    found = house.ask("getJobs", "virt", [job])["jobs"][job]
    assert (found["status"], found["progress"]) == ("done", 100)
    writer.check()
    writer.write_on()
    writer.rest()
    assert writer.verify() > 10


def test_kill_9_before_the_top_has_left_keeps_what_was_written_to_it(writer):
    house = writer.house
    writer.snapshot()
    writer.fill(4, at=16)
    writer.merge(0, 1, 1)
    house.until(lambda: next(iter(writer.jobs().values()))["cur"] != "0", "the merge is under way")
    house.kill()
    patiently(lambda: "ready='yes'" in house.xml(writer.vm), "base and top are alike", 40)
    writer.write_on()
    assert "ready='yes'" in house.xml(writer.vm)
    house.start("--set=machines.job_period=0.5")
    house.rejoin()
    writer.merged(0, 1)
    writer.check()
    writer.rest()
    assert writer.verify() > 10


def test_a_merge_that_somebody_aborts_leaves_the_chain_as_it_was(writer):
    house = writer.house
    writer.snapshot()
    writer.fill(4, at=16)
    writer.snapshot()
    job = new_id()
    writer.merge(0, 1, 1, job)
    house.ask("abortJob", job)
    house.until(lambda: writer.jobs() == {}, "no job is told of")
    assert house.ask("getJobs", "virt", [job])["jobs"][job]["error"]["code"] == 52
    writer.check()
    writer.merge(0, 1)
    writer.merged(0, 1)
    writer.check()
    writer.rest()
    assert writer.verify() > 5


def test_what_cannot_be_merged_is_refused_and_changes_nothing(writer):
    house = writer.house
    writer.snapshot()
    disk, base, top = {**writer.disk, "volumeID": writer.chain[1]}, *writer.chain
    assert house.code("merge", writer.vm, {**disk, "imageID": new_id()}, base, top) == 13
    assert house.code("merge", writer.vm, disk, top, base) == 52
    assert house.code("merge", writer.vm, disk, base, new_id()) == 52
    assert house.code("merge", new_id(), disk, base, top) == 1
    writer.merge(0, 1, 1)
    assert house.code("merge", writer.vm, disk, base, top) == 52
    assert house.code("abortJob", new_id()) == 84
    writer.merged(0, 1)
    writer.check()
