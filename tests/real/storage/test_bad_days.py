"""Storage that is full, damaged, gone or in other hands: one clear error, and nothing half made."""

import os
import signal
import subprocess
import sys

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid

DOMAIN, OTHER, IMAGE, VOLUME = uuid(2), uuid(2, 2), uuid(3), uuid(4)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of eight megabytes as the folder of the first domain."""
    folder = tmp_path / "dom1"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("form", [4, 5], ids=["cow", "raw"])
@pytest_twisted.ensureDeferred
async def test_a_full_disk_ends_the_creation_and_leaves_nothing(small_disk, room, form):
    await room.pool()
    status = await room.task("createVolume", DOMAIN, POOL, IMAGE, "67108864", form, 1, 2, VOLUME, "d", BLANK, BLANK)
    assert (status["taskResult"], status["code"]) == ("cleanSuccess", 205)
    assert os.listdir(small_disk / DOMAIN / "images") == []
    await room.volume(2, image=2, size="1048576")


@pytest_twisted.ensureDeferred
async def test_a_disk_without_a_byte_left_keeps_the_metadata_it_has(small_disk, room):
    await room.pool()
    await room.volume(1)
    metadata = small_disk / DOMAIN / "images" / IMAGE / f"{VOLUME}.meta"
    before = metadata.read_bytes()
    with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(b"x" * 4096)
    assert await room.code("setVolumeDescription", DOMAIN, POOL, IMAGE, VOLUME, "another") == 100
    assert metadata.read_bytes() == before
    assert await room.code("createVolume", DOMAIN, POOL, uuid(3, 2), "1048576", 4, 2, 2, uuid(4, 2), "d") != 0
    (small_disk / "filler").unlink()
    assert await room.code("setVolumeDescription", DOMAIN, POOL, IMAGE, VOLUME, "another") == 0
    assert sorted(os.listdir(small_disk / DOMAIN / "images")) == [IMAGE]


@pytest_twisted.ensureDeferred
async def test_a_truncated_metadata_file_is_752_and_only_that_domain_suffers(room):
    await room.domain(1)
    await room.domain(2)
    metadata = room.base / "dom1" / DOMAIN / "dom_md" / "metadata"
    metadata.write_bytes(metadata.read_bytes()[:60] + b"\n_SHA_CKSUM=0\n")
    assert await room.code("getStorageDomainInfo", DOMAIN) == 752
    assert await room.code("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1) == 379
    room.storage.domains.forget()
    assert (await room.ask("getStorageDomainsList"))["domlist"] == [OTHER]
    assert await room.code("getStorageDomainInfo", DOMAIN) == 752
    assert await room.code("createStorageDomain", 4, DOMAIN, "x", room.folder("dom1"), 1, "5") == 365
    assert await room.code("formatStorageDomain", DOMAIN) == 0
    assert os.listdir(room.folder("dom1")) == []


@pytest.mark.parametrize("content", [b"", b"\0" * 512, b"garbage\xff\xfe\n", b"VERSION=5\n"])
@pytest_twisted.ensureDeferred
async def test_metadata_that_are_none_are_a_clear_error(room, content):
    await room.domain()
    (room.base / "dom1" / DOMAIN / "dom_md" / "metadata").write_bytes(content)
    assert await room.code("getStorageDomainInfo", DOMAIN) in (749, 751, 752)


@pytest_twisted.ensureDeferred
async def test_a_truncated_volume_metadata_file_makes_that_volume_invalid(room):
    await room.pool()
    await room.volume(1)
    await room.volume(2, image=2)
    (room.base / "dom1" / DOMAIN / "images" / IMAGE / f"{VOLUME}.meta").write_bytes(b"CAP=10485760\nCTI")
    assert (await room.info(1))["status"] == "INVALID"
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, VOLUME) == 751
    assert (await room.info(2, image=2))["status"] == "OK"
    await room.done("deleteImage", DOMAIN, POOL, IMAGE)


@pytest.mark.parametrize("bad", ["..", "../../../etc", "/etc", "", uuid(3).upper(), f"{uuid(3)}/.."])
@pytest_twisted.ensureDeferred
async def test_ids_that_would_leave_the_domain_are_refused_everywhere(room, bad):
    await room.pool()
    await room.volume(1)
    refused = (201, 254, 268, 309, 358, 1000)
    assert await room.code("getVolumeInfo", DOMAIN, POOL, bad, VOLUME) in refused
    assert await room.code("getVolumeInfo", DOMAIN, POOL, IMAGE, bad) in refused
    assert await room.code("getVolumeInfo", bad, POOL, IMAGE, VOLUME) in refused
    assert await room.code("prepareImage", BLANK, DOMAIN, bad, VOLUME) in refused
    assert await room.code("teardownImage", BLANK, DOMAIN, bad) in refused
    assert await room.code("deleteImage", DOMAIN, POOL, bad) in refused
    assert await room.code("deleteVolume", DOMAIN, POOL, bad, [VOLUME]) in refused
    assert await room.code("formatStorageDomain", bad) in refused
    assert await room.code("connectStoragePool", bad, 1, bad, DOMAIN, 1) in (*refused, 323)
    assert await room.code("removeVM", POOL, bad) in refused
    assert (await room.info(1))["status"] == "OK"


@pytest_twisted.ensureDeferred
async def test_a_connection_with_dots_is_not_made(room):
    folder = room.folder("dom1")
    answer = await room.ask("connectStorageServer", 4, BLANK, [{"id": "a", "connection": f"{folder}/../dom1"}])
    assert answer["statuslist"] == [{"id": "a", "status": 469}]
    assert os.listdir(room.base / "data-center" / "mnt") == []


@pytest_twisted.ensureDeferred
async def test_a_helper_that_dies_is_replaced_and_nothing_is_lost(room):
    await room.pool()
    await room.volume(1)
    mount = str(room.storage.repository.mount_point(room.folder("dom1")))
    os.kill(room.helpers[mount].pid, signal.SIGKILL)
    codes = [await room.code("getVolumeInfo", DOMAIN, POOL, IMAGE, VOLUME) for _ in range(3)]
    assert codes[-1] == 0, codes
    await room.volume(2, image=2)
    assert (await room.ask("getSpmStatus", POOL))["spm_st"]["spmStatus"] == "SPM"


@pytest_twisted.ensureDeferred
async def test_a_domain_that_another_process_manages_is_not_taken(room):
    await room.domain()
    await room.ask("createStoragePool", 0, POOL, "dc1", DOMAIN, [DOMAIN], 1)
    await room.connect()
    ids = room.base / "dom1" / DOMAIN / "dom_md" / "ids"
    text = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, 2); print('locked', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", text, ids], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"locked\n"
        status = await room.task("spmStart", POOL, -1, "-1", 0, "false")
        assert (status["taskResult"], status["code"]) == ("cleanSuccess", 651)
        assert (await room.ask("getSpmStatus", POOL))["spm_st"] == {"spmStatus": "Free", "spmLver": -1, "spmId": -1}
    finally:
        other.kill()
        other.communicate()
    await room.start_spm()


@pytest_twisted.ensureDeferred
async def test_two_daemons_never_are_spm_of_one_pool(room, tmp_path):
    await room.pool()
    (tmp_path / "second").mkdir()
    other = await Room(tmp_path / "second").start()
    try:
        folder = room.folder("dom1")
        await other.ask("connectStorageServer", 4, BLANK, [{"id": "a", "connection": folder}])
        await other.ask("connectStoragePool", POOL, 2, POOL, DOMAIN, 1)
        assert (await other.task("spmStart", POOL, 1, "0", 0, "false"))["code"] == 651
        await room.ask("spmStop", POOL)
        await other.done("spmStart", POOL, -1, "0", 0, "false")
        assert (await other.ask("getSpmStatus", POOL))["spm_st"] == {"spmStatus": "SPM", "spmLver": 1, "spmId": 2}
    finally:
        await other.stop()


@pytest_twisted.ensureDeferred
async def test_a_domain_that_vanished_is_told_once_and_found_again(room):
    await room.pool(domains=2)
    told = []
    room.events.listen("storage.domain", lambda **fields: told.append((fields["domain"], fields["code"])))
    monitor = room.storage.monitors[OTHER]
    await monitor.check()
    told.clear()
    folder, away = room.base / "dom2" / OTHER, room.base / "dom2" / "away"
    folder.rename(away)
    await monitor.check()
    await monitor.check()
    assert (await room.ask("repoStats"))[OTHER]["code"] == 358
    away.rename(folder)
    await monitor.check()
    assert told == [(OTHER, 358), (OTHER, 0)]
    assert await room.code("deactivateStorageDomain", OTHER, POOL, BLANK, 0) == 0
