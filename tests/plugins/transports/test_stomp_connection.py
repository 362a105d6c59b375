"""A STOMP connection on a transport of strings: heart-beats, slow clients, limits, an orderly end."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from virgate.stomp import Frame, Parser, encode
from virgate_plugins.transports.stomp.connection import CONNECT_WITHIN, Limits, StompConnection
from virgate_plugins.transports.stomp.session import Rules
from virgate_plugins.transports.stomp.subscriptions import Message, Subscriptions

QUEUE = "requests"


class Talk:
    def __init__(self, answer=None, limits=None, connect="0,0"):
        self.clock, self.transport, self.subscriptions = Clock(), StringTransport(), Subscriptions()
        self.asked = []
        self.connection = StompConnection(
            answer or self._echo, self.subscriptions, Rules((QUEUE,)), limits or Limits(), self.clock
        )
        self.connection.makeConnection(self.transport)
        self.parser = Parser()
        if connect:
            self.say("CONNECT", accept_version="1.2", heart_beat=connect)
            self.say("SUBSCRIBE", destination="replies", id="r")
            self.heard()

    async def _echo(self, body, caller):
        self.asked.append(caller)
        return body

    def say(self, command, body=b"", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.dataReceived(encode(Frame(command, named, body)))

    def ask(self, body=b"x"):
        self.say("SEND", body, destination=QUEUE, reply_to="replies")

    def heard(self):
        self.parser.feed(self.transport.value())
        self.transport.clear()
        return list(iter(self.parser.next, None))

    @property
    def reading(self):
        return self.transport.producerState == "producing"

    @property
    def aborted(self):
        return self.transport.disconnecting or self.transport.disconnected


class Waiting:
    """Answers when it is told to."""

    def __init__(self):
        self.open = []

    async def __call__(self, body, caller):
        self.open.append(Deferred())
        await self.open[-1]
        return body

    def finish(self):
        self.open.pop(0).callback(None)


def test_a_reply_goes_to_every_subscriber_of_the_reply_destination():
    talk, other = Talk(), Talk()
    other.connection._session._all = talk.subscriptions
    other.say("SUBSCRIBE", destination="replies", id="o")
    talk.say("SEND", b"hello", destination=QUEUE, reply_to="replies", ovirtCorrelationId="f9")
    assert [frame.body for frame in talk.heard()] == [b"hello"]
    assert [frame.body for frame in other.heard()] == [b"hello"]
    assert talk.asked[0].flow == "f9"
    assert talk.asked[0].peer == "192.168.1.1"


def test_who_does_not_connect_in_time_is_left():
    talk = Talk(connect="")
    talk.connection.dataReceived(b"CONNECT\n")
    talk.clock.advance(CONNECT_WITHIN)
    assert talk.aborted


def test_our_beats_come_within_the_interval_and_end_with_the_connection():
    talk = Talk(connect="0,4000")
    talk.clock.pump([1.0] * 12)
    assert talk.transport.value() == b"\n" * 4
    talk.connection.connectionLost()
    assert not talk.clock.getDelayedCalls()


def test_a_client_that_promised_beats_and_sends_none_is_left():
    talk = Talk(connect="2000,0")
    for _ in range(5):
        talk.clock.advance(3)
        talk.connection.dataReceived(b"\n")
    assert not talk.aborted
    talk.clock.advance(4.1)
    assert talk.aborted


def test_a_client_that_promised_nothing_may_be_silent_for_ever():
    talk = Talk()
    talk.clock.pump([3600.0] * 48)
    assert not talk.aborted


def test_half_a_frame_does_not_wait_for_ever():
    talk = Talk(limits=Limits(idle=30))
    talk.connection.dataReceived(b"SEND\ncontent-length:100\n\nabc")
    talk.clock.advance(31)
    assert talk.aborted


def test_what_is_no_frame_is_told_and_ends_the_connection():
    talk = Talk()
    talk.connection.dataReceived(b"POST / HTTP/1.1\r\n\r\n\0")
    (frame,) = talk.heard()
    assert (frame.command, frame.body) == ("ERROR", b"a frame begins with no command")
    assert talk.aborted
    talk.ask()
    assert talk.asked == []


def test_more_requests_than_may_run_wait_unread():
    answer = Waiting()
    talk = Talk(answer, Limits(requests=2))
    for number in range(4):
        talk.ask(str(number).encode())
    assert len(answer.open) == 2
    assert not talk.reading
    answer.finish()
    assert len(answer.open) == 2
    assert not talk.reading
    for _ in range(3):
        answer.finish()
    assert [frame.body for frame in talk.heard()] == [b"0", b"1", b"2", b"3"]
    assert talk.reading


def test_a_thousand_requests_in_one_piece_are_answered_without_recursion():
    talk = Talk(limits=Limits(requests=1))
    one = encode(Frame("SEND", {"destination": QUEUE, "reply-to": "replies"}, b"x"))
    talk.connection.dataReceived(one * 3000)
    assert len(talk.heard()) == 3000


def test_a_client_that_reads_slowly_is_not_read_and_gets_everything_later():
    talk = Talk()
    talk.transport.producer.pauseProducing()
    assert not talk.reading
    for number in range(3):
        talk.subscriptions.send(Message("replies", str(number).encode()))
    assert talk.heard() == []
    talk.transport.producer.resumeProducing()
    assert [frame.body for frame in talk.heard()] == [b"0", b"1", b"2"]
    assert talk.reading


def test_a_client_that_never_reads_is_cut_off_by_bytes_or_by_time():
    much = Talk(limits=Limits(unsent=1000))
    much.transport.producer.pauseProducing()
    for _ in range(10):
        much.subscriptions.send(Message("replies", b"x" * 200))
    assert much.aborted
    assert sum(map(len, much.connection._unsent)) <= 1000
    long = Talk(limits=Limits(idle=60))
    long.transport.producer.pauseProducing()
    long.clock.advance(61)
    assert long.aborted


def test_one_slow_client_keeps_no_other_from_its_messages():
    slow, quick = Talk(), Talk()
    quick.connection._session._all = slow.subscriptions
    quick.say("SUBSCRIBE", destination="replies", id="q")
    slow.transport.producer.pauseProducing()
    slow.subscriptions.send(Message("replies", b"x"))
    assert [frame.body for frame in quick.heard()] == [b"x"]


def test_the_port_s_end_waits_for_requests_that_run():
    answer = Waiting()
    talk = Talk(answer)
    talk.ask(b"late")
    talk.connection.close()
    assert not talk.transport.disconnecting
    answer.finish()
    assert [frame.body for frame in talk.heard()] == [b"late"]
    assert talk.transport.disconnecting


@pytest.mark.parametrize("begun", [True, False])
def test_a_connection_without_work_ends_at_once(begun):
    talk = Talk(connect="0,0" if begun else "")
    talk.connection.close()
    assert talk.transport.disconnecting


def test_a_lost_connection_leaves_nothing_behind():
    answer = Waiting()
    talk = Talk(answer, connect="1000,1000")
    talk.ask()
    talk.connection.connectionLost()
    answer.finish()
    assert not talk.clock.getDelayedCalls()
    assert talk.subscriptions.send(Message("replies", b"")) == 0
