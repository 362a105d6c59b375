"""Snapshots and live merges of a guest that writes all the while, through a whole daemon that is killed as well."""

import pytest
from real.whole.house import new_id
from real.whole.writer import Writer


@pytest.fixture
def writer(own, guest):
    """A machine that writes, in a house that may be killed."""
    own.start("--set=machines.job_period=0.5")
    own.make_pool()
    made = Writer(own, guest)
    made.write()
    made.write_on()
    yield made
    made.console.close()


def test_kill_9_in_the_middle_of_a_merge_in_the_middle_of_the_chain_loses_nothing(writer):
    house = writer.house
    writer.snapshot()
    writer.fill(8, at=16)
    writer.write_on()
    writer.snapshot()
    writer.write_on()
    writer.check()
    job = new_id()
    writer.merge(0, 1, 1, job)
    told = writer.jobs()[job]
    assert (told["blockJobType"], told["bandwidth"], told["imgUUID"]) == ("commit", 1, writer.image)
    house.until(lambda: int(writer.jobs()[job]["cur"]) > 1 << 20, "the merge is under way")
    house.kill()
    writer.write_on()
    house.start("--set=machines.job_period=0.5")
    assert int(writer.jobs()[job]["end"]) >= 0
    house.rejoin()
    writer.merged(0, 1)
    writer.check()
    writer.write_on()
    writer.rest()
    assert writer.verify() > 20
