"""Bounded pools of threads."""

import threading
import weakref
from _thread import start_new_thread
from contextvars import ContextVar

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, gatherResults

from virgate.run.errors import PoolClosed
from virgate.run.thread import ThreadPool

FLOW: ContextVar[str] = ContextVar("FLOW", default="")


@pytest.fixture
def pool():
    pool = ThreadPool("test", 2)
    yield pool
    pool.close()


@pytest_twisted.ensureDeferred
async def test_a_call_runs_in_another_thread_and_answers_in_this_one(pool):
    where = await pool.call(threading.current_thread)
    assert where is not threading.current_thread()
    assert where.daemon


@pytest_twisted.ensureDeferred
async def test_a_call_does_not_wait_until_the_host_lets_a_new_thread_run(pool, monkeypatch):
    held = []
    monkeypatch.setattr("virgate.run.thread.start_new_thread", lambda *thread: held.append(thread))
    answer = pool.call(int, "7")
    assert not answer.called
    monkeypatch.undo()
    start_new_thread(*held.pop())
    assert await answer == 7


@pytest_twisted.ensureDeferred
async def test_arguments_and_keywords_reach_the_function(pool):
    assert await pool.call(int, "ff", base=16) == 255


@pytest_twisted.ensureDeferred
async def test_an_exception_arrives_as_itself(pool):
    with pytest.raises(ZeroDivisionError):
        await pool.call(divmod, 1, 0)


@pytest_twisted.ensureDeferred
async def test_no_more_than_size_run_at_once_and_the_rest_is_counted(pool):
    door = threading.Event()
    answers = [pool.call(door.wait, 10) for _ in range(5)]
    assert (pool.running, pool.waiting) == (2, 3)
    door.set()
    assert await gatherResults(answers) == [True] * 5
    assert (pool.running, pool.waiting) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_an_idle_thread_is_used_again(pool):
    first = await pool.call(threading.get_ident)
    assert await pool.call(threading.get_ident) == first


@pytest_twisted.ensureDeferred
async def test_a_call_cancelled_while_it_waits_never_runs(pool):
    door, ran = threading.Event(), []
    busy = [pool.call(door.wait, 10) for _ in range(2)]
    waiting = pool.call(ran.append, 1)
    waiting.cancel()
    door.set()
    with pytest.raises(CancelledError):
        await waiting
    await gatherResults(busy)
    await pool.call(bool)
    assert ran == []
    assert pool.waiting == 0


@pytest_twisted.ensureDeferred
async def test_a_running_call_can_be_forgotten_and_its_thread_comes_back(pool, until):
    door = threading.Event()
    running = pool.call(door.wait, 10)
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    assert pool.running == 1, "the function still occupies its thread"
    door.set()
    await gatherResults([pool.call(bool) for _ in range(4)])
    await until(lambda: pool.running == 0)


@pytest_twisted.ensureDeferred
async def test_the_caller_s_context_goes_along(pool):
    FLOW.set("flow-1")
    assert await pool.call(FLOW.get) == "flow-1"


@pytest_twisted.ensureDeferred
async def test_a_closed_pool_fails_what_is_unfinished_and_takes_nothing():
    pool = ThreadPool("closing", 1)
    door = threading.Event()
    running, waiting = pool.call(door.wait, 10), pool.call(bool)
    pool.close()
    for answer in (running, waiting):
        with pytest.raises(CancelledError):
            await answer
    with pytest.raises(PoolClosed):
        pool.call(bool)
    door.set()


@pytest_twisted.ensureDeferred
async def test_an_idle_thread_keeps_nothing_of_its_last_call_alive(pool):
    class Large:
        pass

    answer = weakref.ref(await pool.call(Large))
    await pool.call(bool)
    assert answer() is None
