"""Order of queued work, and work done once."""

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.node.vm.lane import Lane, Once


async def hold(gate: Deferred[None]) -> None:
    await gate


@pytest_twisted.ensureDeferred
async def test_jobs_run_one_after_the_other_in_order() -> None:
    lane, gate, done = Lane(), Deferred[None](), []

    async def slow() -> None:
        await gate
        done.append("slow")

    async def quick() -> None:
        done.append("quick")

    lane.put(slow)
    lane.put(quick)
    assert done == []
    gate.callback(None)
    await lane.empty()
    assert done == ["slow", "quick"]


@pytest_twisted.ensureDeferred
async def test_a_failing_job_does_not_stop_the_next() -> None:
    lane, done = Lane(), []

    async def broken() -> None:
        raise RuntimeError("broken")

    async def next_one() -> None:
        done.append(1)

    lane.put(broken)
    lane.put(next_one)
    await lane.empty()
    assert done == [1]


@pytest_twisted.ensureDeferred
async def test_an_idle_lane_is_empty_at_once() -> None:
    await Lane().empty()


@pytest_twisted.ensureDeferred
async def test_once_runs_the_first_job_and_others_wait_for_its_end() -> None:
    once, gate, done = Once(), Deferred[None](), []
    first = Deferred.fromCoroutine(once.run(lambda: hold(gate)))
    second = Deferred.fromCoroutine(once.run(lambda: hold(gate)))
    second.addCallback(lambda _: done.append("second"))
    assert once.started and done == []
    gate.callback(None)
    await first
    assert done == ["second"]
    await once.run(lambda: hold(Deferred()))


@pytest_twisted.ensureDeferred
async def test_only_who_ran_it_hears_of_its_failure() -> None:
    once, gate = Once(), Deferred[None]()
    first = Deferred.fromCoroutine(once.run(lambda: hold(gate)))
    second = Deferred.fromCoroutine(once.run(lambda: hold(gate)))
    gate.errback(OSError("gone"))
    await second
    with pytest.raises(OSError, match="gone"):
        await first
