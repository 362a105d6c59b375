"""Timelines and the reading of daemons' logs."""

from lab.nodes import read
from lab.timeline import Timeline


def test_a_timeline_is_in_the_order_of_time_whoever_told_first() -> None:
    timeline = Timeline("a scenario", began=100.0)
    timeline.note("west", "SPM", at=180.5)
    timeline.note("east", "the power fails", at=104.25)
    assert str(timeline).splitlines() == [
        "a scenario",
        "     4.25 s  east     the power fails",
        "    80.50 s  west     SPM",
    ]


def test_a_record_of_a_log_is_a_time_and_a_message() -> None:
    line = 'time=2026-01-02T00:00:01.250Z level=info room=virgate.x msg="pool \\"p\\": lost" verb=a'
    assert read(line) == (1767312001.25, 'pool "p": lost')
    assert read("time=2026-01-02T00:00:01.250Z level=info room=virgate.x msg=call verb=a") == (1767312001.25, "call")
    assert read("Traceback (most recent call last):") is None
