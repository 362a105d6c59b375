"""What is on disk when, and what the next process makes of it."""

import pytest
import pytest_twisted
from attrs import define
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from virgate.node.storage.formats import task_files
from virgate.node.storage.formats.task_files import JobRecord, Outcome, TaskRecord
from virgate.node.tasks.errors import TaskNotRemoved, TaskNotSaved
from virgate.node.tasks.states import State
from virgate.node.tasks.store import DirectFiles, TaskStore


def waiting_job(until, *steps):
    async def job(task):
        await task.recovery(*steps)
        return await until

    return job


async def quick_job(task):
    return {"uuid": "a volume"}


def on_disk(folder, task):
    files = {file.name: file.read_bytes() for file in (folder / task.id).iterdir()}
    return task_files.decode(task.id, files)


@define
class BrittleFiles(DirectFiles):
    """A disk that is full when the test says so, and counts."""

    full: bool = False
    writes: int = 0

    async def write_folder_atomically(self, folder, files):
        self.writes += 1
        if self.full:
            raise OSError(28, "No space left on device", folder)
        await super().write_folder_atomically(folder, files)

    async def remove_folder(self, folder):
        if self.full:
            raise OSError(5, "Input/output error", folder)
        await super().remove_folder(folder)


@pytest.fixture
def brittle(tmp_path):
    files = BrittleFiles()
    return files, TaskStore(tmp_path, files)


@pytest_twisted.ensureDeferred
async def test_a_task_is_on_disk_before_its_id_is_known(room, tmp_path):
    task = await room.tasks.start("x", waiting_job(Deferred()), store=room.store, command="createVolume('a=b')")
    stored = on_disk(tmp_path, task)
    assert (stored.id, stored.verb, stored.tag, stored.store) == (task.id, "x", "spm", str(tmp_path))
    assert (stored.recovery_policy, stored.persist_policy, stored.clean_policy) == ("auto", "auto", "manual")
    assert stored.jobs == (JobRecord("x", "createVolume('a=b')"),)
    assert stored.outcome is None


@pytest_twisted.ensureDeferred
async def test_a_rollback_step_is_on_disk_before_the_job_goes_on(room, tmp_path, a_step):
    seen = []

    async def job(task):
        await task.recovery(a_step("1"), a_step("2"))
        seen.append(on_disk(tmp_path, task))

    await room.tasks.start("x", job, store=room.store)
    assert seen[0].state == "running"
    assert [step.params for step in seen[0].recoveries] == [("1",), ("2",)]


@pytest_twisted.ensureDeferred
async def test_a_finished_task_leaves_its_result_as_text(room, tmp_path):
    task = await room.tasks.start("x", quick_job, store=room.store)
    stored = on_disk(tmp_path, task)
    assert stored.state == "finished"
    assert stored.outcome == Outcome(0, "job completed", "{'uuid': 'a volume'}")


@pytest_twisted.ensureDeferred
async def test_a_job_with_all_steps_known_beforehand_costs_two_writes(brittle, room, a_step):
    files, store = brittle

    async def job(task):
        await task.replace_recoveries("sentinel", a_step("whole"))

    await room.tasks.start("x", job, store=store, recoveries=[a_step(name="sentinel"), a_step("half")])
    assert files.writes == 2


@pytest_twisted.ensureDeferred
async def test_tasks_without_a_store_write_nothing(room, tmp_path):
    await room.tasks.start("spmStart", quick_job, tag="hsm")
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_nothing_is_started_when_the_journal_cannot_be_written(brittle, room, a_step):
    files, store = brittle
    files.full = True
    with pytest.raises(TaskNotSaved) as refused:
        await room.tasks.start("x", quick_job, store=store)
    assert refused.value.code == 407
    assert room.tasks.all() == {}


@pytest_twisted.ensureDeferred
async def test_a_success_that_cannot_be_written_down_is_undone(brittle, room, a_step):
    files, store = brittle

    async def job(task):
        files.full = True
        return {"uuid": "a volume that is gone again"}

    task = await room.tasks.start("x", job, store=store, recoveries=[a_step("1")])
    assert room.undone == [("1",)]
    assert room.tasks.status(task.id)["taskResult"] == "cleanSuccess"
    assert room.tasks.status(task.id)["code"] == 100
    assert room.tasks.all()[task.id]["result"] == ""


@pytest_twisted.ensureDeferred
async def test_what_fails_to_end_well_is_written_as_undone_once_there_is_room(brittle, room, tmp_path):
    files, store = brittle

    async def make_room():
        files.full = False

    room.recoveries.add("Test", "make_room", make_room)

    async def job(task):
        files.full = True
        return "a result"

    step = task_files.Recovery("x", "test", "Test", "make_room")
    task = await room.tasks.start("x", job, store=store, recoveries=[step])
    assert on_disk(tmp_path, task).state == "recovered"
    assert on_disk(tmp_path, task).outcome is None


@pytest_twisted.ensureDeferred
async def test_a_hanging_rollback_after_an_end_that_was_not_written_can_be_forced(brittle, room):
    files, store = brittle

    async def hang():
        await Deferred()

    room.recoveries.add("Test", "hang", hang)

    async def job(task):
        files.full = True

    step = task_files.Recovery("x", "test", "Test", "hang")
    task = await room.tasks.start("x", job, store=store, recoveries=[step])
    room.tasks.stop(task.id, force=True)
    assert room.tasks.status(task.id)["taskResult"] == "cleanFailure"


@pytest_twisted.ensureDeferred
async def test_a_job_that_ignores_its_stop_is_never_written_as_a_success(tmp_path, room, a_step):
    written = []

    class WatchedFiles(DirectFiles):
        async def write_folder_atomically(self, folder, files):
            written.append([name for name in files if name.endswith(".result")])
            await super().write_folder_atomically(folder, files)

    async def stubborn(task):
        try:
            await Deferred()
        except CancelledError:
            return "done all the same"

    task = await room.tasks.start("x", stubborn, store=TaskStore(tmp_path, WatchedFiles()), recoveries=[a_step("1")])
    room.tasks.stop(task.id)
    assert room.undone == [("1",)]
    assert room.tasks.status(task.id)["code"] == 411
    assert written == [[], []]


@pytest_twisted.ensureDeferred
async def test_after_the_point_of_no_return_the_next_process_undoes_nothing(room, a_step):
    async def job(task):
        await task.recovery(a_step("1"))
        await task.forget_recoveries()
        await Deferred()

    task = await room.tasks.start("mergeSnapshots", job, store=room.store)
    later = room.another()
    await later.tasks.load(later.store)
    later.tasks.recover()
    assert later.undone == []
    assert later.tasks.status(task.id)["taskResult"] == "cleanSuccess"


@pytest_twisted.ensureDeferred
async def test_what_is_concluded_is_a_success_for_the_next_process_whatever_the_job_still_does(room, a_step):
    async def job(task):
        await task.recovery(a_step("1"))
        await task.conclude()
        await Deferred()

    task = await room.tasks.start("moveImage", job, store=room.store)
    assert room.tasks.status(task.id)["taskState"] == "running"
    later = room.another()
    await later.tasks.load(later.store)
    later.tasks.recover()
    assert (later.undone, later.tasks.status(task.id)["taskResult"]) == ([], "success")
    assert later.tasks.status(task.id)["message"] == "job completed"


@pytest_twisted.ensureDeferred
async def test_nobody_is_told_of_an_end_before_it_is_on_disk(brittle, room, tmp_path, a_step):
    files, store = brittle
    tidied = []

    async def job(task):
        await task.recovery(a_step("1"))
        files.full = True
        await task.conclude()
        tidied.append(task.id)

    task = await room.tasks.start("mergeSnapshots", job, store=store)
    room.tasks.stop(task.id)
    room.clock.pump([1, 2])
    assert (room.tasks.status(task.id)["taskState"], tidied) == ("running", [])
    assert on_disk(tmp_path, task).state == "running"
    files.full = False
    room.clock.advance(4)
    assert (room.tasks.status(task.id)["taskResult"], tidied) == ("success", [task.id])
    assert (on_disk(tmp_path, task).state, on_disk(tmp_path, task).recoveries) == ("finished", ())


@pytest_twisted.ensureDeferred
async def test_an_end_that_cannot_be_noted_for_too_long_is_told_and_the_next_spm_undoes_it(
    brittle, room, tmp_path, a_step
):
    files, store = brittle
    tidied = []

    async def job(task):
        await task.recovery(a_step("1"))
        files.full = True
        await task.conclude()
        tidied.append(task.id)

    task = await room.tasks.start("mergeSnapshots", job, store=store)
    room.clock.pump([8] * 50)
    assert (room.tasks.status(task.id)["taskResult"], tidied) == ("success", [])
    assert (on_disk(tmp_path, task).state, len(on_disk(tmp_path, task).recoveries)) == ("running", 1)


@pytest_twisted.ensureDeferred
async def test_neither_a_stop_nor_a_failure_takes_back_what_is_concluded(room, a_step):
    tidying = Deferred()

    async def job(task):
        await task.recovery(a_step("1"))
        await task.conclude()
        await tidying

    task = await room.tasks.start("moveImage", job, store=room.store)
    room.tasks.stop(task.id)
    assert not tidying.called
    tidying.errback(OSError(5, "I/O error"))
    assert room.undone == []
    status = room.tasks.status(task.id)
    assert (status["taskResult"], status["code"], status["message"]) == ("success", 0, "job completed")
    assert room.states(task.id)[-1] == ("finished", "success")


@pytest_twisted.ensureDeferred
async def test_a_job_that_was_stopped_concludes_nothing(room, a_step):
    going = Deferred()

    async def job(task):
        await task.recovery(a_step("1"))
        try:
            await going
        except CancelledError:
            await task.conclude()

    task = await room.tasks.start("moveImage", job, store=room.store)
    room.tasks.stop(task.id)
    assert room.undone == [("1",)]
    assert (room.tasks.status(task.id)["taskResult"], room.tasks.status(task.id)["code"]) == ("cleanSuccess", 411)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_undone_is_told_as_it_is_though_it_cannot_be_written_down(brittle, room, a_step):
    files, store = brittle

    async def deletes(task):
        files.full = True

    async def concludes(task):
        await task.recovery(a_step("1"))
        await task.conclude()
        files.full = True

    for job in (deletes, concludes):
        files.full = False
        task = await room.tasks.start("deleteVolume", job, store=store)
        assert room.tasks.status(task.id)["taskResult"] == "success"
    assert room.undone == []


@pytest_twisted.ensureDeferred
async def test_saves_of_one_task_never_overtake_each_other(tmp_path, room, a_step):
    gates, order = [], []

    class SlowFiles(DirectFiles):
        async def write_folder_atomically(self, folder, files):
            order.append(sum(".recover." in name for name in files))
            if len(order) > 1:
                gates.append(Deferred())
                await gates[-1]

    async def job(task):
        await gatherResults([Deferred.fromCoroutine(task.recovery(a_step(str(number)))) for number in range(3)])

    await room.tasks.start("x", job, store=TaskStore(tmp_path, SlowFiles()))
    for running in range(1, 5):
        assert len(gates) == running, "two saves at once"
        gates[-1].callback(None)
    assert order == [0, 1, 3, 3, 3]


@pytest_twisted.ensureDeferred
async def test_a_task_whose_folder_cannot_be_removed_stays_listed(brittle, room):
    files, store = brittle
    task = await room.tasks.start("x", quick_job, store=store)
    files.full = True
    with pytest.raises(TaskNotRemoved) as refused:
        await room.tasks.clear(task.id)
    assert refused.value.code == 402
    files.full = False
    await room.tasks.clear(task.id)


@pytest_twisted.ensureDeferred
async def test_an_end_is_shown_only_when_it_is_on_disk(tmp_path, room):
    writing = Deferred()

    class SlowFiles(DirectFiles):
        async def write_folder_atomically(self, folder, files):
            if any(name.endswith(".result") for name in files):
                await writing
            await super().write_folder_atomically(folder, files)

    task = await room.tasks.start("x", quick_job, store=TaskStore(tmp_path, SlowFiles()))
    assert room.tasks.status(task.id)["taskState"] == "running"
    room.tasks.stop(task.id)  # too late: it may be on disk already
    writing.callback(None)
    assert room.tasks.status(task.id)["taskResult"] == "success"


@pytest_twisted.ensureDeferred
async def test_the_next_process_undoes_an_unfinished_task_and_lists_a_finished_one(room, tmp_path, a_step):
    done = await room.tasks.start("x", quick_job, store=room.store)
    cut = await room.tasks.start("x", waiting_job(Deferred(), a_step("1"), a_step("2")), store=room.store)
    later = room.another()
    assert {task.id for task in await later.tasks.load(later.store)} == {done.id, cut.id}
    assert later.undone == []
    assert later.tasks.recover() == [later.tasks.find(cut.id)]
    assert later.undone == [("2",), ("1",)]
    status = later.tasks.status(cut.id)
    assert (status["taskState"], status["taskResult"], status["code"]) == ("finished", "cleanSuccess", 0)
    assert on_disk(tmp_path, cut).state == "recovered"
    assert later.tasks.all()[done.id]["result"] == "{'uuid': 'a volume'}"
    assert later.tasks.status(done.id)["taskResult"] == "success"


@pytest_twisted.ensureDeferred
async def test_a_finished_task_can_be_reverted_by_the_next_process(room, a_step):
    done = await room.tasks.start("x", quick_job, store=room.store, recoveries=[a_step("1")])
    later = room.another()
    await later.tasks.load(later.store)
    later.tasks.revert(done.id)
    assert later.undone == [("1",)]


@pytest_twisted.ensureDeferred
async def test_what_is_known_already_is_not_loaded_again(room):
    task = await room.tasks.start("x", quick_job, store=room.store)
    assert await room.tasks.load(room.store) == []
    room.tasks.forget_done()
    assert room.tasks.statuses() == {}
    assert [loaded.id for loaded in await room.tasks.load(room.store)] == [task.id]


@pytest_twisted.ensureDeferred
async def test_forgetting_done_tasks_leaves_running_ones_and_other_tags(room):
    hsm = await room.tasks.start("spmStart", quick_job, tag="hsm")
    await room.tasks.start("x", quick_job, store=room.store)
    running = await room.tasks.start("x", waiting_job(Deferred()), store=room.store)
    room.tasks.forget_done()
    assert set(room.tasks.all()) == {hsm.id, running.id}
    assert room.tasks.busy() == [running]


@pytest_twisted.ensureDeferred
async def test_abandoned_tasks_are_ended_and_neither_undone_nor_written(room, tmp_path, a_step):
    gate = Deferred()
    task = await room.tasks.start("x", waiting_job(gate, a_step("1")), store=room.store)
    hsm = await room.tasks.start("spmStart", waiting_job(Deferred()), tag="hsm")
    await room.tasks.abandon()
    assert gate.called
    assert room.undone == []
    assert on_disk(tmp_path, task).state in ("queued", "running")
    assert list(room.tasks.all()) == [hsm.id]
    await room.tasks.abandon(None)
    assert room.tasks.all() == {}


@pytest_twisted.ensureDeferred
async def test_listeners_are_not_told_of_an_end_that_is_none(room):
    task = await room.tasks.start("x", waiting_job(Deferred()), store=room.store)
    await room.tasks.abandon()
    assert room.states(task.id) == [("running", "")]


@pytest_twisted.ensureDeferred
async def test_a_revert_is_on_disk_before_anything_is_undone(room, tmp_path, a_step):
    seen = []

    async def look():
        seen.append(on_disk(tmp_path, task))
        await Deferred()

    room.recoveries.add("Test", "look", look)
    task = await room.tasks.start("x", quick_job, store=room.store, recoveries=[a_step("1"), a_step(function="look")])
    room.tasks.revert(task.id)
    assert seen[0].state == "racquiring"
    later = room.another()
    await later.tasks.load(later.store)
    later.tasks.recover()
    assert later.undone == [("1",)]
    assert later.tasks.status(task.id)["taskResult"] == "cleanSuccess"


@pytest_twisted.ensureDeferred
async def test_a_task_that_waits_for_a_hand_ends_as_failed_when_stopped(room, a_step):
    await room.store.save(TaskRecord(id="t", verb="x", tag="spm", state="waitrecover", recoveries=(a_step("1"),)))
    await room.tasks.load(room.store)
    room.tasks.recover()
    assert [task.id for task in room.tasks.busy()] == ["t"]
    room.tasks.stop("t")
    assert room.tasks.status("t")["taskResult"] == "cleanFailure"
    assert room.undone == []
    await room.tasks.clear("t")


@pytest_twisted.ensureDeferred
async def test_abandoning_does_not_wait_for_tasks_that_nobody_runs(room, a_step):
    await room.tasks.start("x", waiting_job(Deferred(), a_step("1")), store=room.store)
    later = room.another()
    await later.tasks.load(later.store)
    await later.tasks.abandon()
    assert later.tasks.recover() == []
    assert later.undone == []


STATES_OF_OTHERS = {
    "unknown": ("cleanSuccess", True),
    "init": ("cleanSuccess", True),
    "preparing": ("cleanSuccess", True),
    "blocked": ("cleanSuccess", True),
    "acquiring": ("cleanSuccess", True),
    "queued": ("cleanSuccess", True),
    "running": ("cleanSuccess", True),
    "aborting": ("cleanSuccess", True),
    "racquiring": ("cleanSuccess", True),
    "recovering": ("cleanSuccess", True),
    "raborting": ("cleanFailure", False),
    "waitrecover": ("", False),
    "recovered": ("cleanSuccess", False),
    "failed": ("cleanFailure", False),
    "finished": ("success", False),
}


@pytest.mark.parametrize("state", [state.value for state in State])
@pytest_twisted.ensureDeferred
async def test_a_task_left_in_any_state_comes_to_its_end(room, state, a_step):
    record = TaskRecord(id="t", verb="x", tag="spm", state=state, recoveries=(a_step("1"),))
    await room.store.save(record)
    await room.tasks.load(room.store)
    room.tasks.recover()
    result, undone = STATES_OF_OTHERS[state]
    assert (room.tasks.status("t")["taskResult"], bool(room.undone)) == (result, undone)


@pytest.mark.parametrize(("policy", "state"), [("none", "failed"), ("manual", "waitrecover"), ("auto", "recovered")])
@pytest_twisted.ensureDeferred
async def test_the_recovery_policy_decides_what_an_abort_does(room, policy, state, a_step):
    record = TaskRecord(id="t", verb="x", tag="spm", state="running", recovery_policy=policy, recoveries=(a_step("1"),))
    await room.store.save(record)
    await room.tasks.load(room.store)
    room.tasks.recover()
    assert room.tasks.all()["t"]["state"] == state
    assert bool(room.undone) == (policy == "auto")


@pytest_twisted.ensureDeferred
async def test_a_cancelled_start_leaves_no_task(room, tmp_path):
    class HangingFiles(DirectFiles):
        async def write_folder_atomically(self, folder, files):
            await Deferred()

        async def remove_folder(self, folder):
            removed.append(folder)

    removed = []
    starting = Deferred.fromCoroutine(room.tasks.start("x", quick_job, store=TaskStore(tmp_path, HangingFiles())))
    starting.addErrback(lambda failure: None)
    starting.cancel()
    await starting
    assert room.tasks.all() == {}
    assert len(removed) == 1


@pytest_twisted.ensureDeferred
async def test_steps_that_are_found_early_are_on_disk_with_the_task(room, tmp_path, a_step):
    seen = []

    async def early(task):
        return [a_step(name="early")]

    async def job(task):
        seen.append([one.name for one in on_disk(tmp_path, task).recoveries])

    task = await room.tasks.start("x", job, store=room.store, early=early)
    await task.done()
    assert seen == [["early"]]


@pytest_twisted.ensureDeferred
async def test_only_a_task_that_can_run_at_once_is_asked_early(make_room):
    room, hold, asked = make_room(parallel=1), Deferred(), []

    async def early(task):
        asked.append(task.verb)

    first = await room.tasks.start("first", waiting_job(hold), store=room.store, early=early)
    second = await room.tasks.start("second", quick_job, store=room.store, early=early)
    hold.callback(None)
    await gatherResults([first.done(), second.done()])
    third = await room.tasks.start("third", quick_job, store=room.store, early=early)
    await third.done()
    assert asked == ["first", "third"]


@pytest_twisted.ensureDeferred
async def test_a_failure_before_the_first_save_leaves_the_place_to_others(make_room):
    room = make_room(parallel=1)

    async def early(task):
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError):
        await room.tasks.start("x", quick_job, store=room.store, early=early)
    task = await room.tasks.start("x", quick_job, store=room.store)
    await task.done()
    assert task.state is State.FINISHED
