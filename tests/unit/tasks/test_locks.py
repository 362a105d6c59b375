"""Reader/writer locks: who shares, who waits, in which order, and what cancelling gives back."""

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from virgate.node.tasks.errors import InvalidLockName, LockTimeout
from virgate.node.tasks.locks import Locks, Request, image, storage, volume


class Holder:
    """A coroutine that takes a hold, keeps it until told, and leaves its marks in a shared diary."""

    def __init__(self, locks, diary, name, *requests, within=None):
        self.name, self.diary = name, diary
        self.enough = Deferred()
        self.failure = None
        self.work = Deferred.fromCoroutine(self._hold(locks, requests, within))
        self.work.addErrback(self._failed)

    async def _hold(self, locks, requests, within):
        async with locks.hold(*requests, within=within):
            self.diary.append(f"+{self.name}")
            await self.enough
            self.diary.append(f"-{self.name}")

    def _failed(self, failure):
        self.failure = failure.value

    def leave(self):
        self.enough.callback(None)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def locks(clock):
    return Locks(clock)


@pytest.fixture
def diary():
    return []


@pytest.fixture
def holder(locks, diary):
    present = []  # a holder that nobody refers to is collected, its coroutine closed and its lock given back

    def enter(name, *requests, **more):
        present.append(Holder(locks, diary, name, *requests, **more))
        return present[-1]

    yield enter
    present.clear()


A, AX = storage("a"), storage("a", exclusive=True)
B, BX = storage("b"), storage("b", exclusive=True)


def test_shared_holders_are_inside_together(holder, diary):
    holder("one", A)
    holder("two", A)
    assert diary == ["+one", "+two"]


def test_an_exclusive_holder_is_alone(holder, diary):
    one, two, three = holder("one", AX), holder("two", AX), holder("three", A)
    one.leave()
    two.leave()
    three.leave()
    assert diary == ["+one", "-one", "+two", "-two", "+three", "-three"]


def test_a_shared_wish_does_not_overtake_a_waiting_exclusive_one(holder, diary):
    one = holder("reader", A)
    holder("writer", AX)
    holder("late reader", A)
    assert diary == ["+reader"]
    one.leave()
    assert diary == ["+reader", "-reader", "+writer"]


def test_neighbouring_shared_wishes_enter_together(holder, diary):
    writer = holder("writer", AX)
    holder("one", A)
    holder("two", A)
    holder("next writer", AX)
    writer.leave()
    assert diary == ["+writer", "-writer", "+one", "+two"]


def test_different_resources_do_not_meet(holder, diary):
    holder("a", AX)
    holder("b", BX)
    holder("image", image("a", "x", exclusive=True))
    holder("volume", volume("a", "x", exclusive=True))
    assert diary == ["+a", "+b", "+image", "+volume"]


def test_holds_in_opposite_order_do_not_wait_for_each_other(holder, diary):
    one, two = holder("one", AX, BX), holder("two", BX, AX)
    one.leave()
    two.leave()
    assert diary == ["+one", "-one", "+two", "-two"]


def test_a_resource_asked_for_twice_is_held_once_and_exclusively(holder, diary, locks):
    one = holder("one", A, AX, A)
    assert diary == ["+one"]
    assert locks.busy(A)
    one.leave()
    assert not locks.busy(AX)


def test_waiting_too_long_is_851_and_gives_back_what_was_taken(holder, clock, locks, diary):
    holder("b", BX)
    late = holder("both", AX, BX, within=5)
    assert locks.busy(A)
    clock.advance(4.9)
    assert late.failure is None
    clock.advance(0.2)
    assert isinstance(late.failure, LockTimeout)
    assert late.failure.code == 851
    assert "00_storage.b" in str(late.failure)
    assert not locks.busy(AX)


def test_the_time_limit_counts_all_resources_together(holder, clock):
    a, b = holder("a", AX), holder("b", BX)
    late = holder("both", AX, BX, within=10)
    clock.advance(6)
    a.leave()
    clock.advance(5)
    assert isinstance(late.failure, LockTimeout)
    b.leave()


def test_the_usual_time_limit_is_two_minutes(holder, clock):
    holder("a", AX)
    late = holder("late", A)
    clock.advance(119)
    assert late.failure is None
    clock.advance(2)
    assert isinstance(late.failure, LockTimeout)


def test_a_timeout_lets_those_behind_it_in(holder, clock, diary):
    holder("reader", A)
    holder("writer", AX, within=5)
    holder("late reader", A)
    clock.advance(6)
    assert diary == ["+reader", "+late reader"]


def test_cancelling_while_waiting_leaves_the_queue(holder, diary):
    one = holder("one", AX)
    two = holder("two", AX)
    holder("three", A)
    two.work.cancel()
    assert isinstance(two.failure, CancelledError)
    one.leave()
    assert diary == ["+one", "-one", "+three"]


def test_cancelling_inside_gives_the_resource_back(holder, diary):
    one = holder("one", AX)
    holder("two", AX)
    one.work.cancel()
    assert diary == ["+one", "+two"]


def test_no_timer_is_left_behind(holder, clock):
    one, two = holder("one", AX), holder("two", AX)
    one.leave()
    two.leave()
    assert clock.getDelayedCalls() == []


def test_a_hold_taken_again_in_the_same_breath_is_still_a_hold(holder, locks):
    first, enough = holder("first", AX), Deferred()

    async def twice():
        async with locks.hold(AX):
            pass
        async with locks.hold(AX):
            await enough

    work = Deferred.fromCoroutine(twice())
    first.leave()
    assert locks.busy(A)
    enough.callback(None)
    assert not locks.busy(AX)
    assert work.called


def test_a_lock_that_nobody_uses_is_forgotten(holder, locks):
    one, two = holder("one", AX), holder("two", A)
    one.leave()
    two.leave()
    assert locks._resources == {}


@pytest_twisted.ensureDeferred
async def test_an_error_inside_gives_the_resource_back(locks):
    with pytest.raises(ZeroDivisionError):
        async with locks.hold(AX):
            raise ZeroDivisionError
    assert not locks.busy(AX)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../a", "a\n", "é"])
def test_names_that_are_no_names_are_853(name):
    with pytest.raises(InvalidLockName) as refused:
        storage(name)
    assert refused.value.code == 853


wishes = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=3)


@given(st.lists(wishes, max_size=8), st.randoms(use_true_random=False))
def test_everybody_gets_in_and_writers_are_alone(everybody, random):
    diary, locks, inside = [], Locks(Clock()), {}
    holders = {}
    for number, wanted in enumerate(everybody):
        holders[number] = Holder(locks, diary, number, *(Request("ns", name, alone) for name, alone in wanted))
    while len(diary) < 2 * len(everybody):
        present = [number for number in holders if f"+{number}" in diary and f"-{number}" not in diary]
        assert present, "nobody is inside and somebody waits"
        inside = {number: {name: any(x for n, x in everybody[number] if n == name) for name, _ in everybody[number]}
                  for number in present}  # fmt: skip
        for number, held in inside.items():
            for name, alone in held.items():
                others = [other for other in present if other != number and name in inside[other]]
                assert not (alone and others)
        holders[random.choice(present)].leave()
    assert locks._resources == {}
