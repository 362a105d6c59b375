"""Snapshots of a running guest through a whole daemon: at rest, asked for twice, failing, with memory, as a job."""

import pytest
from real.whole.house import new_id
from real.whole.writer import COW, Writer, one_writer, patiently


@pytest.fixture(scope="module")
def only(libvirtd, guest, tmp_path_factory):
    with one_writer(libvirtd, guest, tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def writer(only):
    only.write()
    only.write_on(3)
    yield only
    only.rest()
    assert only.verify() > 2


def count(writer: Writer, word: str) -> int:
    writer.console.read()
    return writer.console.text.count(f"={word}=")


def test_the_guest_is_frozen_for_a_snapshot_and_thawed_whatever_happens(writer):
    house = writer.house
    writer.start_agent()
    assert (count(writer, "FROZEN"), count(writer, "THAWED")) == (0, 0)
    assert writer.snapshot()["quiesce"] is True
    assert (count(writer, "FROZEN"), count(writer, "THAWED")) == (1, 1)
    assert writer.snapshot("", True)["quiesce"] is False  # the client says it has frozen the guest itself
    assert count(writer, "FROZEN") == 1
    house.ask("freeze", writer.vm)
    assert (count(writer, "FROZEN"), count(writer, "THAWED")) == (2, 1)
    house.ask("thaw", writer.vm)
    assert count(writer, "THAWED") == 2
    broken = writer.new_volume()
    path = writer.leaf.with_name(broken["volumeID"])
    path.write_bytes(b"no image" * 1000)
    code = house.code("snapshot", writer.vm, [broken])
    assert code == 48 or code >= 200
    writer.drop([broken["volumeID"]])
    writer.check()


def test_a_daemon_killed_while_the_guest_is_frozen_leaves_the_thaw_to_the_next(writer):
    house = writer.house
    writer.start_agent(2)
    drive = writer.new_volume()
    other, seen = house.beside(), len(writer.console.text)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(other.call, "snapshot", writer.vm, [drive])
        writer.console.until("=FROZEN=", seen)
        house.kill()
        with pytest.raises(OSError):
            asked.result(20)
    thawed = count(writer, "THAWED")
    house.start("--set=machines.job_period=0.5")
    patiently(lambda: count(writer, "THAWED") > thawed, "the guest is thawed")
    house.rejoin()
    assert writer.told_chain() == writer.chain
    house.ask("snapshot", writer.vm, [drive])
    writer.chain.append(drive["volumeID"])
    writer.check()


def test_asking_twice_is_asking_once_and_what_has_no_base_changes_nothing(writer):
    house = writer.house
    drive = writer.new_volume()
    for _ in range(2):
        house.ask("snapshot", writer.vm, [drive])
    writer.chain.append(drive["volumeID"])
    other = {**drive, "baseVolumeID": new_id(), "volumeID": new_id()}
    assert house.code("snapshot", writer.vm, [other]) == 48
    assert house.code("snapshot", writer.vm, [{**drive, "imageID": new_id()}]) == 48
    assert house.code("snapshot", new_id(), [drive]) == 1
    house.kill()
    house.start()
    house.rejoin()
    house.ask("snapshot", writer.vm, [drive])
    writer.check()


def test_a_snapshot_with_memory_is_a_job_that_leaves_both_volumes_whole(writer):
    house = writer.house
    state, conf = house.make_volume(size=512 << 20), house.make_volume(size=1 << 20, kind=1)
    handle = ",".join(
        (house.domain, house.pool, state["imageID"], state["volumeID"], conf["imageID"], conf["volumeID"])
    )
    drive, job = writer.new_volume(), new_id()
    answer = house.ask("snapshot", writer.vm, [drive], handle, False, job, 5, 1)
    assert set(answer) == {"status"}

    def told():
        return house.ask("getJobs", "virt", [job])["jobs"][job]

    house.until(lambda: told()["status"] != "running", "the memory is written", 60)
    assert told()["status"] == "done", told()
    writer.chain.append(drive["volumeID"])
    writer.write_on()
    writer.check()
    folder = house.folder / house.domain / "images"
    assert (folder / state["imageID"] / state["volumeID"]).read_bytes()[:4] == b"Libv"
    from virgate.node.vm.hibernation import conf_file

    saved = conf_file.read((folder / conf["imageID"] / conf["volumeID"]).read_bytes())
    assert saved["restoreFromSnapshot"] is True
    assert writer.vm in saved["_srcDomXML"]
    assert saved["elapsedTimeOffset"] > 0
    assert state["imageID"] not in " ".join(house.prepared())
    assert house.code("snapshot", writer.vm, [], "", False, new_id(), 0) == 91


def test_a_disk_is_replicated_to_another_domain_and_goes_on_there(own, guest):
    house = own
    house.start()
    house.make_pool()
    second, folder = new_id(), house.home / "second"
    folder.mkdir()
    house.connect_folder(folder)
    house.ask("createStorageDomain", 4, second, "second", str(folder), 1, "5")
    house.ask("attachStorageDomain", second, house.pool)
    house.ask("activateStorageDomain", second, house.pool)
    writer = Writer(house, guest)
    try:
        writer.write()
        writer.write_on()
        writer.snapshot()
        image, leaf = writer.image, writer.chain[-1]
        source = {"device": "disk", "poolID": house.pool, "domainID": house.domain, "imageID": image, "volumeID": leaf}
        target = {**source, "domainID": second}
        house.done("cloneImageStructure", house.pool, house.domain, image, second)
        assert house.code("diskReplicateFinish", writer.vm, source, target) == 55
        house.ask("diskReplicateStart", writer.vm, source, target)
        assert house.code("diskReplicateStart", writer.vm, source, target) == 55
        house.ask("diskReplicateFinish", writer.vm, source, source)  # given up
        assert writer.told_chain() == writer.chain
        house.ask("diskReplicateStart", writer.vm, source, target)
        house.done("syncImageData", house.pool, house.domain, image, second, "INTERNAL")
        house.kill()
        house.start()
        house.connect_folder(folder)
        house.rejoin()

        def finished():
            code = house.code("diskReplicateFinish", writer.vm, source, target)
            assert code in (0, 40)
            return code == 0

        house.until(finished, "the replica has caught up", 60)
        (disk,) = [one for one in house.full(writer.vm)["devices"] if one.get("imageID") == image]
        assert (disk["domainID"], disk["volumeID"]) == (second, leaf)
        prepared = house.ask("prepareImage", house.pool, second, image, leaf)
        assert disk["volumeChain"] == prepared["imgVolumesInfo"]
        house.done("deleteImage", house.domain, house.pool, image)
        writer.write_on()
        writer.house.domain, writer.house.folder = second, folder
        writer.check()
        writer.rest()
        assert writer.verify() > 8
    finally:
        writer.console.close()


def test_a_disk_is_made_larger_under_its_guest(own, guest):
    house = own
    house.start()
    house.make_pool()
    writer = Writer(house, guest, form=COW)
    try:
        size = 96 << 20
        drive = writer.disk
        assert house.ask("diskSizeExtend", writer.vm, drive, str(size))["size"] == str(size)
        assert f"{size >> 9}" in writer.console.does("cat /sys/block/vda/size")
        assert house.code("diskSizeExtend", writer.vm, drive, str(size >> 1)) == 58
        assert house.code("diskSizeExtend", writer.vm, {**drive, "imageID": new_id()}, str(size)) == 13
        info = house.ask("getVolumeInfo", house.domain, house.pool, drive["imageID"], drive["volumeID"])["info"]
        assert info["capacity"] == str(size)
        writer.check()
    finally:
        writer.console.close()
