"""A channel is read within bounds, and connected again within reason."""

import json

import pytest
from doubles.guests import Line, connection, line

from virgate.node.guest.channel import UNSENT
from virgate.node.guest.framing import LIMIT

__all__ = ["connection"]


def test_a_guest_that_talks_without_end_is_left_unread_after_three_hundred_messages(connection: Line) -> None:
    connection.pass_seconds(1)
    heard: list[bytes] = []
    connection.talk.agent.receive = heard.append  # type: ignore[method-assign]
    connection.guest.says(b"{}\n" * 20_000)
    assert len(heard) == 300
    assert connection.guest.unread
    connection.pass_seconds(10)
    assert len(heard) == 400, "ten more each second"
    assert connection.guest.unread
    connection.pass_seconds(1961)
    assert len(heard) == 20_000
    assert not connection.guest.unread


def test_long_messages_are_paid_by_their_length(connection: Line) -> None:
    connection.pass_seconds(1)
    heard: list[bytes] = []
    connection.talk.agent.receive = heard.append  # type: ignore[method-assign]
    whole = line("fqdn", fqdn="a" * (LIMIT - 100)) + b"\n"
    for _ in range(5):
        connection.guest.says(whole)
    assert len(heard) == 4, "three of them, and one on credit"
    connection.pass_seconds(20)
    assert len(heard) == 4
    connection.pass_seconds(20)
    assert len(heard) == 5


def test_what_a_guest_leaves_unended_takes_no_more_than_a_mebibyte(connection: Line) -> None:
    connection.pass_seconds(1)
    for _ in range(200):
        connection.guest.says(b"a" * (64 << 10))
    assert len(connection.channel._line._lines) <= LIMIT
    connection.guest.says(b"\n" + line("fqdn", fqdn="here") + b"\n")
    connection.talk.beat()
    assert connection.talk.shown["guestFQDN"] == "here"


def test_a_guest_that_does_not_read_is_told_no_more_than_a_little(connection: Line) -> None:
    connection.pass_seconds(1)
    guest, send = connection.guest, connection.talk.agent.send
    guest.reads, guest.written = False, b""
    told = 0
    while send("log-off"):
        told += 1
    assert 1000 < told <= UNSENT // len(line("log-off"))
    assert guest.written == b""
    guest.reads = True
    connection.pass_seconds(1)
    assert guest.written == (line("log-off") + b"\n") * told
    assert send("log-off")


def test_a_peer_that_closes_at_once_is_not_called_again_at_once(connection: Line) -> None:
    connection.pass_seconds(1)
    for _ in range(4):
        connection.guest.leaves()
        connection.clock.advance(0)
        connection.pass_seconds(1)
    assert connection.attempts == [1, 2, 3, 4, 5]
    connection.guest.leaves()
    connection.pass_seconds(29)
    assert len(connection.attempts) == 5, "after five failures only every half minute"
    connection.pass_seconds(1)
    assert len(connection.attempts) == 6


def test_data_make_failures_be_forgotten(connection: Line) -> None:
    connection.there = False
    connection.pass_seconds(5)
    connection.there = True
    connection.pass_seconds(30)
    assert connection.channel.connected
    connection.guest.says(b"\n")
    connection.clock.advance(2)
    connection.there, connection.attempts = False, []
    connection.guest.leaves()
    connection.clock.advance(0)
    connection.pass_seconds(4)
    assert len(connection.attempts) == 5


def test_a_closed_channel_stays_closed_until_it_is_opened(connection: Line) -> None:
    connection.pass_seconds(2)
    first = connection.guest
    connection.channel.close()
    assert first.ended
    connection.pass_seconds(100)
    assert connection.attempts == [1]
    assert not connection.talk.agent.send("log-off")
    connection.channel.open()
    connection.pass_seconds(1)
    assert connection.channel.connected


def test_a_guest_that_was_not_read_is_not_called_silent(connection: Line) -> None:
    connection.channel.timeout = 4
    connection.pass_seconds(1)
    connection.guest.says(b"{}\n" * 400)
    connection.pass_seconds(9)
    assert connection.silences == []


@pytest.mark.parametrize("nonsense", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"NaN", b"\xff\xfe", b""])
def test_nonsense_is_dropped_and_logged_once(connection: Line, nonsense: bytes) -> None:
    connection.pass_seconds(1)
    connection.guest.says(nonsense + b"\n" + nonsense + b"\n" + line("fqdn", fqdn="here") + b"\n")
    assert connection.talk.shown["guestFQDN"] == "here"


def test_every_connection_asks_for_everything(connection: Line) -> None:
    connection.pass_seconds(3)
    connection.guest.leaves()
    connection.clock.advance(0)
    assert [json.loads(one.written)["__name__"] for one in connection.guests] == ["refresh", "refresh"]
