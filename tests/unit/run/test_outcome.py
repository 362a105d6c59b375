"""A value that comes once and is awaited by many."""

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError

from virgate.run.outcome import Outcome


@pytest_twisted.ensureDeferred
async def test_those_who_wait_before_and_after_get_the_same_value():
    outcome = Outcome()
    early = [outcome.wait(), outcome.wait()]
    outcome.tell(7)
    assert [await waiter for waiter in early] == [7, 7]
    assert await outcome.wait() == 7


@pytest_twisted.ensureDeferred
async def test_a_cancelled_waiter_leaves_the_others():
    outcome = Outcome()
    first, second = outcome.wait(), outcome.wait()
    first.cancel()
    with pytest.raises(CancelledError):
        await first
    outcome.tell("told")
    assert await second == "told"


@given(st.lists(st.integers(), min_size=1))
def test_only_the_first_value_counts(values):
    outcome = Outcome()
    assert not outcome.known
    for value in values:
        outcome.tell(value)
    got = []
    outcome.wait().addCallback(got.append)
    assert (outcome.known, got) == (True, values[:1])


def test_a_waiter_that_asks_again_while_it_is_told_is_told_again():
    outcome, got = Outcome(), []
    outcome.wait().addCallback(lambda value: outcome.wait().addCallback(got.append))
    outcome.tell(1)
    assert got == [1]
