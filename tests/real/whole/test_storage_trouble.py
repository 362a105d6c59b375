"""Storage that is full, damaged, hung or interrupted, under a running daemon."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from real.whole.house import BLANK, new_id

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
PREALLOCATED, SPARSE, RAW, COW = 1, 2, 5, 4


@pytest.fixture
def small(build, tmp_path):
    """A running house whose domain is a file system of 10 MiB."""
    house = build(tmp_path)
    house.folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", house.folder], check=True)
    try:
        house.start()
        house.make_pool()
        yield house
    finally:
        house.close()
        subprocess.run(["umount", "--lazy", house.folder], check=True)


@pytest.mark.parametrize(("form", "kind"), [(RAW, PREALLOCATED), (COW, PREALLOCATED)], ids=["raw", "cow"])
def test_a_full_disk_ends_createvolume_and_nothing_half_made_stays(small, form, kind):
    free = os.statvfs(small.folder).f_bavail
    ended = small.task("createVolume", *small.volume_arguments(new_id(), new_id(), 64 << 20, form, kind))
    assert (ended["taskState"], ended["taskResult"]) == ("finished", "cleanSuccess")
    assert ended["code"] != 0
    assert ended["message"]
    assert small.images() == []
    assert os.statvfs(small.folder).f_bavail == free
    small.goes_on()
    small.make_volume()


def test_a_disk_without_one_free_byte_refuses_and_serves_again_when_there_is_room(small):
    kept = small.make_volume()
    filler = small.folder / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
    image, volume = new_id(), new_id()
    answer = small.call("createVolume", *small.volume_arguments(image, volume))
    if answer["status"]["code"] == 0:
        assert small.wait(answer["uuid"])["code"] != 0
    assert small.images() == [kept["imageID"]]
    ids = (small.domain, small.pool, kept["imageID"], kept["volumeID"])
    assert small.ask("getVolumeInfo", *ids)["info"]["status"] == "OK"
    assert small.code("setVolumeDescription", *ids, "changed") != 0
    filler.unlink()
    assert small.ask("getVolumeInfo", *ids)["info"]["description"] == "of a test"
    small.ask("setVolumeDescription", *ids, "changed")
    small.done("createVolume", *small.volume_arguments(image, volume))
    assert small.images() == sorted([kept["imageID"], image])


GARBAGE = {"empty": b"", "zeros": bytes(512), "binary": bytes(range(256)), "cut": None, "words": b"all is well\n"}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_damaged_metadata_of_a_volume_hurt_that_volume_alone(house, content):
    bad, good = house.make_volume(), house.make_volume()
    path = house.folder / house.domain / "images" / bad["imageID"] / f"{bad['volumeID']}.meta"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    vm = house.create(devices=[{**DISK, **good}, {**DISK, **bad}])
    assert house.failed(vm)["exitMessage"]
    assert house.prepared() == []
    ids = (house.pool, house.domain, bad["imageID"], bad["volumeID"])
    assert house.code("prepareImage", *ids) in (748, 749, 751, 752)
    path.write_bytes(whole)
    house.ask("prepareImage", *ids)
    house.ask("teardownImage", *ids)


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_damaged_metadata_of_a_domain_hurt_that_domain_alone(house, tmp_path, content):
    other = new_id()
    house.connect_folder(tmp_path)
    house.ask("createStorageDomain", 4, other, "other", str(tmp_path), 1, "5")
    path = tmp_path / other / "dom_md/metadata"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    for verb in ("getStorageDomainInfo", "validateStorageDomain"):
        assert house.code(verb, other) in (748, 749, 751, 752)
    assert house.domain in house.ask("getStorageDomainsList")["domlist"]
    house.ask("getStorageDomainInfo", house.domain)
    house.make_volume()
    path.write_bytes(whole)
    assert house.ask("getStorageDomainInfo", other)["info"]["name"] == "other"
    house.ask("formatStorageDomain", other)
    house.ask("disconnectStorageServer", 4, BLANK, [{"id": "1", "connection": str(tmp_path)}])


# -- helper processes


def workers(house):
    children = Path(f"/proc/{house.process.pid}/task/{house.process.pid}/children").read_text().split()
    return {pid for pid in map(int, children) if b"virgate.run.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


@pytest.fixture
def two(own, tmp_path):
    """A house with a pool and a second domain, and the pid of the second domain's helper."""
    own.start("--set=storage.patience=2", "--set=storage.monitor_interval=3600")
    own.make_pool()
    before = workers(own)
    own.second, own.place = new_id(), tmp_path / "second"
    own.place.mkdir()
    own.connect_folder(own.place)
    own.ask("createStorageDomain", 4, own.second, "second", str(own.place), 1, "5")
    own.ask("getStorageDomainInfo", own.second)
    (own.helper,) = workers(own) - before
    yield own
    for pid in workers(own) if own.process.poll() is None else ():
        os.kill(pid, signal.SIGCONT)


def elsewhere(house):
    """Everything that has nothing to do with the second domain."""
    house.goes_on()
    house.ask("getStorageDomainInfo", house.domain)
    house.make_volume()


@pytest.mark.parametrize("how", [signal.SIGKILL, None], ids=["killed", "stopped"])
def test_a_helper_lost_in_the_middle_of_a_verb_fails_that_verb_alone(two, how):
    os.kill(two.helper, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(two.beside().call, "getStorageDomainInfo", two.second)
        elsewhere(two)
        if how:
            os.kill(two.helper, how)
        status = waiting.result(20)["status"]
    assert status["code"] != 0
    assert status["message"].startswith("Helper "), status
    assert "was lost during" in status["message"]
    two.ask("getStorageDomainInfo", two.second)
    assert two.helper not in workers(two)


def test_domains_are_found_although_another_one_hangs(two):
    os.kill(two.helper, signal.SIGSTOP)
    started = time.monotonic()
    assert house_domains(two) >= {two.domain}
    assert two.code("getStorageDomainInfo", new_id()) == 358
    assert time.monotonic() - started < 15
    assert house_domains(two) == {two.domain, two.second}


def house_domains(house):
    return set(house.ask("getStorageDomainsList")["domlist"])


# -- the daemon itself dies


def test_createvolume_that_kill_9_interrupts_is_undone_when_the_spm_starts_again(own):
    own.start()
    own.make_pool()
    kept = own.make_volume()
    for delay in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08):
        image, volume = new_id(), new_id()
        task = own.ask("createVolume", *own.volume_arguments(image, volume, 8 << 20, COW, PREALLOCATED))["uuid"]
        time.sleep(delay)  # an arbitrary moment is what is tested
        own.kill()
        own.start()
        own.rejoin()
        tasks = own.ask("getAllTasksStatuses")["allTasksStatus"]
        assert set(tasks) <= {task}
        ended = own.wait(task) if tasks else {"taskResult": "never began"}
        made = own.images() == sorted([kept["imageID"], image])
        if ended["taskResult"] == "success":
            assert made
            ids = (own.domain, own.pool, image, volume)
            assert own.ask("getVolumeInfo", *ids)["info"]["status"] == "OK"
            own.done("deleteImage", own.domain, own.pool, image)
        assert own.images() == [kept["imageID"]], ended
        own.done("createVolume", *own.volume_arguments(image, volume))
        own.done("deleteImage", own.domain, own.pool, image)
    assert os.listdir(own.folder / own.domain / "master/tasks") == []


def test_helpers_of_a_killed_daemon_end_with_it(own):
    own.start()
    own.make_pool()
    pids = workers(own)
    assert pids
    own.kill()
    ends = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < ends
        time.sleep(0.02)
