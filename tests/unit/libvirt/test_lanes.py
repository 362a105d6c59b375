"""A domain that hangs keeps its own callers waiting and nobody else."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from virgate.libvirt.lanes import Lanes


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)


class Caller:
    """Takes a turn, and stays in it until `leave`."""

    def __init__(self, lanes: Lanes, uuid: str) -> None:
        self.inside = False
        self.leave: Deferred[None] = Deferred()
        self.done: Deferred[None] = Deferred.fromCoroutine(self._call(lanes, uuid))
        self.done.addErrback(_cancelled)

    async def _call(self, lanes: Lanes, uuid: str) -> None:
        async with lanes.turn(uuid):
            self.inside = True
            await self.leave
        self.inside = False


def test_calls_about_one_domain_take_turns_in_order_and_others_pass() -> None:
    lanes = Lanes()
    first, second, third = (Caller(lanes, "hung") for _ in range(3))
    other, none = Caller(lanes, "well"), [Caller(lanes, "") for _ in range(2)]
    assert [first.inside, second.inside, third.inside] == [True, False, False]
    assert other.inside and all(caller.inside for caller in none)
    first.leave.callback(None)
    assert [first.inside, second.inside, third.inside] == [False, True, False]


def test_who_does_not_wait_any_longer_is_passed_over() -> None:
    lanes = Lanes()
    first, second, third = (Caller(lanes, "hung") for _ in range(3))
    second.done.cancel()
    first.leave.callback(None)
    assert third.inside


def test_nothing_is_kept_of_domains_that_nobody_calls() -> None:
    lanes = Lanes()
    callers = [Caller(lanes, "hung") for _ in range(3)]
    for caller in callers:
        caller.leave.callback(None)
    failing = Caller(lanes, "failing")
    failing.leave.errback(CancelledError())
    assert len(lanes) == 0
