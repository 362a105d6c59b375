"""Worker processes: what passes through, and what happens when one dies or hangs."""

import math
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, gatherResults

from virgate.run import helper as helper_module
from virgate.run.errors import HelperFailed, HelperLost
from virgate.run.helper import Helper, Helpers

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def operations_are_importable(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


@pytest_twisted.async_yield_fixture
async def helper(operations_are_importable):
    helper = Helper("mount", "helper_operations", heartbeat=0.1, patience=1.0)
    yield helper
    await helper.stop()


@pytest_twisted.async_yield_fixture
async def patient():
    """A helper that waits long enough for the worker's first start on a busy machine."""
    helper = Helper("patient", "helper_operations")
    yield helper
    await helper.stop()


@pytest_twisted.ensureDeferred
async def test_values_pass_through_both_ways(patient):
    value = {"text": "ü", "bytes": b"\0\xff", "list": [1, None, 2.5, True], 7: Path("/a")}
    assert await patient.call("echo", value, "more") == [value, "more"]


@pytest_twisted.ensureDeferred
async def test_attrs_values_pass_through_as_themselves(patient):
    import helper_operations

    answer = await patient.call("lambda_extent", helper_operations.Extent(1, 2))
    assert answer == helper_operations.Extent(2, 2)


@pytest_twisted.ensureDeferred
async def test_calls_run_in_another_process_in_their_order(patient, tmp_path):
    calls = [patient.call("note", tmp_path / "file", letter) for letter in "abcdef"]
    assert patient.waiting == 5
    await gatherResults(calls)
    assert (tmp_path / "file").read_text() == "abcdef"
    assert await patient.call("pid") == patient.pid != os.getpid()


@pytest_twisted.ensureDeferred
async def test_a_file_name_that_is_no_text_passes_through(patient, tmp_path):
    (tmp_path / os.fsdecode(b"\xff\xfe")).touch()
    assert await patient.call("listdir", tmp_path) == [os.fsdecode(b"\xff\xfe")]


@pytest_twisted.ensureDeferred
async def test_an_os_error_arrives_as_itself(patient):
    with pytest.raises(FileNotFoundError) as caught:
        await patient.call("rename", "/nowhere/a", "/nowhere/b")
    assert (caught.value.filename, caught.value.filename2) == ("/nowhere/a", "/nowhere/b")


@pytest_twisted.ensureDeferred
async def test_a_typed_error_arrives_as_itself_with_its_fields(patient):
    import helper_operations

    with pytest.raises(helper_operations.Refused) as caught:
        await patient.call("refuse", "nobody", Path("/a"))
    assert (caught.value.who, caught.value.path) == ("nobody", Path("/a"))
    assert str(caught.value) == "nobody may not touch /a"


@pytest.mark.parametrize(
    ("call", "detail"),
    [
        (("divide", 1, 0), "ZeroDivisionError: division by zero"),
        (("no_such_operation",), "KeyError: 'no_such_operation'"),
        (("set",), "TypeError: set cannot travel between processes"),
        (("refuse_unspeakably",), "helper_operations.Unspeakable: it is {1, 2}"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_anything_else_is_a_failed_helper_that_goes_on(patient, call, detail):
    with pytest.raises(HelperFailed) as caught:
        await patient.call(*call)
    assert (caught.value.helper, caught.value.operation, caught.value.detail) == ("patient", call[0], detail)
    assert await patient.call("echo") == []


@pytest_twisted.ensureDeferred
async def test_an_argument_that_cannot_travel_is_refused_at_once(patient):
    with pytest.raises(TypeError):
        patient.call("echo", {1})
    assert patient.pid is None


@pytest_twisted.ensureDeferred
async def test_a_module_that_cannot_be_imported_fails_each_call():
    helper = Helper("broken", "no_such_module")
    for _ in range(2):
        with pytest.raises(HelperFailed, match="No module named 'no_such_module'"):
            await helper.call("echo")
    await helper.stop()


@pytest_twisted.ensureDeferred
async def test_operations_cannot_disturb_the_frames(patient):
    assert await patient.call("noise") == "quiet"
    assert await patient.call("echo", 1) == [1]


@pytest_twisted.ensureDeferred
async def test_the_worker_carries_no_reactor_and_stands_nowhere(patient):
    modules = await patient.call("modules")
    assert not [name for name in modules if name.startswith(("twisted", "lxml", "libvirt", "hypothesis"))]
    assert await patient.call("cwd") == "/"


@pytest_twisted.ensureDeferred
async def test_a_hanging_operation_costs_its_worker_and_everybody_behind_it(helper, tmp_path, until):
    os.mkfifo(tmp_path / "fifo")
    first = await helper.call("pid", timeout=30)
    hanging, waiting = helper.call("read_fifo", str(tmp_path / "fifo"), timeout=0.3), helper.call("echo")
    with pytest.raises(HelperLost) as caught:
        await hanging
    assert str(caught.value) == "Helper mount was lost during read_fifo: no answer within 0.3 seconds"
    with pytest.raises(HelperLost) as caught:
        await waiting
    assert caught.value.operation == "echo"
    assert await helper.call("pid", timeout=30) != first
    await until(lambda: not Path(f"/proc/{first}").exists())


@pytest_twisted.ensureDeferred
async def test_without_a_time_of_its_own_a_call_has_the_helper_s_patience(helper, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    await helper.call("pid", timeout=30)
    with pytest.raises(HelperLost, match="no answer within 1 seconds"):
        await helper.call("read_fifo", str(tmp_path / "fifo"))


@pytest_twisted.ensureDeferred
async def test_a_worker_s_slow_beginning_is_not_the_storage_s_silence(operations_are_importable):
    helper = Helper("slow", "slow_operations", heartbeat=0.1, patience=0.4)
    assert await helper.call("sum", [1, 2]) == 3
    with pytest.raises(HelperLost, match="no answer within"):
        await helper.call("sleep", 60)
    await helper.stop()


@pytest_twisted.ensureDeferred
async def test_a_worker_that_does_not_begin_is_given_up(operations_are_importable, monkeypatch):
    monkeypatch.setattr(helper_module, "BEGINNING", 0.2)
    helper = Helper("slow", "slow_operations")
    with pytest.raises(HelperLost, match="did not begin within"):
        await helper.call("sum", [1, 2])
    await helper.stop()


@pytest_twisted.ensureDeferred
async def test_a_stopped_process_shows_no_sign_of_life_and_is_replaced(helper):
    first = await helper.call("pid", timeout=30)
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(HelperLost, match="no sign of life for 1 seconds"):
        await helper.call("echo", timeout=math.inf)
    assert await helper.call("pid", timeout=30) != first


@pytest_twisted.ensureDeferred
async def test_a_long_operation_that_shows_signs_of_life_may_go_on(helper):
    assert await helper.call("spin", 1.5, timeout=math.inf) == "done"


@pytest_twisted.ensureDeferred
async def test_other_helpers_go_on_while_one_hangs(tmp_path, operations_are_importable):
    os.mkfifo(tmp_path / "fifo")
    helpers = Helpers("helper_operations")
    hanging = helpers["bad"].call("read_fifo", str(tmp_path / "fifo"), timeout=20)
    assert await gatherResults([helpers["good"].call("echo", number) for number in range(50)])
    assert not hanging.called
    assert helpers["good"] is helpers["good"]
    assert {helper.name for helper in helpers} == {"bad", "good"}
    closing = helpers.close()
    await closing
    with pytest.raises(HelperLost, match="it was stopped"):
        await hanging


@pytest.mark.parametrize(
    ("call", "detail"), [(("leave", 3), "it ended with code 3"), (("suicide",), "signal 9 killed it")]
)
@pytest_twisted.ensureDeferred
async def test_a_worker_s_death_is_noticed_at_once(patient, call, detail):
    await patient.call("echo")
    began = time.monotonic()
    with pytest.raises(HelperLost) as caught:
        await patient.call(*call)
    assert caught.value.detail == detail
    assert time.monotonic() - began < 2
    assert patient.pid is None
    assert await patient.call("echo", 1) == [1]


@pytest_twisted.ensureDeferred
async def test_an_idle_worker_that_was_killed_is_replaced_by_the_next_call(patient, until):
    first = await patient.call("pid")
    os.kill(first, signal.SIGKILL)
    await until(lambda: patient.pid is None)
    assert await patient.call("pid") != first


@pytest_twisted.ensureDeferred
async def test_a_call_cancelled_while_it_waits_is_never_begun(patient, tmp_path):
    running, waiting = patient.call("spin", 0.1), patient.call("note", tmp_path / "file", "x")
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
    assert await running == "done"
    await patient.call("echo")
    assert not (tmp_path / "file").exists()


@pytest_twisted.ensureDeferred
async def test_the_answer_to_a_cancelled_running_call_is_not_taken_for_another(patient):
    await patient.call("echo")
    running, following = patient.call("spin", 0.2), patient.call("echo", "mine")
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    assert await following == ["mine"]


@pytest_twisted.ensureDeferred
async def test_stopping_ends_the_process_and_later_calls_fail(operations_are_importable):
    helper = Helper("stopping", "helper_operations")
    pid = await helper.call("pid")
    await helper.stop()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(HelperLost, match="it was stopped"):
        await helper.call("echo")


@pytest_twisted.ensureDeferred
async def test_a_worker_that_does_not_hear_its_dismissal_is_killed(operations_are_importable, monkeypatch):
    monkeypatch.setattr(helper_module, "FAREWELL", 0.1)
    helper = Helper("deaf", "helper_operations")
    pid = await helper.call("pid")
    os.kill(pid, signal.SIGSTOP)
    await helper.stop()
    assert not Path(f"/proc/{pid}").exists()


@pytest_twisted.ensureDeferred
async def test_a_helper_that_was_never_used_stops_without_a_word(operations_are_importable):
    helper = Helper("idle", "helper_operations")
    await helper.stop()
    assert helper.pid is None


@pytest_twisted.ensureDeferred
async def test_dropping_a_key_stops_its_helper_and_the_next_is_a_new_one(operations_are_importable):
    helpers = Helpers("helper_operations")
    first = helpers["mount"]
    pid = await first.call("pid")
    await helpers.drop("mount")
    await helpers.drop("never there")
    assert not Path(f"/proc/{pid}").exists()
    assert helpers["mount"] is not first
    await helpers.close()


@pytest_twisted.ensureDeferred
async def test_an_answer_nobody_can_read_costs_the_worker_not_the_daemon(patient, tmp_path):
    module = tmp_path / "foreign.py"
    module.write_text(
        "from attrs import frozen\n@frozen\nclass Odd:\n    one: int\nOPERATIONS = {'odd': lambda: Odd(1)}\n"
    )
    sys.path.append(str(tmp_path))
    helper = Helper("odd", "foreign", patience=10)
    try:
        await helper.call("no", timeout=20)
    except HelperFailed:
        pass
    sys.path.remove(str(tmp_path))
    with pytest.raises(HelperLost, match="cannot be read"):
        await helper.call("odd")
    await helper.stop()


@pytest_twisted.ensureDeferred
async def test_so_many_unkillable_workers_fail_calls_at_once(patient, monkeypatch):
    monkeypatch.setattr(helper_module, "UNKILLABLE", 0)
    with pytest.raises(HelperLost, match="still hang in the kernel"):
        await patient.call("echo")


@pytest_twisted.ensureDeferred
async def test_a_large_frame_passes(patient):
    data = os.urandom(8 << 20)
    assert await patient.call("echo", data) == [data]


def test_a_worker_ends_when_its_daemon_dies_even_amid_a_hanging_operation(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    daemon = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from twisted.internet import reactor
from virgate.run.helper import Helper
helper = Helper("mount", "helper_operations")
def hang(pid):
    helper.call("read_fifo", {str(tmp_path / "fifo")!r})
    print(pid, flush=True)
helper.call("pid").addCallback(hang)
reactor.run()
"""
    parent = subprocess.Popen([sys.executable, "-c", daemon], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    watch = os.pidfd_open(worker)
    parent.kill()
    parent.communicate()
    assert select.select([watch], [], [], 10)[0], "the worker outlived its daemon"
    os.close(watch)
