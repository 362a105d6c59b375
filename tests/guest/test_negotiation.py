"""Which version is spoken, by whom, since when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_guest.negotiation import NEWEST, Negotiation


def test_the_first_heartbeat_offers_nothing_and_the_others_all():
    negotiation = Negotiation()
    assert [negotiation.offer() for _ in range(3)] == [0, 3, 3]


@pytest.mark.parametrize(
    ("value", "agreed"),
    [(3, 3), (9, 3), (2, 2), ("2", 2), (2.9, 2), (-5, 0), (True, 1)],
)
def test_a_named_version_counts_as_far_as_it_is_known(value, agreed):
    negotiation = Negotiation()
    assert negotiation.agree(value) is (agreed != 0)
    assert negotiation.current == agreed


@pytest.mark.parametrize("value", ["abc", None, [], {}, float("inf"), float("nan")])
def test_what_is_no_number_changes_nothing(value):
    negotiation = Negotiation()
    negotiation.agree(2)
    assert negotiation.agree(value) is False
    assert negotiation.current == 2


def test_an_equal_version_is_no_change():
    negotiation = Negotiation()
    assert [negotiation.agree(value) for value in (3, 3, 9)] == [True, False, False]


def test_a_refresh_without_a_version_comes_from_a_host_without_versions():
    negotiation = Negotiation()
    negotiation.agree(3)
    negotiation.refreshed({"apiVersion": 1})
    assert negotiation.current == 3
    negotiation.refreshed({})
    assert negotiation.current == 0


@pytest.mark.parametrize(
    ("message", "since"),
    [("heartbeat", 0), ("echo", 0), ("number-of-cpus", 1), ("os-info", 2), ("timezone", 2), ("containers", 3)],
)
def test_a_message_is_allowed_from_its_version_on(message, since):
    negotiation = Negotiation()
    for version in range(NEWEST + 1):
        negotiation.agree(version)
        assert negotiation.allows(message) is (version >= since)


@given(st.lists(st.integers() | st.text() | st.none() | st.floats()))
def test_the_version_stays_within_what_exists(values):
    negotiation = Negotiation()
    for value in values:
        before = negotiation.current
        assert negotiation.agree(value) is (negotiation.current != before)
        assert 0 <= negotiation.current <= NEWEST
