"""When what is due."""

from hypothesis import given
from hypothesis import strategies as st

from virgate_guest.timetable import Timetable

PERIODS = [("heartbeat", 5.0), ("user", 10.0), ("applications", 120.0), ("disks", 300.0), ("processors", 60.0)]


def run(table, start, end):
    """Turns until `end`, as a loop does that sleeps until the next one."""
    table.start(start)
    turns = []
    while (now := table.next()) is not None and now <= end:
        turns.append((now - start, table.due(now)))
    return turns


def test_the_first_turns_are_those_that_hosts_know():
    turns = dict(run(Timetable(PERIODS), 1000.0, 1310.0))
    assert [at for at, names in turns.items() if "heartbeat" in names][:3] == [4, 9, 14]
    assert [at for at, names in turns.items() if "processors" in names] == [59, 119, 179, 239, 299]
    assert [at for at, names in turns.items() if "applications" in names] == [119, 239]
    assert [at for at, names in turns.items() if "disks" in names] == [299]


def test_turns_that_meet_share_a_wake_up_in_their_order():
    turns = dict(run(Timetable(PERIODS), 0.0, 300.0))
    assert turns[299] == ["heartbeat", "user", "disks", "processors"]
    assert len(turns) == 60, "one wake-up in five seconds, whatever else is due"


def test_turns_that_a_sleeping_guest_missed_are_not_made_up_for():
    table = Timetable(PERIODS)
    table.start(0.0)
    assert table.due(1000.0) == [name for name, _ in PERIODS]
    assert table.due(1000.1) == []
    assert table.next() == 1004.0


def test_nothing_is_due_while_nobody_listens():
    table = Timetable(PERIODS)
    table.start(0.0)
    table.stop()
    assert table.next() is None
    assert table.due(1e9) == []


def test_a_period_of_nothing_switches_a_report_off():
    assert run(Timetable([("user", 0.0)]), 0.0, 100.0) == []


@given(st.floats(0.5, 1000), st.lists(st.floats(0, 500), max_size=50))
def test_a_turn_comes_at_most_once_in_its_period(period, steps):
    table = Timetable([("one", period)])
    table.start(0.0)
    now, before = 0.0, None
    for step in steps:
        now += step
        if table.due(now):
            assert table.next() > now - 0.05
            assert before is None or now - before > 0
            before = now
    assert table.next() >= 0
