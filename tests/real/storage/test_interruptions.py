"""A change that fails or is cut off at any of its steps is undone as a whole, by this SPM or by the next one."""

import errno
import os

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, Room, uuid
from twisted.internet.defer import Deferred, fail

from virgate.node.storage.assembling import OPERATIONS
from virgate.run.helper import Helpers

DOMAIN, IMAGE = uuid(2), uuid(3)


class Interrupted:
    """Helpers whose countdown-th call that changes something fails, or is never answered."""

    CHANGES = frozenset(
        {
            "write_file", "make_folders", "remove_empty_folder", "link_volume", "reserve_volume", "commit_volume",
            "grow_volume", "remove_volume", "rename_volume", "delete_image", "write_folder_atomically",
        }
    )  # fmt: skip

    def __init__(self):
        self.real = Helpers(OPERATIONS)
        self.left = None
        self.hang = False
        self.cut = Deferred()
        self.seen = 0

    def __getitem__(self, key):
        helper = self.real[key]

        def call(operation, *args, timeout=None):
            if self.left is not None and operation in self.CHANGES:
                self.left -= 1
                self.seen += 1
                if self.left == 0 or (self.hang and self.left < 0):
                    return self._interrupt()
            return helper.call(operation, *args, timeout=timeout)

        return type("Proxy", (), {"call": staticmethod(call)})

    def _interrupt(self):
        if not self.hang:
            return fail(OSError(errno.EIO, "I/O error"))
        if not self.cut.called:
            self.cut.callback(None)
        return Deferred()

    async def drop(self, key):
        await self.real.drop(key)

    async def close(self):
        await self.real.close()


def snapshot_of(room):
    """The files of all images, with the metadata of each."""
    images = room.base / "dom1" / DOMAIN / "images"
    return {
        str(path.relative_to(images)): path.read_bytes() if path.suffix == ".meta" else None
        for path in sorted(images.rglob("*"))
    }


SNAPSHOT = ("createVolume", DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "d", IMAGE, uuid(4, 1))
CLONE = ("createVolume", DOMAIN, POOL, uuid(3, 2), "1", 4, 2, 2, uuid(4, 2), "d", IMAGE, uuid(4, 1))
COPY = ("copyImage", DOMAIN, POOL, BLANK, IMAGE, uuid(4, 1), uuid(3, 2), uuid(4, 2), "d", BLANK, 8)
EXTEND = ("extendVolumeSize", POOL, DOMAIN, IMAGE, uuid(4, 1), "20971520")
JOBS = pytest.mark.parametrize("job", [SNAPSHOT, CLONE, COPY], ids=["snapshot", "clone", "copy"])


def is_whole(room, before, job):
    """Nothing of the job is there, or all of it. A parent that became a template stays one."""
    after = snapshot_of(room)
    left = sorted(set(after) - set(before))
    if not left:
        return all(after[name] == before[name] or b"VOLTYPE=SHARED" in after[name] for name in before if before[name])
    return left == sorted(left) and any(name.endswith(f"{uuid(4, 2)}.meta") for name in left)


@JOBS
@pytest_twisted.ensureDeferred
async def test_a_failure_at_any_step_is_undone_at_once(tmp_path, job):
    helpers = Interrupted()
    room = await Room(tmp_path, helpers=helpers).start()
    try:
        await room.pool()
        await room.volume(1, form=5)
        before, step = snapshot_of(room), 0
        while True:
            step += 1
            helpers.left, helpers.seen = step, 0
            answer = await room.call(*job)
            if answer["status"]["code"] == 0:
                status = await room.wait(answer["uuid"])
                helpers.left = None
                if status["taskResult"] == "success":
                    break
            helpers.left = None
            assert is_whole(room, before, job), (step, sorted(snapshot_of(room)))
            assert uuid(4, 2) not in str(sorted(snapshot_of(room))), step
        assert step > 5
    finally:
        await room.stop()


@JOBS
@pytest.mark.parametrize("step", range(1, 10))
@pytest_twisted.ensureDeferred
async def test_a_crash_at_any_step_is_undone_by_the_next_spm(tmp_path, job, step):
    helpers = Interrupted()
    room = await Room(tmp_path, helpers=helpers).start()
    await room.pool()
    await room.volume(1, form=5)
    before = snapshot_of(room)
    helpers.hang, helpers.left = True, step
    call = Deferred.fromCoroutine(room.call(*job))
    call.addErrback(lambda failure: None)
    answered = Deferred.fromCoroutine(_end_of(room, call))
    answered.addErrback(lambda failure: None)
    await _first(helpers.cut, answered)
    await room.die()

    room = await Room(tmp_path).start()
    try:
        await room.connect()
        await room.start_spm()
        for task in list((await room.ask("getAllTasksStatuses"))["allTasksStatus"]):
            await room.tasks.find(task).done()
        statuses = (await room.ask("getAllTasksStatuses"))["allTasksStatus"].values()
        made = any(status["taskResult"] == "success" for status in statuses)
        assert is_whole(room, before, job), sorted(snapshot_of(room))
        assert (uuid(4, 2) in str(sorted(snapshot_of(room)))) is made
        if made:
            image = IMAGE if job is SNAPSHOT else uuid(3, 2)
            assert (await room.ask("getVolumeInfo", DOMAIN, POOL, image, uuid(4, 2)))["info"]["status"] == "OK"
        else:
            assert (await room.info(1))["voltype"] in ("LEAF", "SHARED")
    finally:
        await room.stop()


async def _end_of(room, call):
    await room.tasks.find((await call)["uuid"]).done()


async def _first(*waiting):
    """Comes back when one of them does."""
    came = Deferred()
    for one in waiting:
        one.addBoth(lambda _: came.called or came.callback(None))
    await came


@pytest_twisted.ensureDeferred
async def test_a_volume_that_could_not_grow_says_the_size_it_has(tmp_path):
    helpers = Interrupted()
    room = await Room(tmp_path, helpers=helpers).start()
    try:
        await room.pool()
        await room.volume(1, form=5)
        path = room.base / "dom1" / DOMAIN / "images" / IMAGE / uuid(4)
        for step in range(1, 5):
            helpers.left = step
            answer = await room.call(*EXTEND)
            if answer["status"]["code"] == 0:
                await room.wait(answer["uuid"])
            helpers.left = None
            assert (await room.info(1))["capacity"] == str(os.stat(path).st_size)
    finally:
        await room.stop()
