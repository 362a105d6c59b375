import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from virgate_plugins.transports.http.body import compressed
from virgate_plugins.transports.http.connection import AHEAD_LIMIT, HEAD_LIMIT, HttpConnection, Limits
from virgate_plugins.transports.http.message import Response


def post(body, *headers, version="1.1"):
    lines = [f"POST /RPC2 HTTP/{version}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def reply(body, *headers):
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/xml", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def waiting():
    """An answer that the test gives: (answer, give)."""
    asked = []

    async def answer(request):
        done = Deferred()
        asked.append(done)
        return await done

    return answer, asked


def test_a_request_is_answered_and_the_connection_stays(talk):
    t = talk()
    t.send(post(b"one"))
    t.send(post(b"two"))
    assert t.said() == reply(b"one") + reply(b"two")
    assert not t.transport.disconnecting


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.lists(st.integers(0, 500)))
def test_requests_are_the_same_however_their_bytes_arrive(bodies, cuts):
    async def echo(request):
        return Response(200, request.body, "text/xml")

    connection, transport = HttpConnection(echo, Limits(), Clock()), StringTransport()
    connection.makeConnection(transport)
    data = b"".join(post(body) for body in bodies)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        connection.dataReceived(data[start:end])
    assert transport.value() == b"".join(reply(body) for body in bodies)


def test_the_next_request_waits_for_the_reply_before(talk):
    answer, asked = waiting()
    t = talk(answer)
    t.send(post(b"a") + post(b"b"))
    assert len(asked) == 1
    asked[0].callback(Response(200, b"1", "text/xml"))
    assert len(asked) == 2
    asked[1].callback(Response(200, b"2", "text/xml"))
    assert t.said() == reply(b"1") + reply(b"2")


def test_many_requests_at_once_do_not_deepen_the_stack(talk):
    t = talk()
    t.send(post(b"x") * 5000)
    assert t.said() == reply(b"x") * 5000


def test_a_client_that_sends_far_ahead_is_held_until_it_is_answered(talk):
    answer, asked = waiting()
    t = talk(answer)
    t.send(post(b"a"))
    t.send(post(bytes(AHEAD_LIMIT)))
    assert t.transport.producerState == "paused"
    asked[0].callback(Response(200))
    assert len(asked) == 2
    asked[1].callback(Response(200))
    assert t.transport.producerState == "producing"


def test_a_client_that_does_not_read_gets_no_more_answers_until_it_does(talk):
    t = talk()
    t.connection.pauseProducing()
    t.send(post(b"a"))
    assert (t.said(), t.requests) == (b"", [])
    t.connection.resumeProducing()
    assert t.said() == reply(b"a")


def test_http_1_0_is_closed_unless_the_client_asks_otherwise(talk):
    t = talk()
    t.send(post(b"a", version="1.0"))
    assert t.said() == reply(b"a", "Connection: close")
    assert t.transport.disconnecting
    t = talk()
    t.send(post(b"a", "Connection: keep-alive", version="1.0"))
    assert t.said() == reply(b"a", "Connection: keep-alive")
    assert not t.transport.disconnecting


def test_connection_close_is_obeyed_and_what_follows_is_dropped(talk):
    t = talk()
    t.send(post(b"a", "Connection: close") + post(b"b"))
    assert t.said() == reply(b"a", "Connection: close")
    assert t.transport.disconnecting


def test_chunks_and_gzip_arrive_as_one_plain_body(talk):
    body = compressed(b"hello")
    t = talk()
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    t.send(head + b"4\r\n" + body[:4] + b"\r\n%x\r\n" % len(body[4:]) + body[4:] + b"\r\n0\r\n\r\n")
    assert t.said() == reply(b"hello")


def test_a_client_that_expects_a_go_ahead_gets_it_once(talk):
    t = talk()
    t.send(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert t.said() == b"HTTP/1.1 100 Continue\r\n\r\n"
    t.send(b"ab")
    assert t.said() == reply(b"ab")


def test_another_expectation_is_refused(talk):
    t = talk()
    t.send(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: magic\r\n\r\n")
    assert t.said().startswith(b"HTTP/1.1 417 ")


def refused(t, data, status):
    """Sends and expects a refusal that ends the connection, yet lets the client read it."""
    t.send(data)
    said = t.said()
    assert said.startswith(b"HTTP/1.1 %d " % status), said
    assert b"Connection: close" in said
    t.send(b"more of it" * 100)
    assert (t.said(), t.requests) == (b"", [])
    t.clock.advance(10)
    assert t.transport.disconnected


def test_bad_requests_are_refused_with_their_status_and_the_connection_ends(talk):
    refused(talk(), b"nonsense\r\n\r\n", 400)
    refused(talk(), b"POST / HTTP/1.1\r\n\r\n", 411)
    refused(talk(), b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400)
    refused(talk(), b"POST / HTTP/3.0\r\n\r\n", 505)
    refused(talk(), b"A" * (HEAD_LIMIT + 1), 431)
    refused(talk(limits=Limits(body=10)), b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", 413)
    refused(talk(), post(b"abc", "Content-Encoding: gzip"), 400)


def test_a_refusal_comes_before_the_go_ahead(talk):
    data = b"POST / HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
    refused(talk(limits=Limits(body=10)), data, 413)


def test_silence_ends_the_connection_and_requests_prolong_it(talk):
    t = talk()
    t.clock.advance(59)
    t.send(post(b"a"))
    t.clock.advance(59)
    assert not t.transport.disconnected
    t.clock.advance(1)
    assert t.transport.disconnected


def test_a_head_that_drips_is_not_waited_for_longer_than_silence(talk):
    t = talk()
    for byte in b"POST / HTTP/1.1\r\n":
        t.send(bytes([byte]))
        t.clock.advance(5)
    assert t.transport.disconnected


def test_a_body_that_moves_is_waited_for(talk):
    t = talk()
    t.send(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
    for byte in b"abc":
        t.clock.advance(50)
        t.send(bytes([byte]))
    assert t.said() == reply(b"abc")


def test_a_long_call_is_not_silence(talk):
    answer, asked = waiting()
    t = talk(answer)
    t.send(post(b"a"))
    t.clock.advance(3600)
    assert not t.transport.disconnected
    asked[0].callback(Response(200, b"done", "text/xml"))
    assert t.said() == reply(b"done")
    t.clock.advance(59)
    assert not t.transport.disconnected


def test_a_reply_to_a_client_that_left_is_dropped(talk):
    answer, asked = waiting()
    t = talk(answer)
    t.send(post(b"a"))
    t.transport.loseConnection()
    t.connection.connectionLost()
    asked[0].callback(Response(200))
    assert t.said() == b""
    assert not t.clock.getDelayedCalls()


def test_closing_waits_for_the_reply_under_way(talk):
    answer, asked = waiting()
    t = talk(answer)
    t.send(post(b"a"))
    t.connection.close()
    assert not t.transport.disconnecting
    asked[0].callback(Response(200, b"last", "text/xml"))
    assert t.said() == reply(b"last", "Connection: close")
    assert t.transport.disconnecting


def test_an_answer_that_raises_is_a_500(talk):
    async def broken(request):
        raise RuntimeError("boom")

    t = talk(broken)
    t.send(post(b"a"))
    said = t.said()
    assert said.startswith(b"HTTP/1.1 500 ")
    assert b"boom" not in said


def test_an_ipv4_client_of_an_ipv6_port_is_known_by_its_ipv4_address():
    seen = []

    async def answer(request):
        seen.append((request.peer, request.local))
        return Response(200)

    for peer, local in (("::ffff:192.0.2.7", "::ffff:192.0.2.1"), ("2001:db8::7", "::1")):
        transport = StringTransport(IPv6Address("TCP", local, 1), IPv6Address("TCP", peer, 2))
        connection = HttpConnection(answer, Limits(), Clock())
        connection.makeConnection(transport)
        connection.dataReceived(post(b"a"))
    assert seen == [("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "::1")]


def test_empty_lines_between_requests_are_ignored(talk):
    t = talk()
    t.send(b"\r\n" + post(b"a") + b"\r\n" + post(b"b"))
    assert t.said() == reply(b"a") + reply(b"b")


@given(st.lists(st.binary(max_size=80) | st.sampled_from([b"POST / HTTP/1.1\r\n", b"\r\n", b"Content-Length: 3\r\n"])))
def test_whatever_a_client_sends_it_is_answered_refused_or_waited_for(pieces):
    async def echo(request):
        return Response(200, request.body)

    clock, transport = Clock(), StringTransport()
    connection = HttpConnection(echo, Limits(), clock)
    connection.makeConnection(transport)
    for piece in pieces:
        connection.dataReceived(piece)
    assert transport.value()[:9] in (b"", b"HTTP/1.1 ")
    clock.advance(61)
    assert transport.disconnected
