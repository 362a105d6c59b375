"""Jobs of this host: what is told of them, and that the registry ends with them."""

import pytest
from contract.storage.light import begun
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from virgate.errors import InvalidParameter
from virgate.node.storage.sdm.registry import KEPT, JobRegistry


@pytest.fixture
def registry():
    return JobRegistry(Clock())


async def nothing(job):
    job.report(50)


def test_a_job_that_is_over_at_once_is_told_for_an_hour_and_nobody_waits_for_it(registry):
    registry.start("one", "what it does", nothing)
    assert registry.told()["one"]["status"] == "done"
    assert registry._work == {}
    registry.clock.advance(KEPT)
    assert registry.told() == {}


def test_an_id_is_of_one_job(registry):
    registry.start("one", "what it does", nothing)
    with pytest.raises(InvalidParameter):
        registry.start("one", "what it does", nothing)


def test_closing_ends_what_runs_and_waits_until_it_gave_back_what_it_held(registry):
    giving_back = Deferred()

    async def endless(job):
        try:
            await Deferred()
        finally:
            await giving_back

    registry.start("one", "what it does", endless)
    assert registry.told()["one"]["status"] == "running"
    closed = begun(registry.close())
    assert not closed
    giving_back.callback(None)
    assert closed
    assert (registry.told()["one"]["status"], registry._work) == ("failed", {})
