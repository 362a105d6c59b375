"""The SPM loses its lease in the middle of work: real helpers, a real qemu-img, and a look from outside."""

import os
import signal
import time
from pathlib import Path

import pytest
import pytest_twisted
from contract.storage.losable import LosableLease, LosableLeases
from contract.storage.room import BLANK, POOL, Room, uuid
from twisted.internet.defer import Deferred

from virgate.node.storage.images.qemu_img import QemuImg

DOMAIN, IMAGE, COPY = uuid(2), uuid(3), uuid(3, 9)
SLOW = '#!/bin/sh\n[ "$1" = convert ] && { shift; exec qemu-img convert -r 2M "$@"; }\nexec qemu-img "$@"\n'


@pytest_twisted.async_yield_fixture
async def room(tmp_path):
    """A pool whose master has a disk full of data, and a qemu-img that copies it in half a minute."""
    slow = tmp_path / "slow-qemu-img"
    slow.write_text(SLOW)
    slow.chmod(0o755)
    made = await Room(tmp_path, qemu=QemuImg(str(slow)), plugins=[LosableLeases()]).start()
    made.told = []
    made.events.listen("storage.spm", lambda **fields: made.told.append((fields["role"], fields["reason"])))
    await made.pool()
    await made.volume(1, size=str(64 << 20))
    (made.base / "dom1" / DOMAIN / "images" / IMAGE / uuid(4)).write_bytes(os.urandom(64 << 20))
    yield made
    await made.stop()


def tree(room):
    """Every file of the domain with its bytes on disk and when it was written last."""
    root = room.base / "dom1" / DOMAIN
    return {
        str(path.relative_to(root)): (path.stat().st_size, path.stat().st_blocks, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def programs(word):
    """Processes, zombies left out, with the word in an argument."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdecimal() and word.encode() in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            pass
    return found


async def copying(room, until):
    """A copy that has written something already; its task."""
    verb = ("copyImage", DOMAIN, POOL, BLANK, IMAGE, uuid(4), COPY, uuid(4, 9), "copy", BLANK, 8, 5, 2)
    task = (await room.ask(*verb))["uuid"]
    target = room.base / "dom1" / DOMAIN / "images" / COPY / uuid(4, 9)
    await until(lambda: target.exists() and target.stat().st_blocks > 0)
    return task


@pytest_twisted.ensureDeferred
async def test_after_the_loss_nothing_is_written_by_nobody(room, until):
    await copying(room, until)
    helper = room.helpers[str(room.storage.repository.mount_point(room.folder("dom1")))]
    worker = helper.pid
    os.kill(worker, signal.SIGSTOP)
    asked = [
        Deferred.fromCoroutine(room.code("setVolumeDescription", DOMAIN, POOL, IMAGE, uuid(4), "too late")),
        Deferred.fromCoroutine(room.code("createVolume", DOMAIN, POOL, uuid(3, 5), "4096", 5, 2, 2, uuid(4, 5), "")),
    ]
    LosableLease.made[DOMAIN].lose("the network is cut")
    lost = time.time_ns()
    assert (await room.ask("getSpmStatus", POOL))["spm_st"]["spmStatus"] == "Free"
    assert room.told[-1] == ("Free", "the lease is lost: the network is cut")
    await until(lambda: not programs(COPY))
    at_once = tree(room)
    assert max(written for _, _, written in at_once.values()) < lost + 100_000_000
    assert [await answer for answer in asked] == [654, 407]
    assert not Path(f"/proc/{worker}").exists()
    for late in (
        ("createVolume", DOMAIN, POOL, uuid(3, 6), "4096", 5, 2, 2, uuid(4, 6), ""),
        ("setStoragePoolDescription", POOL, "late"),
        ("activateStorageDomain", DOMAIN, POOL),
    ):
        assert await room.code(*late) == 654
    assert (await room.ask("getVolumesList", DOMAIN, POOL, IMAGE))["uuidlist"] == [uuid(4)]
    assert tree(room) == at_once
    assert room.tasks.tagged("spm") == []


@pytest_twisted.ensureDeferred
async def test_whoever_is_spm_next_undoes_what_was_cut_off(room, until):
    task = await copying(room, until)
    LosableLease.made[DOMAIN].lose("renewal failed")
    await until(lambda: not programs(COPY))
    await room.start_spm()
    await room.tasks.find(task).done()
    status = (await room.ask("getTaskStatus", task))["taskStatus"]
    assert (status["taskState"], status["taskResult"]) == ("finished", "cleanSuccess")
    assert os.listdir(room.base / "dom1" / DOMAIN / "images") == [IMAGE]
    assert [role for role, _ in room.told] == ["Contend", "SPM", "Free", "Contend", "SPM"]


@pytest.mark.parametrize("seen", ["took", "mounted"])
@pytest_twisted.ensureDeferred
async def test_a_lease_lost_in_the_middle_of_the_start_ends_the_start(room, monkeypatch, seen):
    await room.ask("spmStop", POOL)
    master = await room.storage.domains.find(DOMAIN)
    before = (room.base / "dom1" / DOMAIN / "dom_md" / "metadata").read_bytes()

    async def lost_first(*arguments):
        LosableLease.made[DOMAIN].lose("at a bad moment")
        return await real(*arguments)

    where, name = (room.storage.pools.find(POOL).backend, "took") if seen == "took" else (master, "mount_master")
    real = getattr(where, name)
    monkeypatch.setattr(where, name, lost_first)
    status = await room.task("spmStart", POOL, -1, "-1", 0, "false", 250)
    assert status["taskResult"] == "cleanSuccess"
    assert (await room.ask("getSpmStatus", POOL))["spm_st"]["spmStatus"] == "Free"
    after = (room.base / "dom1" / DOMAIN / "dom_md" / "metadata").read_bytes()
    assert (after == before) is (seen == "took")
    monkeypatch.undo()
    await room.start_spm()
