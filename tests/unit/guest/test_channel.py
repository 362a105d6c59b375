"""A channel is read within bounds, and connected again within reason."""

import json

import pytest
from doubles.guests import Line, line

from virgate.node.guest.framing import LIMIT


def test_a_guest_that_talks_without_end_is_left_unread_after_three_hundred_messages() -> None:
    guest = Line()
    guest.pass_seconds(1)
    heard: list[bytes] = []
    guest.talk.agent.receive = heard.append  # type: ignore[method-assign]
    guest.guest.dataReceived(b"{}\n" * 20_000)
    assert len(heard) == 300
    assert guest.guest.transport.paused
    guest.pass_seconds(10)
    assert len(heard) == 400, "ten more each second"
    assert guest.guest.transport.paused
    guest.pass_seconds(1961)
    assert len(heard) == 20_000
    assert not guest.guest.transport.paused


def test_long_messages_are_paid_by_their_length() -> None:
    guest = Line()
    guest.pass_seconds(1)
    heard: list[bytes] = []
    guest.talk.agent.receive = heard.append  # type: ignore[method-assign]
    whole = line("fqdn", fqdn="a" * (LIMIT - 100)) + b"\n"
    for _ in range(5):
        guest.guest.dataReceived(whole)
    assert len(heard) == 4, "three of them, and one on credit"
    guest.pass_seconds(20)
    assert len(heard) == 4
    guest.pass_seconds(20)
    assert len(heard) == 5


def test_what_a_guest_leaves_unended_takes_no_more_than_a_mebibyte() -> None:
    guest = Line()
    guest.pass_seconds(1)
    for _ in range(200):
        guest.guest.dataReceived(b"a" * (64 << 10))
    assert len(guest.guest._lines) <= LIMIT
    guest.guest.dataReceived(b"\n" + line("fqdn", fqdn="here") + b"\n")
    guest.talk.beat()
    assert guest.talk.shown["guestFQDN"] == "here"


def test_a_guest_that_does_not_read_is_told_no_more() -> None:
    guest = Line()
    guest.pass_seconds(1)
    assert guest.talk.agent.send("log-off")
    guest.guest.pauseProducing()
    written = guest.guest.transport.written
    assert not guest.talk.agent.send("log-off")
    assert guest.guest.transport.written == written
    guest.guest.resumeProducing()
    assert guest.talk.agent.send("log-off")


def test_a_peer_that_closes_at_once_is_not_called_again_at_once() -> None:
    guest = Line()
    guest.pass_seconds(1)
    for _ in range(4):
        guest.guest.connectionLost()
        guest.clock.advance(0)
        guest.pass_seconds(1)
    assert guest.attempts == [1, 2, 3, 4, 5]
    guest.guest.connectionLost()
    guest.pass_seconds(29)
    assert len(guest.attempts) == 5, "after five failures only every half minute"
    guest.pass_seconds(1)
    assert len(guest.attempts) == 6


def test_data_make_failures_be_forgotten() -> None:
    guest = Line(there=False)
    guest.pass_seconds(5)
    guest.there = True
    guest.pass_seconds(30)
    assert guest.channel.connected
    guest.guest.dataReceived(b"\n")
    guest.clock.advance(2)
    guest.there, guest.attempts = False, []
    guest.guest.connectionLost()
    guest.clock.advance(0)
    guest.pass_seconds(4)
    assert len(guest.attempts) == 5


def test_a_closed_channel_stays_closed_until_it_is_opened() -> None:
    guest = Line()
    guest.pass_seconds(2)
    first = guest.guest
    guest.channel.close()
    assert first.transport.ended
    first.connectionLost()
    guest.pass_seconds(100)
    assert guest.attempts == [1]
    assert not guest.talk.agent.send("log-off")
    guest.channel.open()
    guest.pass_seconds(1)
    assert guest.channel.connected


def test_a_guest_that_was_not_read_is_not_called_silent() -> None:
    guest = Line(timeout=4)
    guest.pass_seconds(1)
    guest.guest.dataReceived(b"{}\n" * 400)
    guest.pass_seconds(9)
    assert guest.silences == []


@pytest.mark.parametrize("nonsense", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"NaN", b"\xff\xfe", b""])
def test_nonsense_is_dropped_and_logged_once(nonsense: bytes) -> None:
    guest = Line()
    guest.pass_seconds(1)
    guest.guest.dataReceived(nonsense + b"\n" + nonsense + b"\n" + line("fqdn", fqdn="here") + b"\n")
    assert guest.talk.shown["guestFQDN"] == "here"


def test_every_connection_asks_for_everything() -> None:
    guest = Line()
    guest.pass_seconds(3)
    guest.guest.connectionLost()
    guest.clock.advance(0)
    assert [json.loads(one.transport.written)["__name__"] for one in guest.protocols] == ["refresh", "refresh"]
