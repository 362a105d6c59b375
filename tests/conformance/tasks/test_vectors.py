"""Vectors of spec xmlrpc-storage 14 that concern tasks, by their number there."""

import pytest
import pytest_twisted
from attrs import fields
from twisted.internet.defer import Deferred

from virgate.errors import InvalidParameter
from virgate.node.storage import errors as storage_errors
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.tasks.errors import IllegalMove, TaskNotClearable, TaskNotFinished, UnknownTask
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.node.tasks.states import CAME_FROM, State
from virgate.node.tasks.store import DirectFiles, TaskStore

CREATED = Recovery("Create volume rollback", "fileVolume", "FileVolume", "createVolumeRollback", ("sd", "img", "vol"))


@pytest.fixture
def removed():
    return []


@pytest.fixture
def store(tmp_path):
    return TaskStore(tmp_path, DirectFiles())


@pytest.fixture
def new_process(removed):
    def make():
        async def remove(*params):
            removed.append(params)

        recoveries = Recoveries()
        recoveries.add("FileVolume", "createVolumeRollback", remove)
        return Tasks(recoveries)

    return make


@pytest.fixture
def tasks(new_process):
    return new_process()


async def forever(task):
    await Deferred()


async def at_once(task):
    return {"uuid": "vol"}


def legacy(tasks, task):
    status = tasks.status(task.id)
    return status["taskState"], status["taskResult"], status["code"]


@pytest_twisted.ensureDeferred
async def test_13_an_hsm_task_is_known_by_id_and_not_listed_for_the_pool(tasks):
    task = await tasks.start("spmStart", forever, tag="hsm")
    assert tasks.info(task.id) == {"id": task.id, "verb": "spmStart"}
    assert tasks.statuses() == {}


@pytest.mark.parametrize(("number", "code", "shown"), [(16, 212, 212), (19, 204, 100), (20, 201, 201), (24, 214, 100)])
@pytest_twisted.ensureDeferred
async def test_16_19_20_24_codes_of_failed_tasks(tasks, number, code, shown):
    kind = next(kind for kind in vars(storage_errors).values() if getattr(kind, "code", None) == code)

    async def fail(task):
        raise kind(*("x" for _ in fields(kind)))

    task = await tasks.start("deleteVolume", fail)
    assert legacy(tasks, task) == ("finished", "cleanSuccess", shown)


@pytest_twisted.ensureDeferred
async def test_32_stop_clear_and_revert_while_running(tasks, store, removed):
    task = await tasks.start("createVolume", forever, store=store, recoveries=[CREATED])
    with pytest.raises(TaskNotClearable) as uncleared:
        await tasks.clear(task.id)
    with pytest.raises(TaskNotFinished) as unreverted:
        tasks.revert(task.id)
    assert (uncleared.value.code, unreverted.value.code) == (410, 403)
    tasks.stop(task.id)
    assert legacy(tasks, task) == ("finished", "cleanSuccess", 411)
    assert removed == [CREATED.params]


@pytest_twisted.ensureDeferred
async def test_33_stop_and_revert_of_done_tasks_and_ids_that_are_not_there(tasks):
    task = await tasks.start("createVolume", forever)
    tasks.stop(task.id)
    assert task.state is State.RECOVERED
    tasks.stop(task.id)
    with pytest.raises(IllegalMove) as unreverted:
        tasks.revert(task.id)
    with pytest.raises(UnknownTask) as unknown:
        await tasks.clear("f1e2d3c4-0000-4000-8000-000000000000")
    with pytest.raises(InvalidParameter) as invalid:
        await tasks.clear("a.b")
    assert [refused.value.code for refused in (unreverted, unknown, invalid)] == [441, 401, 1000]


@pytest_twisted.ensureDeferred
async def test_34_an_spm_that_was_killed_leaves_tasks_that_the_next_one_ends(tasks, store, removed, new_process):
    finished = await tasks.start("createVolume", at_once, store=store, recoveries=[CREATED])
    running = await tasks.start("createVolume", forever, store=store, recoveries=[CREATED])
    next_spm = new_process()
    await next_spm.load(store)
    next_spm.recover()
    assert legacy(next_spm, running) == ("finished", "cleanSuccess", 0)
    assert legacy(next_spm, finished) == ("finished", "success", 0)
    assert next_spm.all()[finished.id]["result"] == "{'uuid': 'vol'}"
    assert removed == [CREATED.params]


@pytest_twisted.ensureDeferred
async def test_35_a_task_that_nobody_cleared_does_not_hinder_the_next_spm_start(tasks, store):
    task = await tasks.start("createVolume", at_once, store=store)
    tasks.forget_done()
    await tasks.load(store)
    tasks.recover()
    assert list(tasks.statuses()) == [task.id]


@pytest_twisted.ensureDeferred
async def test_the_task_file_vector(tasks, tmp_path):
    folder = tmp_path / "SP" / "mastersd" / "master" / "tasks"
    folder.mkdir(parents=True)
    params = (str(tmp_path / "SP"), "SD", "IMG", "VOL", str(tmp_path / "SP" / "SD" / "images" / "IMG"))
    steps = [
        Recovery("Create image rollback", "image", "Image", "createImageRollback", params[-1:]),
        Recovery("Create volume rollback", "fileVolume", "FileVolume", "createVolumeRollback", params),
    ]
    task = await tasks.start("createVolume", at_once, store=TaskStore(folder, DirectFiles()), recoveries=steps)

    def lines(extension):
        return set((folder / task.id / f"{task.id}{extension}").read_text().splitlines())

    assert lines(".task") == {
        f"id = {task.id}",
        "name = createVolume",
        "tag = spm",
        "state = finished",
        "recoveryPolicy = auto",
        "persistPolicy = auto",
        "cleanPolicy = manual",
        "priority = low",
        "njobs = 1",
        "nrecoveries = 2",
        "metadataVersion = 1",
        f"store = {folder}",
    }
    assert lines(".recover.1") == {
        "name = Create volume rollback",
        "moduleName = fileVolume",
        "object = FileVolume",
        "function = createVolumeRollback",
        f"params = {','.join(params)}",
    }
    assert {"code = 0", "result = {'uuid': 'vol'}"} <= lines(".result")


TABLE = """preparing←init,blocked; blocked←preparing; acquiring←preparing,acquiring; queued←acquiring,running;
running←queued; finished←running,preparing; aborting←preparing,blocked,acquiring,queued,running; waitrecover←aborting;
racquiring←aborting,finished,racquiring,waitrecover; recovering←racquiring; raborting←racquiring,recovering,waitrecover;
recovered←recovering; failed←recovering,aborting,raborting"""


def test_the_state_table_is_that_of_the_specification():
    expected = {}
    for rule in TABLE.replace("\n", " ").split(";"):
        after, before = rule.strip().split("←")
        expected[after] = set(before.split(","))
    assert {
        state.value: {before.value for before in CAME_FROM[state]} for state in State if CAME_FROM[state]
    } == expected
