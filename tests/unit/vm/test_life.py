"""The states of spec xmlrpc-host-vm 4.1 and what moves a machine between them."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.life import INPUTS, Status, Vitals, new_life

USER = Exit.of(Reason.USER)


class Told:
    def __init__(self) -> None:
        self.statuses: list[Status] = []
        self.vitals = Vitals(lambda: 1.5, lambda: self.statuses.append(self.vitals.status))
        self.life = new_life(self.vitals)


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_new_machine_waits_for_launch_and_tells_nothing(told: Told) -> None:
    assert told.vitals.status is Status.WAIT_FOR_LAUNCH
    assert told.statuses == []


def test_a_machine_is_launched_paused_continued_ended_and_down(told: Told) -> None:
    told.life.launched()
    told.life.halted("NOERR")
    told.life.running()
    told.life.ending()
    told.life.down(USER)
    assert told.statuses == [Status.UP, Status.PAUSED, Status.UP, Status.POWERING_DOWN, Status.DOWN]
    assert told.vitals.exit == USER


def test_launched_paused_is_paused_with_its_code(told: Told) -> None:
    told.life.launched_paused("NOERR")
    assert (told.vitals.status, told.vitals.pause_code) == (Status.PAUSED, "NOERR")


def test_going_on_forgets_why_it_stood_still(told: Told) -> None:
    told.life.launched_paused("EIO")
    told.life.running()
    assert told.vitals.pause_code == ""


def test_a_plain_pause_event_does_not_hide_the_io_error_before_it(told: Told) -> None:
    told.life.launched()
    told.life.halted("ENOSPC")
    told.life.halted("NOERR")
    assert told.vitals.pause_code == "ENOSPC"
    assert told.statuses == [Status.UP, Status.PAUSED]


@pytest.mark.parametrize("codes", [("EIO", "EOTHER", "NOERR"), ("NOERR", "EOTHER", "EIO"), ("EOTHER", "EIO", "EOTHER")])
def test_the_event_that_says_most_about_a_pause_is_kept_in_any_order(told: Told, codes: tuple[str, ...]) -> None:
    told.life.launched()
    for code in codes:
        told.life.halted(code)
    assert told.vitals.pause_code == "EIO"


def test_pauses_and_continues_during_the_start_change_no_status(told: Told) -> None:
    told.life.halted("NOERR")
    assert told.vitals.pause_code == "NOERR"
    told.life.running()
    assert told.vitals.pause_code == ""
    assert told.statuses == []


def test_a_failed_start_is_down_at_once(told: Told) -> None:
    told.life.down(Exit.of(Reason.GENERIC_ERROR, "boom"))
    assert told.statuses == [Status.DOWN]


@pytest.mark.parametrize(("begin", "status"), [("leave", Status.LEAVING), ("save", Status.SAVING)])
def test_a_given_up_move_or_save_is_up_or_paused_again(begin: str, status: Status) -> None:
    for after, expected in (("launched", Status.UP), ("launched_paused", Status.PAUSED)):
        told = Told()
        told.life.launched()
        getattr(told.life, begin)()
        assert told.vitals.status is status
        getattr(told.life, after)(*(["NOERR"] if after == "launched_paused" else []))
        assert told.vitals.status is expected


@pytest.mark.parametrize(("begin", "status"), [("restore", Status.RESTORING), ("arrive", Status.ARRIVING)])
def test_a_machine_may_begin_from_memory_or_from_another_host(told: Told, begin: str, status: Status) -> None:
    getattr(told.life, begin)()
    assert told.vitals.status is status
    told.life.launched()
    assert told.vitals.status is Status.UP


def test_after_down_nothing_is_told_and_the_first_reason_stays(told: Told) -> None:
    told.life.down(USER)
    told.life.down(Exit.of(Reason.ADMIN))
    told.life.running()
    told.life.launched()
    assert told.statuses == [Status.DOWN]
    assert told.vitals.exit == USER


def call(name: str) -> Callable[[Told], None]:
    arguments = {"halted": ["EIO"], "launched_paused": ["EIO"], "down": [USER]}.get(name, [])
    return lambda told: getattr(told.life, name)(*arguments)


@given(st.lists(st.sampled_from([one.__name__ for one in INPUTS])))
def test_any_order_of_happenings_is_taken_and_never_leaves_down(names: list[str]) -> None:
    told = Told()
    for name in names:
        call(name)(told)
    assert told.statuses.count(Status.DOWN) == (1 if "down" in names else 0)
    if "down" in names:
        assert told.statuses[-1] is Status.DOWN
    assert (told.vitals.exit is None) == told.vitals.alive


@given(st.lists(st.sampled_from([one.__name__ for one in INPUTS])))
def test_a_status_is_told_only_when_it_changed(names: list[str]) -> None:
    told = Told()
    for name in names:
        call(name)(told)
    history = [Status.WAIT_FOR_LAUNCH, *told.statuses]
    assert all(before is not after for before, after in pairwise(history))
