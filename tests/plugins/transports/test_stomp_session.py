"""What a STOMP client may say, and what it hears."""

import pytest

from virgate.stomp import Frame
from virgate_plugins.transports.stomp.session import Rules, Session, beats
from virgate_plugins.transports.stomp.subscriptions import Message, Subscriptions

QUEUE = "jms.topic.vdsm_requests"


class Peer:
    def __init__(self, everybody, **rules):
        self.sent, self.requests, self.beats, self.ended = [], [], None, False
        self.session = Session(self, everybody, Rules((QUEUE,), **rules))

    def send(self, frame):
        self.sent.append(frame)

    def end(self):
        self.ended = True

    def beat(self, *beats):
        self.beats = beats

    def request(self, *request):
        self.requests.append(request)

    def say(self, command, body=b"", **headers):
        self.session.heard(Frame(command, {name.replace("_", "-"): value for name, value in headers.items()}, body))
        sent, self.sent = self.sent, []
        return sent

    def error(self, command, body=b"", **headers):
        (frame,) = self.say(command, body, **headers)
        assert frame.command == "ERROR"
        return frame.body.decode()


@pytest.fixture
def everybody():
    return Subscriptions()


@pytest.fixture
def join(everybody):
    def make(**rules):
        made = Peer(everybody, **rules)
        made.say("CONNECT", accept_version="1.2")
        return made

    return make


@pytest.mark.parametrize("versions", ["1.2", "1.0,1.1,1.2", "1.2, 1.3"])
def test_who_speaks_version_1_2_is_connected(everybody, versions):
    peer = Peer(everybody)
    (frame,) = peer.say("CONNECT", accept_version=versions, heart_beat="5000,200")
    assert (frame.command, frame.headers) == ("CONNECTED", {"version": "1.2", "heart-beat": "1000,5000"})
    assert peer.beats == (1000, 5000)


@pytest.mark.parametrize("headers", [{}, {"accept_version": "1.0"}, {"accept_version": "1.1,2.0"}])
def test_who_speaks_another_version_is_told_so_and_left(everybody, headers):
    peer = Peer(everybody)
    assert peer.error("CONNECT", **headers) == "Version unsupported"
    assert peer.ended


def test_connect_comes_first_and_once(everybody, join):
    early = Peer(everybody)
    assert early.error("SEND", b"{}", destination=QUEUE, reply_to="r") == "CONNECT comes first"
    assert early.ended
    assert early.requests == []
    peer = join()
    assert "connected" in peer.error("CONNECT", accept_version="1.2")
    assert not peer.ended


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0,0", (0, 0)),
        ("500,30000", (1000, 30000)),
        ("0,1", (0, 1000)),
        ("", (0, 0)),
        ("a,b", (0, 0)),
        ("-1,5", (0, 0)),
        ("1,2,3", (0, 0)),
        ("9999999999999999,1", (0, 0)),
        ("999999999999,1", (86400000, 1000)),
    ],
)
def test_heart_beats_are_at_least_a_second_and_nonsense_is_none(written, meant):
    assert beats(written) == meant


def test_every_frame_but_connect_is_receipted_when_it_asks(join):
    peer = join()
    assert peer.say("SUBSCRIBE", destination="a", id="1", receipt="s")[0].headers == {"receipt-id": "s"}
    assert peer.say("UNSUBSCRIBE", id="none", receipt="u")[0].headers == {"receipt-id": "u"}
    assert peer.say("SEND", b"{}", destination=QUEUE, reply_to="r", receipt="q")[0].headers == {"receipt-id": "q"}
    (last,) = peer.say("DISCONNECT", receipt="d")
    assert (last.command, last.headers) == ("RECEIPT", {"receipt-id": "d"})
    assert peer.ended


def test_an_error_names_the_receipt_that_was_asked_for_and_the_connection_stays(join):
    peer = join()
    (frame,) = peer.say("SUBSCRIBE", destination="a", receipt="s")
    assert (frame.command, frame.headers["receipt-id"]) == ("ERROR", "s")
    assert not peer.ended


@pytest.mark.parametrize(
    ("command", "headers", "text"),
    [
        ("SUBSCRIBE", {"id": "1"}, "SUBSCRIBE needs the header destination"),
        ("SUBSCRIBE", {"destination": "a"}, "SUBSCRIBE needs the header id"),
        ("SUBSCRIBE", {"destination": "a", "id": "1", "ack": "perhaps"}, "ack is auto"),
        ("SUBSCRIBE", {"destination": "a", "id": "x" * 2000}, "id is longer"),
        ("UNSUBSCRIBE", {}, "UNSUBSCRIBE needs the header id"),
        ("SEND", {}, "SEND needs the header destination"),
        ("SEND", {"destination": QUEUE}, "SEND needs the header reply-to"),
        ("SEND", {"destination": "nobody"}, "Subscription not available"),
        ("BEGIN", {"transaction": "1"}, "no transactions"),
        ("ACK", {}, "ACK needs the header id"),
        ("CONNECTED", {}, "not understood"),
        ("MESSAGE", {}, "not understood"),
    ],
)
def test_what_cannot_be_obeyed_is_told(join, command, headers, text):
    assert text in join().error(command, **headers)


def test_an_id_is_taken_once_until_it_is_given_up(join):
    peer = join()
    assert peer.say("SUBSCRIBE", destination="a", id="1") == []
    assert "this id" in peer.error("SUBSCRIBE", destination="b", id="1")
    peer.say("UNSUBSCRIBE", id="1")
    assert peer.say("SUBSCRIBE", destination="b", id="1") == []


def test_subscriptions_are_counted(join):
    peer = join(subscriptions=3)
    for number in range(3):
        peer.say("SUBSCRIBE", destination="a", id=str(number))
    assert "at most 3" in peer.error("SUBSCRIBE", destination="a", id="3")


@pytest.mark.parametrize("destination", [QUEUE, f"{QUEUE}.host-7"])
def test_requests_go_to_the_queues_and_what_is_below_them(join, destination):
    peer = join()
    assert peer.say("SEND", b"{}", destination=destination, reply_to="r", ovirtCorrelationId="f1") == []
    assert peer.requests == [(b"{}", "r", "f1")]


def test_a_queue_that_only_begins_alike_takes_no_requests(join):
    peer = join()
    assert peer.error("SEND", b"{}", destination=f"{QUEUE}2", reply_to="r") == "Subscription not available"
    assert peer.requests == []


def test_the_oldest_clients_are_answered_at_their_misspelt_queue(join):
    peer = join()
    peer.say("SEND", b"{}", destination="/queue/_local/vdsm/requests")
    assert peer.requests == [(b"{}", "/queue/_local/vdsm/reponses", "")]


def test_a_message_goes_to_all_subscribers_on_all_connections_and_to_those_of_parents(join):
    one, two, deaf = join(), join(), join()
    one.say("SUBSCRIBE", destination="a.b", id="x")
    two.say("SUBSCRIBE", destination="a", id="y")
    deaf.say("SUBSCRIBE", destination="a.b.c.d", id="z")
    sender = join()
    assert sender.say("SEND", b"hello", destination="a.b.c", content_type="text/plain") == []
    for peer, id in ((one, "x"), (two, "y")):
        (frame,) = peer.sent
        assert (frame.command, frame.body) == ("MESSAGE", b"hello")
        assert frame.headers["destination"] == "a.b.c"
        assert frame.headers["content-type"] == "text/plain"
        assert frame.headers["subscription"] == id
    assert deaf.sent == []


def test_who_is_gone_or_has_unsubscribed_hears_nothing(join, everybody):
    gone, left = join(), join()
    gone.say("SUBSCRIBE", destination="a", id="1")
    left.say("SUBSCRIBE", destination="a", id="1")
    gone.session.over()
    left.say("UNSUBSCRIBE", id="1")
    assert everybody.send(Message("a", b"")) == 0


def acks(peer):
    found = [frame.headers["ack"] for frame in peer.sent]
    peer.sent = []
    return found


@pytest.mark.parametrize(("mode", "left"), [("client", 1), ("client-individual", 2)])
def test_one_ack_is_for_all_before_it_or_for_one_message(join, everybody, mode, left):
    peer = join(unanswered=3)
    peer.say("SUBSCRIBE", destination="a", id="1", ack=mode)
    for _ in range(3):
        everybody.send(Message("a", b""))
    peer.say("ACK", id=acks(peer)[1])
    for _ in range(3 - left):
        everybody.send(Message("a", b""))
    assert len(acks(peer)) == 3 - left
    assert not peer.ended
    everybody.send(Message("a", b""))
    assert peer.ended  # too many wait for an answer
    assert peer.sent[-1].command == "ERROR"


def test_messages_of_automatic_subscriptions_ask_for_no_ack(join, everybody):
    peer = join()
    peer.say("SUBSCRIBE", destination="a", id="1")
    everybody.send(Message("a", b""))
    assert "ack" not in peer.sent[0].headers


def test_who_watches_a_destination_hears_of_the_first_and_the_last_subscriber(join, everybody):
    heard = []
    everybody.watch("a.b", heard.append)
    one, two = join(), join()
    one.say("SUBSCRIBE", destination="a.b", id="1")
    two.say("SUBSCRIBE", destination="a", id="1")
    two.say("SUBSCRIBE", destination="other", id="2")
    one.session.over()
    assert heard == [True]
    two.say("UNSUBSCRIBE", id="1")
    assert heard == [True, False]
