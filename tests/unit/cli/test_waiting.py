"""Waiting for tasks: until they end, with their verdict, and never more than that."""

import json

import pytest

TASK = "111"


@pytest.fixture
def task(daemon):
    """Makes the daemon go through these states of a task, one for each question."""

    def states(*states):
        left = list(states)
        daemon.answers |= {
            "getTaskInfo": {"TaskInfo": {"id": TASK, "verb": "createVolume"}},
            "getTaskStatus": lambda id: {"taskStatus": _status(left.pop(0) if len(left) > 1 else left[0])},
            "clearTask": {},
        }
        return daemon

    return states


def _status(state):
    if isinstance(state, BaseException):
        raise state
    return {"message": "half way", "code": 0, "progress": 50, **state}


RUNNING = {"taskState": "running", "taskResult": ""}
DONE = {"taskState": "finished", "taskResult": "success", "message": "1 jobs completed"}
FAILED = {"taskState": "finished", "taskResult": "cleanSuccess", "code": 212, "message": "no space"}


def test_a_task_is_waited_for_and_forgotten(run, task):
    daemon = task(RUNNING, RUNNING, DONE)
    assert run("task", "wait", TASK).stdout == f"Task {TASK} has ended well.\n"
    assert daemon.verbs() == ["getTaskInfo", *["getTaskStatus"] * 3, "clearTask"]


def test_it_is_kept_for_who_asks(run, task):
    daemon = task(DONE)
    assert run("task", "wait", TASK, "--keep", json_=True) == {"id": TASK, "result": "success"}
    assert "clearTask" not in daemon.verbs()


def test_a_failed_task_tells_its_message_code_and_what_became_of_its_work(run, task):
    task(RUNNING, FAILED)
    assert run("task", "wait", TASK, code=1).stderr == (
        "Error: createVolume: no space (code 212, cleanSuccess)\nWhat it had done was undone.\n"
    )
    error = json.loads(run("task", "wait", TASK, "--json", code=1).stderr)["error"]
    assert (error["code"], error["result"], error["task"]) == (212, "cleanSuccess", TASK)


def test_ctrl_c_says_how_to_go_on_and_stops_nothing(run, task):
    daemon = task(RUNNING, KeyboardInterrupt())
    found = run("task", "wait", TASK, code=130)
    assert "goes on" in found.stderr
    assert f"virgate task wait {TASK}" in found.stderr
    assert "stopTask" not in daemon.verbs()
    assert "clearTask" not in daemon.verbs()


def test_tasks_are_listed_with_what_they_do(run, daemon):
    daemon.answers["getAllTasks"] = {
        "tasks": {TASK: {"verb": "copyImage", "state": "running", "code": 0, "message": ""}}
    }
    assert "copyImage" in run("task", "list").stdout
    daemon.answers["getAllTasks"] = {"tasks": {}}
    assert run("task", "list").stdout == "No tasks.\n"


def test_show_stop_and_clear_say_what_they_did(run, task):
    daemon = task(RUNNING)
    daemon.answers["stopTask"] = {}
    assert "verb: createVolume" in run("task", "show", TASK).stdout
    assert f"virgate task wait {TASK}" in run("task", "stop", TASK).stdout
    assert "forgotten" in run("task", "clear", TASK).stdout
