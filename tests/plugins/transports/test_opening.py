import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from virgate.hookspecs.transport import PEEK, WireProtocol
from virgate_plugins.transports.opening import Opening


class Heard(Protocol):
    def __init__(self, name):
        self.name, self.data, self.lost = name, b"", False

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason=None):
        self.lost = True


TABLE = (
    WireProtocol("http", (b"PUT /", b"GET /", b"POST /"), lambda: Heard("http")),
    WireProtocol("stomp", (b"CONNECT", b"SEND"), lambda: Heard("stomp")),
)


def opened(*, tls=False, admit=None):
    clock, transport = Clock(), StringTransport()
    opening = Opening(TABLE, clock, tls=tls, admit=admit)
    opening.makeConnection(transport)
    return opening, transport, clock


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"POST / HTTP/1.1\r\n", "http"),
        (b"GET /RPC2 HTTP", "http"),
        (b"PUT /a HTTP/1", "http"),
        (b"CONNECT\nhost:x\n", "stomp"),
    ],
)
def test_the_first_bytes_choose_the_protocol_and_reach_it(data, name):
    opening, _, _ = opened()
    opening.dataReceived(data)
    opening.dataReceived(b"more")
    assert (opening.chosen.name, opening.chosen.data) == (name, data + b"more")


def test_nothing_is_chosen_before_eleven_bytes():
    opening, _, _ = opened()
    for byte in b"POST / HTT":
        opening.dataReceived(bytes([byte]))
    assert opening.chosen is None
    opening.dataReceived(b"P")
    assert opening.chosen.data == b"POST / HTTP"


@pytest.mark.parametrize(
    "data", [b"HEAD / HTTP/1.1\r\n", b"\x16\x03\x01" + bytes(20), b"post / HTTP/1.1", b"QUIT and so on"]
)
def test_other_bytes_close_the_connection_without_a_word(data):
    opening, transport, _ = opened()
    opening.dataReceived(data)
    assert transport.disconnected
    assert transport.value() == b""


def test_ten_seconds_of_silence_close_the_connection():
    opening, transport, clock = opened()
    clock.advance(9)
    opening.dataReceived(b"POST")
    clock.advance(1)
    assert transport.disconnected


def test_handshake_and_first_bytes_have_ten_seconds_each():
    opening, transport, clock = opened(tls=True)
    clock.advance(9)
    opening.handshakeCompleted()
    clock.advance(9)
    assert not transport.disconnected
    clock.advance(1)
    assert transport.disconnected


def test_a_handshake_that_never_ends_is_ended():
    _, transport, clock = opened(tls=True)
    clock.advance(10)
    assert transport.disconnected


def test_a_chosen_protocol_has_its_own_patience():
    opening, transport, clock = opened()
    opening.dataReceived(b"POST / HTTP/1.1\r\n")
    clock.advance(1000)
    assert not transport.disconnected
    opening.connectionLost()
    assert opening.chosen.lost
    assert not clock.getDelayedCalls()


def test_a_client_that_is_not_admitted_is_cut_off_and_one_that_is_waits_for_it():
    answer = Deferred()

    async def ask(transport):
        return await answer

    opening, _, _ = opened(tls=True, admit=ask)
    opening.handshakeCompleted()
    opening.dataReceived(b"POST / HTTP/1.1\r\n")
    assert opening.chosen is None
    answer.callback(True)
    assert opening.chosen.data == b"POST / HTTP/1.1\r\n"

    async def refuse(transport):
        return False

    opening, transport, _ = opened(tls=True, admit=refuse)
    opening.handshakeCompleted()
    assert transport.disconnected


def test_an_opening_longer_than_what_is_looked_at_is_a_mistake():
    with pytest.raises(ValueError, match="Length"):
        WireProtocol("x", (b"a" * (PEEK + 1),), Protocol)
    with pytest.raises(ValueError, match="Length"):
        WireProtocol("x", (), Protocol)


def admission():
    asked = Deferred()

    async def admit(transport):
        return await asked

    opening, transport, clock = opened(tls=True, admit=admit)
    opening.handshakeCompleted()
    opening.dataReceived(b"POST / HTTP/1.1\r\n")
    return opening, transport, clock, asked


def test_a_connection_that_was_lost_while_its_client_was_looked_up_gets_no_protocol_and_leaves_no_timer():
    opening, _, clock, asked = admission()
    opening.connectionLost()
    asked.callback(True)
    assert opening.chosen is None
    assert clock.getDelayedCalls() == []


def test_a_look_up_that_breaks_admits_nobody():
    opening, transport, _, asked = admission()
    asked.errback(OSError("no resolver"))
    assert opening.chosen is None
    assert transport.disconnecting or transport.aborting
