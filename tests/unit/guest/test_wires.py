"""Many sockets are one for the reactor, and are looked at together."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.task import Clock

from virgate.node.guest.wires import PAUSE, Wires


class Reactor(Clock):
    """Reads whoever is added and has something to read when time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        with suppress(ValueError):
            self.readers.remove(reader)


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def ends() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for one in pair:
            one.close()


def test_all_that_have_something_to_say_are_heard_in_one_look(
    reactor: Reactor, ends: list[tuple[socket.socket, socket.socket]]
) -> None:
    wires, heard = Wires(reactor), []
    for number, (ours, _) in enumerate(ends):
        wires.add(ours.fileno(), lambda number=number, ours=ours: heard.append((number, ours.recv(9))))
    assert reactor.readers == [wires]
    assert wires.fileno() > 0
    ends[0][1].send(b"a")
    wires.doRead()
    assert reactor.readers == [], "nothing wakes the daemon until the look"
    ends[2][1].send(b"b")
    reactor.advance(PAUSE)
    assert sorted(heard) == [(0, b"a"), (2, b"b")]
    assert reactor.readers == [wires]
    for ours, _ in ends:
        wires.remove(ours.fileno())
    assert (reactor.readers, len(wires), wires.fileno()) == ([], 0, -1)


def test_one_that_fails_or_takes_another_away_does_not_stop_the_look(
    reactor: Reactor, ends: list[tuple[socket.socket, socket.socket]]
) -> None:
    wires, heard = Wires(reactor), []
    numbers = [ours.fileno() for ours, _ in ends]

    def fail() -> None:
        heard.append("failed")
        for number in numbers[1:]:
            wires.remove(number)
        raise RuntimeError("a defect")

    wires.add(numbers[0], fail)
    for number in numbers[1:]:
        wires.add(number, lambda: heard.append("removed"))
    ends[0][1].send(b"a")
    wires.doRead()
    reactor.advance(PAUSE)
    assert heard == ["failed"]
    assert reactor.readers == [wires]


def test_the_last_one_may_go_while_a_look_is_due(
    reactor: Reactor, ends: list[tuple[socket.socket, socket.socket]]
) -> None:
    wires, heard = Wires(reactor), []
    number = ends[0][0].fileno()
    wires.add(number, lambda: heard.append("one"))
    ends[0][1].send(b"a")
    wires.doRead()
    wires.remove(number)
    wires.remove(number)
    assert reactor.getDelayedCalls() == []
    wires.add(number, lambda: heard.append("again"))
    wires.doRead()
    reactor.advance(PAUSE)
    assert heard == ["again"]


def test_the_last_one_may_go_and_another_come_during_a_look(
    reactor: Reactor, ends: list[tuple[socket.socket, socket.socket]]
) -> None:
    wires, heard = Wires(reactor), []
    first, second = ends[0][0].fileno(), ends[1][0].fileno()

    def change() -> None:
        wires.remove(first)
        wires.add(second, lambda: heard.append("second"))

    wires.add(first, change)
    ends[0][1].send(b"a")
    ends[1][1].send(b"b")
    wires.doRead()
    reactor.advance(PAUSE)
    assert reactor.readers == [wires]
    wires.doRead()
    reactor.advance(PAUSE)
    assert heard == ["second"]
