"""A machine sleeps on storage and wakes up: a whole daemon, a real pool, a real guest that counts on."""

import pytest
from real.whole.house import SHELL, new_id
from real.whole.sleeper import CONSOLE, DISK, Sleeper
from real.whole.test_documents import document

pytestmark = pytest.mark.usefixtures("guest")


@pytest.fixture
def sleeper(house, tmp_path):
    return Sleeper(house, tmp_path / "console")


def test_a_guest_wakes_up_where_it_fell_asleep(house, sleeper):
    handle, before = sleeper.bed(), float(house.stats(sleeper.vm)["elapsedTime"])
    size = sleeper.file(handle, 1).stat().st_size
    assert house.ask("hibernate", sleeper.vm, handle)["status"]["message"] == "Hibernation process starting"
    assert house.stats(sleeper.vm)["status"] in ("Saving State", "Down")
    stats = house.failed(sleeper.vm)
    assert (stats["exitCode"], stats["exitReason"], stats["exitMessage"]) == (0, 5, "SaveState succeeded")
    told = house.ask("migrateStatus", sleeper.vm)["migrationStats"]
    assert told["status"] == {"code": 0, "message": "SaveState done"}
    assert house.prepared() == []
    assert sleeper.file(handle, 1).stat().st_size == size
    house.ask("destroy", sleeper.vm)
    assert sleeper.vm not in house.defined()

    sleeper.wake(handle, custom={"colour": "of the request"})
    assert house.stats(sleeper.vm)["status"] in ("Restoring state", "Up")
    house.until_status(sleeper.vm, "Up")
    sleeper.goes_on()
    assert float(house.stats(sleeper.vm)["elapsedTime"]) > before
    full = house.full(sleeper.vm)
    assert full["custom"]["colour"] == "green"
    assert "hiberVolHandle" not in full
    assert len(house.prepared()) == 1

    again = sleeper.bed()
    sleeper.sleep(again)
    sleeper.wake(again, launchPaused="true")
    house.until_status(sleeper.vm, "Paused")
    house.ask("cont", sleeper.vm)
    sleeper.goes_on()


def test_a_save_that_fails_leaves_a_guest_that_goes_on(house, sleeper):
    nowhere = ",".join((house.domain, house.pool, new_id(), new_id(), new_id(), new_id()))
    house.ask("hibernate", sleeper.vm, nowhere)
    house.until_status(sleeper.vm, "Up", "Powering up")
    assert house.ask("migrateStatus", sleeper.vm)["migrationStats"]["status"]["code"] == 12
    house.script("before_vm_hibernate", f"{SHELL}echo not now >&2; exit 1\n")
    handle = sleeper.bed()
    house.ask("hibernate", sleeper.vm, handle)
    house.until_status(sleeper.vm, "Up", "Powering up")
    status = house.ask("migrateStatus", sleeper.vm)["migrationStats"]["status"]
    assert (status["code"], "not now" in status["message"]) == (12, True)
    assert house.state(sleeper.vm) == "running"
    sleeper.goes_on()
    house.no_scripts()
    sleeper.sleep(handle)


def test_memory_that_is_none_is_told_with_the_prefix_and_bad_parameters_are_not_needed(house, sleeper):
    handle = sleeper.bed()
    sleeper.sleep(handle)
    memory, conf = sleeper.file(handle, 0), sleeper.file(handle, 1)
    good = memory.read_bytes()
    memory.write_bytes(b"no memory at all" * 1000)
    sleeper.wake(handle)
    message = house.failed(sleeper.vm)["exitMessage"]
    assert message.startswith("Wake up from hibernation failed:") and "image" in message
    assert house.prepared() == []
    house.ask("destroy", sleeper.vm)
    memory.write_bytes(good)
    conf.write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR." + b"\0" * 10000)
    sleeper.wake(handle)
    house.until_status(sleeper.vm, "Up")
    assert house.told("wakes up with the parameters it is asked for", "not for plain values")
    sleeper.goes_on()


def test_a_snapshot_s_memory_wakes_up_on_the_volumes_that_are_on_top_now(house, sleeper):
    handle, disk = sleeper.bed(), sleeper.disk
    on_top = dict(disk, volumeID=new_id())
    arguments = [house.domain, house.pool, disk["imageID"], str(1 << 20), 4, 2, "DATA", on_top["volumeID"], "of a test"]
    house.done("createVolume", *arguments, disk["imageID"], disk["volumeID"])
    drive = {
        "domainID": house.domain,
        "imageID": disk["imageID"],
        "baseVolumeID": disk["volumeID"],
        "volumeID": on_top["volumeID"],
    }
    house.ask("snapshot", sleeper.vm, [drive], handle)
    house.until(lambda: sleeper.file(handle, 1).read_bytes()[:1] == b"\x80", "the parameters are written")
    house.until_status(sleeper.vm, "Up", "Powering up")
    house.unplug(sleeper.vm)
    house.ask("destroy", sleeper.vm)
    sleeper.console.write_text("")
    sleeper.wake(handle, devices=[{**DISK, **on_top, "format": "cow"}, CONSOLE])
    house.until_status(sleeper.vm, "Up")
    house.until(lambda: sleeper.counted() > 0, "it counts on")
    assert "VIRGATE-GUEST-UP" not in sleeper.said()
    assert on_top["volumeID"] in house.xml(sleeper.vm)


def test_a_machine_that_is_given_as_a_document_sleeps_too_with_the_two_volumes_as_maps(house):
    vm, disk, text = document(house)
    house.ask("create", {"vmId": vm, "xml": text})
    house.until_status(vm, "Up", "Powering up")
    memory, conf = house.make_volume(size=64 << 20), house.make_volume(size=10240, kind=1)
    names = (memory["imageID"], memory["volumeID"], conf["imageID"], conf["volumeID"])
    house.ask("hibernate", vm, ",".join((house.domain, house.pool, *names)))
    assert house.failed(vm)["exitReason"] == 5
    house.ask("destroy", vm)
    house.ask("create", {"vmId": vm, "xml": text, "memoryDumpVolume": memory, "memoryConfVolume": conf})
    house.until_status(vm, "Up", "Powering up")
    assert disk["volumeID"] in house.xml(vm)
    full = house.full(vm)
    assert full["custom"]["title"] == "a title & more"
    assert not {"memoryDumpVolume", "memoryConfVolume"} & full.keys()
    assert len(house.left_behind(vm)) == 1, "its payload"
