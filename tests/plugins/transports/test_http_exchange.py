"""Streaming methods of a connection: bodies in pieces, replies in pieces, both ends wait for each other."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from virgate_plugins.transports.http.connection import AHEAD_LIMIT, HttpConnection, Limits
from virgate_plugins.transports.http.exchange import AHEAD, SLICE
from virgate_plugins.transports.http.message import Refused, Response


class Wire:
    """A connection whose PUT and GET go to `stream`, and whose other requests are echoed."""

    def __init__(self, stream, transport=None):
        async def echo(request):
            return Response(200, request.body)

        self.clock, self.transport = Clock(), transport or StringTransport()
        self.connection = HttpConnection(echo, Limits(), self.clock, {"GET": stream, "PUT": stream})
        self.connection.makeConnection(self.transport)

    def send(self, data):
        self.connection.dataReceived(data)

    def said(self):
        data = self.transport.value()
        self.transport.clear()
        return data

    def lose(self):
        self.transport.disconnected = True
        self.connection.connectionLost()


def put(length, *headers, version="1.1"):
    return "\r\n".join([f"PUT / HTTP/{version}", f"Content-Length: {length}", *headers, "", ""]).encode()


def get(*headers):
    return "\r\n".join(["GET / HTTP/1.1", *headers, "", ""]).encode()


def reply(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def whole(exchange):
    """Reads all and says it again."""
    pieces = []
    while piece := await exchange.read(7):
        pieces.append(piece)
    assert all(len(piece) == 7 for piece in pieces[:-1])
    return Response(200, b"".join(pieces))


class Reader:
    """Reads when the test says so."""

    def __init__(self):
        self.exchange = None
        self.done = Deferred()
        self.cancelled = False

    async def __call__(self, exchange):
        self.exchange = exchange
        try:
            return await self.done
        except CancelledError:
            self.cancelled = True
            raise

    def read(self, size):
        return Deferred.fromCoroutine(self.exchange.read(size))

    def write(self, data):
        return Deferred.fromCoroutine(self.exchange.write(data))


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.lists(st.integers(0, 500)))
def test_a_body_is_the_same_however_its_bytes_arrive_and_the_connection_goes_on(bodies, cuts):
    wire = Wire(whole)
    data = b"".join(put(len(body)) + body for body in bodies) + b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nend"
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        wire.send(data[start:end])
    assert wire.said() == b"".join(map(reply, bodies)) + reply(b"end")


def test_a_handler_begins_when_the_head_is_there():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(10))
    assert (reader.exchange.length, reader.exchange.request.method) == (10, "PUT")
    reading = reader.read(4)
    wire.send(b"abc")
    assert not reading.called
    wire.send(b"defg")
    assert reading.result == b"abcd"


def test_a_client_is_held_while_nobody_reads_what_it_sent():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(3 * AHEAD))
    wire.send(bytes(AHEAD))
    assert wire.transport.producerState == "paused"
    reader.read(AHEAD)
    assert wire.transport.producerState == "producing"
    wire.send(bytes(AHEAD - 1))
    assert wire.transport.producerState == "producing"


def test_a_whole_body_that_waits_holds_nobody_but_the_next_requests_do():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(AHEAD) + bytes(AHEAD))
    assert wire.transport.producerState == "producing"
    wire.send(bytes(AHEAD_LIMIT + 1))
    assert wire.transport.producerState == "paused"
    reader.read(AHEAD)
    assert wire.transport.producerState == "paused"


def test_a_client_that_expects_a_go_ahead_gets_it_when_somebody_reads():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(3, "Expect: 100-continue"))
    assert wire.said() == b""
    reading = reader.read(2)
    assert wire.said() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(b"abc")
    assert (reading.result, reader.read(2).result, wire.said()) == (b"ab", b"c", b"")


def test_who_did_not_wait_for_the_go_ahead_or_knows_none_gets_none():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(3, "Expect: 100-continue") + b"abc")
    reader.read(3)
    assert wire.said() == b""
    wire = Wire(reader)
    wire.send(put(3, "Expect: 100-continue", version="1.0"))
    reader.read(3)
    assert wire.said() == b""
    wire = Wire(reader)
    wire.send(put(3, "Expect: magic"))
    assert wire.said().startswith(b"HTTP/1.1 417 ")


def test_an_answer_before_the_body_is_read_ends_the_connection_and_the_rest_is_dropped():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(3 * AHEAD) + bytes(AHEAD))
    assert wire.transport.producerState == "paused"
    reader.done.callback(Response(200, b"enough"))
    assert b"Connection: close\r\n\r\nenough" in wire.said()
    assert wire.transport.producerState == "producing"
    wire.send(bytes(AHEAD) + put(0))
    assert wire.said() == b""
    wire.clock.advance(10)
    assert wire.transport.disconnected


def test_a_failure_closes_even_when_all_was_read():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(0))
    reader.done.callback(Response(500, b"{}", "application/json"))
    assert b"Connection: close\r\n" in wire.said()


def test_a_refusal_has_no_body_and_its_reason_in_the_status_line():
    for stream, data, line in (
        (Reader(), put("x"), b"400 Malformed Content-Length"),
        (Reader(), put("-5"), b"400 Malformed Content-Length"),
        (Reader(), put(5, "Transfer-Encoding: chunked"), b"400 Bad Request"),
        (Reader(), get("Transfer-Encoding: chunked"), b"411 Length Required"),
        (Reader(), put(5, "Content-Encoding: gzip"), b"415 Unsupported Media Type"),
    ):
        wire = Wire(stream)
        wire.send(data)
        head, _, body = wire.said().partition(b"\r\n\r\n")
        assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 " + line, b"")
        assert b"Content-Length: 0\r\nConnection: close" in head
        assert stream.exchange is None


def test_a_handler_that_refuses_or_breaks_is_answered():
    async def refuse(exchange):
        raise Refused(400, "Missing Image-Id")

    async def broken(exchange):
        raise RuntimeError("boom")

    wire = Wire(refuse)
    wire.send(get())
    assert wire.said().startswith(b"HTTP/1.1 400 Missing Image-Id\r\n")
    wire = Wire(broken)
    wire.send(get())
    said = wire.said()
    assert said.startswith(b"HTTP/1.1 500 ")
    assert b"boom" not in said


def begun(length, *headers):
    reader = Reader()
    wire = Wire(reader)
    wire.send(get(*headers))
    reader.exchange.begin(Response(206, kind="application/octet-stream", headers=(("Task-Id", "t"),)), length)
    return wire, reader


def test_a_reply_is_written_in_pieces_and_the_connection_goes_on():
    wire, reader = begun(6)
    head = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Length: 6\r\nTask-Id: t\r\n\r\n"
    )
    assert wire.said() == head
    for piece in (b"abc", b"def"):
        assert reader.write(piece).called
    assert wire.said() == b"abcdef"
    reader.done.callback(None)
    wire.send(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nend")
    assert wire.said() == reply(b"end")


def test_a_get_with_a_body_or_connection_close_is_the_last_request():
    for headers in (["Connection: close"], ["Content-Length: 5"]):
        wire, reader = begun(0, *headers)
        assert b"Connection: close" in wire.said()
        reader.done.callback(None)
        assert wire.transport.disconnecting


def test_writing_waits_for_a_client_that_takes_no_more():
    wire, reader = begun(3 * SLICE)
    wire.said()
    wire.connection.pauseProducing()
    writing = reader.write(bytes(3 * SLICE))
    assert (len(wire.said()), writing.called) == (SLICE, False)
    wire.connection.resumeProducing()
    assert (len(wire.said()), writing.called) == (2 * SLICE, True)


def test_a_reply_that_is_not_as_long_as_promised_cuts_the_connection():
    wire, reader = begun(6)
    reader.write(b"abc")
    reader.done.callback(None)
    assert wire.transport.disconnected
    wire, reader = begun(6)
    reader.write(b"abc")
    reader.done.errback(RuntimeError("boom"))
    assert wire.transport.disconnected
    assert b"500" not in wire.said()


def test_more_than_was_promised_is_a_mistake_of_the_handler():
    wire, reader = begun(2)
    wire.said()
    writing = reader.write(b"abc")
    assert writing.result.check(ValueError)
    writing.addErrback(lambda failure: None)
    assert wire.said() == b""


def test_a_client_that_leaves_cancels_the_handler():
    for act in (lambda reader: None, lambda reader: reader.read(5)):
        reader = Reader()
        wire = Wire(reader)
        wire.send(put(5))
        pending = act(reader)
        wire.lose()
        assert reader.cancelled
        assert wire.said() == b""
        assert not wire.clock.getDelayedCalls()
        if pending is not None:
            pending.addErrback(lambda failure: None).cancel()


@pytest.mark.parametrize("waits", [True, False], ids=["for the client", "for somebody else"])
def test_only_when_it_is_the_clients_turn_its_silence_ends_the_exchange(waits):
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(5))
    if waits:
        reader.read(5).addErrback(lambda failure: None)
        wire.clock.advance(59)
        wire.send(b"a")
        wire.clock.advance(59)
        assert not wire.transport.disconnected
        wire.clock.advance(1)
    else:
        wire.clock.advance(3600)
    assert wire.transport.disconnected is waits


class Slow(StringTransport):
    """Is full after each write."""

    def write(self, data):
        super().write(data)
        self.producer.pauseProducing()


def test_a_client_that_takes_a_little_now_and_then_is_waited_for_and_one_that_takes_nothing_is_not():
    reader = Reader()
    wire = Wire(reader, Slow())
    wire.send(get())
    reader.exchange.begin(Response(206), 9 * SLICE)
    wire.connection.resumeProducing()
    writing = reader.write(bytes(9 * SLICE)).addErrback(lambda failure: None)
    for left in range(8, 4, -1):
        assert reader.exchange.owed == left * SLICE
        wire.clock.advance(59)
        wire.connection.resumeProducing()
    assert not wire.transport.disconnected
    wire.clock.advance(60)
    assert wire.transport.disconnected
    writing.cancel()


def test_closing_lets_an_exchange_come_to_its_end():
    reader = Reader()
    wire = Wire(reader)
    wire.send(put(5) + b"abc")
    wire.connection.close()
    reading = reader.read(5)
    wire.send(b"de")
    assert reading.result == b"abcde"
    reader.done.callback(Response(200, b"stored"))
    assert wire.said().endswith(b"Connection: close\r\n\r\nstored")
    assert wire.transport.disconnecting
