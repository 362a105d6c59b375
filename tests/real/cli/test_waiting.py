"""Waiting on a real terminal for a task that does not end: the daemon is a small server that says so."""

import json
import signal
import subprocess
import threading
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import pytest
from lab.virgated import BIN

OK = {"status": {"code": 0, "message": "OK"}}
STATUS = {"taskState": "running", "taskResult": "", "message": "copying", "code": 0, "progress": 42}


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/RPC2",)

    def log_message(self, *_):
        pass


@pytest.fixture
def endless():
    """A daemon with one task, and the verbs it was asked for."""
    with SimpleXMLRPCServer(("127.0.0.1", 0), Handler, logRequests=False) as server:
        server.asked = []

        def answer(verb, arguments):
            server.asked.append(verb)
            return {**OK, "TaskInfo": {"verb": "copyImage"}, "taskStatus": STATUS}

        server._dispatch = answer
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        yield server
        server.shutdown()
        serving.join(10)


def test_the_bar_shows_progress_and_ctrl_c_says_how_to_go_on(endless, terminal):
    waiting = terminal(endless.server_address[1], "task", "wait", "1234")
    waiting.until("copying.*42 %")
    waiting.process.send_signal(signal.SIGINT)
    waiting.until("The task 1234 .copyImage. goes on")
    waiting.until("virgate task wait 1234.*waits for it again")
    assert waiting.close() == 130
    assert set(endless.asked) == {"getTaskInfo", "getTaskStatus"}


def test_programs_see_no_bar_and_get_the_task_back(endless):
    argv = [BIN / "virgate", "--json", "--server", f"127.0.0.1:{endless.server_address[1]}", "task", "wait", "1234"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        while "getTaskStatus" not in endless.asked:
            assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, out) == (130, "")
    assert json.loads(err)["error"]["task"] == "1234"
