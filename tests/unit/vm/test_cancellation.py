"""Who waits is ended at once; who works is ended at the next step."""

import pytest
from twisted.internet.defer import CancelledError, Deferred

from virgate.node.vm.cancellation import Cancellation


class CalledBack(Exception):
    pass


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation(CalledBack)


def test_who_only_waits_is_ended_at_once(cancellation: Cancellation) -> None:
    waited_for: Deferred[None] = Deferred()

    async def job() -> None:
        with cancellation.waiting():
            await waited_for

    cancellation.job = Deferred.fromCoroutine(job())
    assert cancellation.ask()
    ended: list[object] = []
    cancellation.job.addErrback(lambda failure: ended.append(failure.type))
    assert ended == [CancelledError]


def test_work_that_must_not_be_torn_apart_goes_on_to_its_next_step(cancellation: Cancellation) -> None:
    libvirt: Deferred[None] = Deferred()
    steps: list[str] = []

    async def job() -> None:
        await libvirt
        steps.append("done")
        cancellation.check()
        steps.append("never")

    cancellation.job = Deferred.fromCoroutine(job())
    assert not cancellation.ask()
    libvirt.callback(None)
    cancellation.job.addErrback(lambda failure: failure.trap(CalledBack))
    assert steps == ["done"]


def test_nothing_is_begun_that_was_called_back_before(cancellation: Cancellation) -> None:
    assert not cancellation.ask()
    with pytest.raises(CalledBack), cancellation.waiting():
        pytest.fail("it waits")
