"""Tasks from start to end: success, failure, stop, clear, revert, the queue, what listeners hear."""

import gc

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock

from virgate.errors import InvalidParameter
from virgate.node.storage.formats.errors import MetadataOverflow
from virgate.node.tasks.errors import (
    IllegalMove,
    NoSuchRecovery,
    TaskNotClearable,
    TaskNotFinished,
    TooManyTasks,
    UnknownTask,
)
from virgate.node.tasks.locks import Locks, storage
from virgate.node.tasks.states import State
from virgate.run.errors import HelperLost


def waiting_job(until, *steps):
    async def job(task):
        await task.recovery(*steps)
        return await until

    return job


def failing_job(problem, *steps):
    async def job(task):
        await task.recovery(*steps)
        raise problem

    return job


async def quick_job(task):
    return {"uuid": "a volume"}


@pytest_twisted.ensureDeferred
async def test_a_job_that_returns_ends_as_success_and_keeps_its_result(room):
    task = await room.tasks.start("createVolume", quick_job, store=room.store)
    assert room.tasks.status(task.id) == {
        "taskID": task.id,
        "taskState": "finished",
        "taskResult": "success",
        "code": 0,
        "message": "job completed",
        "progress": 100,
    }
    assert room.tasks.all()[task.id]["result"] == {"uuid": "a volume"}
    assert room.tasks.info(task.id) == {"id": task.id, "verb": "createVolume"}


@pytest_twisted.ensureDeferred
async def test_a_running_task_says_what_it_runs(room):
    task = await room.tasks.start("createVolume", waiting_job(Deferred()), store=room.store)
    status = room.tasks.status(task.id)
    assert (status["taskState"], status["taskResult"], status["message"]) == ("running", "", "running job 1 of 1")


@pytest_twisted.ensureDeferred
async def test_a_failed_job_is_undone_last_step_first(room, a_step):
    task = await room.tasks.start(
        "createVolume", failing_job(MetadataOverflow(600, 512), a_step("1"), a_step("2"), a_step("3"))
    )
    assert room.undone == [("3",), ("2",), ("1",)]
    status = room.tasks.status(task.id)
    assert (status["taskState"], status["taskResult"], status["code"]) == ("finished", "cleanSuccess", 756)
    assert status["message"] == "Metadata needs 600 bytes, there is room for 512"


@pytest_twisted.ensureDeferred
async def test_a_parameter_error_inside_a_job_is_100(room):
    task = await room.tasks.start("extend", failing_job(InvalidParameter("size", "-1")))
    assert room.tasks.status(task.id)["code"] == 100


@pytest_twisted.ensureDeferred
async def test_codes_are_kept_when_the_setting_says_so(make_room):
    room = make_room(keep_codes=True)
    task = await room.tasks.start("extend", failing_job(InvalidParameter("size", "-1")))
    assert room.tasks.status(task.id)["code"] == 1000


@pytest_twisted.ensureDeferred
async def test_a_failing_rollback_step_does_not_keep_the_others_from_being_undone(make_room, a_step):
    room = make_room(patience=0)
    steps = a_step("1"), a_step("2", function="fail"), a_step("3")
    task = await room.tasks.start("createVolume", failing_job(OSError("x"), *steps), store=room.store)
    assert room.undone == [("3",), ("2",), ("1",)]
    assert room.tasks.status(task.id)["taskResult"] == "cleanFailure"
    assert [step.params for step in task.recoveries] == [("2",)]


@pytest.fixture
def waiting(make_room, a_step):
    """A task that is being undone while storage fails; until `healed`."""
    room = make_room(patience=60)
    room.healed = False

    async def stubborn(*params):
        room.undone.append(params)
        if not room.healed:
            raise HelperLost("a mount", "rename_volume", "no answer within 6 seconds")

    room.recoveries.add("Test", "stubborn", stubborn)

    async def begin():
        steps = a_step("first"), a_step("last", function="stubborn")
        task = await room.tasks.start("merge", failing_job(OSError("x"), *steps), store=room.store)
        assert (room.undone, room.tasks.status(task.id)["taskState"]) == ([("last",)], "cleaning")
        return room, task

    return begin


@pytest_twisted.ensureDeferred
async def test_a_rollback_waits_for_storage_and_keeps_its_order(waiting):
    room, task = await waiting()
    room.clock.advance(1)
    room.clock.advance(1.9)
    assert room.undone == [("last",)] * 2
    room.healed = True
    room.clock.advance(0.1)
    assert room.undone == [("last",)] * 3 + [("first",)]
    assert room.tasks.status(task.id)["taskResult"] == "cleanSuccess"
    assert not room.clock.getDelayedCalls()


@pytest_twisted.ensureDeferred
async def test_a_rollback_does_not_wait_for_ever(waiting):
    room, task = await waiting()
    room.clock.pump([8] * 8)
    assert room.undone[-1] == ("first",)
    assert room.tasks.status(task.id)["taskResult"] == "cleanFailure"
    assert [step.params for step in task.recoveries] == [("last",)]


@pytest_twisted.ensureDeferred
async def test_who_loses_the_journal_undoes_nothing_more(waiting):
    room, _ = await waiting()
    await room.tasks.abandon()
    room.healed = True
    room.clock.advance(60)
    assert room.undone == [("last",)]
    assert not room.clock.getDelayedCalls()


@pytest_twisted.ensureDeferred
async def test_force_ends_a_rollback_that_waits(waiting):
    room, task = await waiting()
    room.tasks.stop(task.id, force=True)
    assert room.tasks.status(task.id)["taskResult"] == "cleanFailure"
    assert room.undone == [("last",)]


@pytest_twisted.ensureDeferred
async def test_an_unknown_rollback_step_is_skipped(room, a_step):
    task = await room.tasks.start("x", failing_job(OSError("x"), a_step("1"), a_step(function="imported.by.name")))
    assert room.undone == [("1",)]
    assert room.tasks.status(task.id)["taskResult"] == "cleanSuccess"


@pytest_twisted.ensureDeferred
async def test_success_replaces_the_small_steps_by_one(room, a_step):
    async def job(task):
        await task.recovery(a_step("folder"), a_step(name="sentinel"), a_step("half"), a_step("metadata"))
        await task.replace_recoveries("sentinel", a_step("whole volume"))

    task = await room.tasks.start("createVolume", job, store=room.store)
    room.tasks.revert(task.id)
    assert room.undone == [("whole volume",), ("folder",)]


@pytest_twisted.ensureDeferred
async def test_only_the_steps_after_the_last_sentinel_are_replaced(room, a_step):
    async def job(task):
        await task.recovery(a_step(name="sentinel"), a_step("first"), a_step(name="sentinel"), a_step("second"))
        await task.replace_recoveries("sentinel", a_step("new"))
        assert [step.params for step in task.recoveries] == [(), ("first",), ("new",)]

    task = await room.tasks.start("x", job)
    assert task.state is State.FINISHED


@pytest_twisted.ensureDeferred
async def test_replacing_from_a_sentinel_that_is_not_there_is_an_error_of_the_job(room, a_step):
    async def job(task):
        with pytest.raises(NoSuchRecovery):
            await task.replace_recoveries("sentinel", a_step("new"))

    task = await room.tasks.start("x", job)
    assert task.state is State.FINISHED


@pytest_twisted.ensureDeferred
async def test_nothing_is_undone_after_the_point_of_no_return(room, a_step):
    async def job(task):
        await task.recovery(a_step("1"))
        await task.forget_recoveries()
        raise OSError("too late")

    task = await room.tasks.start("mergeSnapshots", job, store=room.store)
    assert room.undone == []
    assert room.tasks.status(task.id)["taskResult"] == "cleanSuccess"


@pytest_twisted.ensureDeferred
async def test_a_stopped_job_is_cancelled_undone_and_says_411(room, a_step):
    task = await room.tasks.start("createVolume", waiting_job(Deferred(), a_step("volume")), store=room.store)
    room.tasks.stop(task.id)
    status = room.tasks.status(task.id)
    assert (status["code"], status["taskState"], status["taskResult"]) == (411, "finished", "cleanSuccess")
    assert room.undone == [("volume",)]


@pytest_twisted.ensureDeferred
async def test_a_stopped_task_is_aborting_until_its_job_has_left(room):
    noticed = Deferred()

    async def stubborn(task):
        try:
            await Deferred()
        except CancelledError:
            await noticed

    task = await room.tasks.start("copyImage", stubborn)
    room.tasks.stop(task.id)
    room.tasks.stop(task.id)
    assert room.tasks.status(task.id)["taskState"] == "aborting"
    with pytest.raises(TaskNotClearable):
        await room.tasks.clear(task.id)
    noticed.callback(None)
    assert room.tasks.status(task.id)["code"] == 411


@pytest_twisted.ensureDeferred
async def test_stopping_a_waiting_task_takes_it_out_of_the_queue(make_room):
    room = make_room(parallel=1)
    gate, ran = Deferred(), []

    async def never(task):
        ran.append(task)

    first = await room.tasks.start("x", waiting_job(gate))
    second = await room.tasks.start("x", never)
    room.tasks.stop(second.id)
    assert room.tasks.status(second.id)["code"] == 411
    gate.callback(None)
    assert ran == []
    assert first.state is State.FINISHED


@pytest_twisted.ensureDeferred
async def test_stopping_a_task_that_is_done_changes_nothing(room):
    task = await room.tasks.start("x", quick_job)
    room.tasks.stop(task.id)
    assert room.tasks.status(task.id)["taskResult"] == "success"


@pytest_twisted.ensureDeferred
async def test_force_ends_a_rollback_that_hangs(room, a_step):
    async def hang():
        await Deferred()

    room.recoveries.add("Test", "hang", hang)
    task = await room.tasks.start("x", failing_job(OSError("x"), a_step("1"), a_step(function="hang")))
    room.tasks.stop(task.id)
    assert room.tasks.status(task.id)["taskState"] == "cleaning"
    room.tasks.stop(task.id, force=True)
    assert room.tasks.status(task.id)["taskResult"] == "cleanFailure"
    assert room.undone == []
    assert [step.function for step in task.recoveries] == ["undo", "hang"]


@pytest_twisted.ensureDeferred
async def test_clearing_forgets_a_done_task_and_its_folder(room, tmp_path):
    task = await room.tasks.start("x", quick_job, store=room.store)
    assert (tmp_path / task.id).is_dir()
    await room.tasks.clear(task.id)
    assert not (tmp_path / task.id).exists()
    with pytest.raises(UnknownTask):
        room.tasks.status(task.id)


@pytest_twisted.ensureDeferred
async def test_a_running_task_is_neither_cleared_nor_reverted(room):
    task = await room.tasks.start("x", waiting_job(Deferred()))
    with pytest.raises(TaskNotClearable) as refused:
        await room.tasks.clear(task.id)
    assert refused.value.code == 410
    with pytest.raises(TaskNotFinished) as unfinished:
        room.tasks.revert(task.id)
    assert unfinished.value.code == 403


@pytest_twisted.ensureDeferred
async def test_a_task_is_reverted_once(room, a_step):
    task = await room.tasks.start("x", waiting_job(succeed(None), a_step("1")), store=room.store)
    room.tasks.revert(task.id)
    assert room.undone == [("1",)]
    assert room.tasks.status(task.id)["taskResult"] == "cleanSuccess"
    with pytest.raises(IllegalMove) as refused:
        room.tasks.revert(task.id)
    assert refused.value.code == 441


def test_unknown_ids_are_401_and_ids_that_are_none_are_1000(room):
    for task_id, code in (("no-such-task", 401), ("a.b", 1000), ("", 1000)):
        with pytest.raises((UnknownTask, InvalidParameter)) as refused:
            room.tasks.status(task_id)
        assert refused.value.code == code


@pytest_twisted.ensureDeferred
async def test_ten_jobs_run_and_the_rest_wait_in_order(room):
    gates, ran = [Deferred() for _ in range(12)], []

    def job(number):
        async def run(task):
            ran.append(number)
            await gates[number]

        return run

    for number in range(12):
        await room.tasks.start("x", job(number))
    assert ran == list(range(10))
    gates[3].callback(None)
    gates[0].callback(None)
    assert ran == list(range(12))
    for gate in gates[1:3] + gates[4:]:
        gate.callback(None)
    assert room.tasks.busy() == []


@pytest_twisted.ensureDeferred
async def test_a_full_queue_refuses_with_405_and_keeps_nothing(make_room, tmp_path):
    room = make_room(parallel=1, queue=2)
    gate = Deferred()
    for _ in range(3):
        await room.tasks.start("x", waiting_job(gate))
    with pytest.raises(TooManyTasks) as refused:
        await room.tasks.start("x", quick_job, store=room.store)
    assert refused.value.code == 405
    assert len(room.tasks.statuses()) == 3
    assert list(tmp_path.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_listeners_hear_each_change_once(room, a_step):
    task = await room.tasks.start("x", failing_job(OSError("x"), a_step("1")))
    assert room.states(task.id) == [
        ("running", ""),
        ("aborting", ""),
        ("cleaning", ""),
        ("finished", "cleanSuccess"),
    ]


@pytest_twisted.ensureDeferred
async def test_progress_is_told_in_whole_per_cent(room):
    async def job(task):
        for percent in (0.2, 0.7, 1.1, 55.5, 55.9, 120):
            task.report(percent)
        task.report(text="copying")

    await room.tasks.start("copyImage", job)
    assert [event["progress"] for event in room.told if event["state"] == "running"] == [0, 1, 55, 100, 100]
    assert room.told[-2]["message"] == "copying"


@pytest_twisted.ensureDeferred
async def test_who_waits_is_woken_at_the_end(room):
    gate = Deferred()
    task = await room.tasks.start("x", waiting_job(gate))
    waiting, impatient = task.done(), task.done()
    impatient.addErrback(lambda failure: failure.trap(CancelledError))
    impatient.cancel()
    assert not waiting.called
    gate.callback(None)
    assert await waiting is task
    assert await task.done() is task


@pytest_twisted.ensureDeferred
async def test_locks_are_held_until_the_rollback_is_over(room, a_step):
    locks, undoing = Locks(Clock()), Deferred()

    async def slow():
        await undoing

    room.recoveries.add("Test", "slow", slow)
    pool, domain = storage("pool"), storage("domain", exclusive=True)

    async def job(task):
        await task.enter(locks.hold(domain))
        await task.recovery(a_step(function="slow"))
        raise OSError("x")

    await room.tasks.start("x", job, holding=[locks.hold(pool)])
    assert locks.busy(domain) and locks.busy(storage("pool", exclusive=True))
    undoing.callback(None)
    assert not locks.busy(domain) and not locks.busy(storage("pool", exclusive=True))


@pytest_twisted.ensureDeferred
async def test_a_running_task_keeps_its_lock_though_nobody_else_refers_to_it(room):
    locks = Locks(Clock())
    domain = storage("domain", exclusive=True)

    async def job(task):
        await Deferred()  # known to this coroutine alone: only the manager keeps it from being collected

    await room.tasks.start("x", job, holding=[locks.hold(domain)])
    gc.collect()
    assert locks.busy(domain)
    assert [task.state for task in room.tasks.busy()] == [State.RUNNING]


@pytest_twisted.ensureDeferred
async def test_a_lock_that_is_not_free_in_time_starts_nothing(room):
    clock = Clock()
    locks = Locks(clock)
    domain = storage("domain", exclusive=True)
    holding = Deferred.fromCoroutine(room.tasks.start("x", waiting_job(Deferred()), holding=[locks.hold(domain)]))
    late = Deferred.fromCoroutine(room.tasks.start("x", quick_job, holding=[locks.hold(storage("a"), domain)]))
    codes = []
    late.addErrback(lambda failure: codes.append(failure.value.code))
    clock.advance(121)
    assert codes == [851]
    assert list(room.tasks.statuses()) == [(await holding).id]
    assert not locks.busy(storage("a", exclusive=True))


@pytest_twisted.ensureDeferred
async def test_a_refused_task_gives_back_every_lock_it_had_taken(make_room):
    room = make_room(parallel=1, queue=1)
    diary = []

    class Held:
        """No generator: it is left only if somebody leaves it, not when it is collected."""

        def __init__(self, name):
            self.name = name

        async def __aenter__(self):
            diary.append(f"+{self.name}")

        async def __aexit__(self, *problem):
            diary.append(f"-{self.name}")

    for _ in range(2):
        await room.tasks.start("x", waiting_job(Deferred()))
    with pytest.raises(TooManyTasks):
        await room.tasks.start("x", quick_job, holding=[Held("a"), Held("b")])
    assert diary == ["+a", "+b", "-b", "-a"]


@pytest_twisted.ensureDeferred
async def test_statuses_list_the_tasks_of_the_pool_only(room):
    spm = await room.tasks.start("createVolume", quick_job)
    hsm = await room.tasks.start("spmStart", quick_job, tag="hsm")
    assert list(room.tasks.statuses()) == [spm.id]
    assert room.tasks.infos() == {spm.id: {"id": spm.id, "verb": "createVolume"}}
    assert set(room.tasks.all()) == {spm.id, hsm.id}
    assert room.tasks.all()[hsm.id]["tag"] == "hsm"
    assert room.tasks.status(hsm.id)["taskState"] == "finished"
