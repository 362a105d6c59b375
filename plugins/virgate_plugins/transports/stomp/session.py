"""What one client may say and what it is answered (spec xmlrpc-host-vm 1.8). No I/O: what is to be done is asked of the
`Peer`.

A frame that cannot be obeyed is answered with ERROR and the connection stays, as clients of the old API expect;
only after an unknown version, or before CONNECT, is it closed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import field, frozen

from virgate.stomp import Frame
from virgate_plugins.transports.stomp.subscriptions import JSON, Message, Subscription, Subscriptions

VERSION = "1.2"
SHORTEST_BEAT = 1000
LONGEST_BEAT = 24 * 3600 * 1000
LEGACY_QUEUE = "/queue/_local/vdsm/requests"
LEGACY_REPLIES = "/queue/_local/vdsm/reponses"  # the misspelling is on the wire
LONG = 1024
"""Characters that a client may make the daemon keep as a destination or an id."""


class Peer(Protocol):
    """The connection as the session needs it."""

    def send(self, frame: Frame) -> None: ...

    def end(self) -> None:
        """Closes, after what was sent."""

    def beat(self, outgoing: int, incoming: int) -> None:
        """Milliseconds between heart-beats in both directions; 0 for none."""

    def request(self, body: bytes, reply_to: str, flow: str) -> None:
        """Has a request done and its reply sent to the subscribers of `reply_to`."""


@frozen
class Rules:
    """`queues` take requests; a connection has at most `subscriptions`, and `unanswered` messages to acknowledge."""

    queues: Sequence[str]
    subscriptions: int = 100
    unanswered: int = 10_000

    def takes_requests(self, destination: str) -> bool:
        """A queue, or one of its own kind: `queue.suffix`."""
        return any(destination == queue or destination.startswith(f"{queue}.") for queue in self.queues)


class Refused(Exception):
    """The text goes to the client. `fatal`: nothing else can be understood from it."""

    def __init__(self, text: str, *, fatal: bool = False) -> None:
        super().__init__(text)
        self.fatal = fatal


@frozen
class _Kept:
    """A subscription, and the messages of it that wait for an ACK, oldest first."""

    subscription: Subscription
    waiting: dict[str, None] = field(factory=dict)


class Session:
    def __init__(self, peer: Peer, subscriptions: Subscriptions, rules: Rules) -> None:
        self._peer = peer
        self._all = subscriptions
        self._rules = rules
        self._mine: dict[str, _Kept] = {}
        self._sent = 0
        self.connected = False

    def heard(self, frame: Frame) -> None:
        receipt = frame.headers.get("receipt")
        try:
            self._obey(frame)
        except Refused as refusal:
            self._refuse(str(refusal), receipt)
            if refusal.fatal:
                self._peer.end()
            return
        if receipt is not None and frame.command != "CONNECT":
            self._peer.send(Frame("RECEIPT", {"receipt-id": receipt}))
        if frame.command == "DISCONNECT":
            self.over()
            self._peer.end()

    def over(self) -> None:
        """The connection is gone; so are its subscriptions."""
        gone, self._mine = self._mine, {}
        for kept in gone.values():
            self._all.remove(kept.subscription)

    def _refuse(self, text: str, receipt: str | None) -> None:
        named = {} if receipt is None else {"receipt-id": receipt}
        self._peer.send(Frame("ERROR", {"message": text, "content-type": "text/plain", **named}, text.encode()))

    def _obey(self, frame: Frame) -> None:
        do = _COMMANDS.get(frame.command)
        if not self.connected and frame.command != "CONNECT":
            raise Refused("CONNECT comes first", fatal=True)
        if do is None:
            raise Refused(f"{frame.command} is not understood here")
        do(self, frame)

    def _connect(self, frame: Frame) -> None:
        if self.connected:
            raise Refused("This connection is connected")
        if VERSION not in (one.strip() for one in frame.headers.get("accept-version", "").split(",")):
            raise Refused("Version unsupported", fatal=True)
        incoming, outgoing = beats(frame.headers.get("heart-beat", ""))
        self.connected = True
        self._peer.send(Frame("CONNECTED", {"version": VERSION, "heart-beat": f"{outgoing},{incoming}"}))
        self._peer.beat(outgoing, incoming)

    def _subscribe(self, frame: Frame) -> None:
        destination, id = _header(frame, "destination"), _header(frame, "id")
        ack = frame.headers.get("ack", "auto")
        if ack not in ("auto", "client", "client-individual"):
            raise Refused("ack is auto, client or client-individual")
        if id in self._mine:
            raise Refused("There is a subscription with this id")
        if len(self._mine) >= self._rules.subscriptions:
            raise Refused(f"A connection has at most {self._rules.subscriptions} subscriptions")
        kept = _Kept(Subscription(id, destination, self._deliver, ack))
        self._mine[id] = kept
        self._all.add(kept.subscription)

    def _unsubscribe(self, frame: Frame) -> None:
        if (kept := self._mine.pop(_header(frame, "id"), None)) is not None:
            self._all.remove(kept.subscription)

    def _send(self, frame: Frame) -> None:
        destination = _header(frame, "destination")
        flow = frame.headers.get("ovirtCorrelationId", "")
        if destination == LEGACY_QUEUE:
            self._peer.request(frame.body, LEGACY_REPLIES, flow)
        elif self._rules.takes_requests(destination):
            self._peer.request(frame.body, _header(frame, "reply-to"), flow)
        elif not self._all.send(Message(destination, frame.body, frame.headers.get("content-type", JSON))):
            raise Refused("Subscription not available")

    def _acknowledge(self, frame: Frame) -> None:
        """NACK too: what nobody took is not sent to anybody else."""
        id = _header(frame, "id")
        for kept in self._mine.values():
            if id not in kept.waiting:
                continue
            if kept.subscription.ack == "client-individual":
                del kept.waiting[id]
                return
            for earlier in list(kept.waiting):  # one ACK is for everything before it
                del kept.waiting[earlier]
                if earlier == id:
                    return

    def _no_transactions(self, frame: Frame) -> None:
        raise Refused("There are no transactions here")

    def _disconnect(self, frame: Frame) -> None:
        """What is to be done is done after the receipt."""

    def _deliver(self, subscription: Subscription, message: Message) -> None:
        kept = self._mine.get(subscription.id)
        if kept is None:  # it ended while others were sent the same
            return
        self._sent += 1
        number = str(self._sent)
        headers = {
            "destination": message.destination,
            "content-type": message.kind,
            "subscription": subscription.id,
            "message-id": number,
        }
        if subscription.ack != "auto":
            if len(kept.waiting) >= self._rules.unanswered:
                self._refuse(f"{len(kept.waiting)} messages of {subscription.id} wait for an ACK", None)
                self._peer.end()
                return
            kept.waiting[number] = None
            headers["ack"] = number
        self._peer.send(Frame("MESSAGE", headers, message.body))


_COMMANDS: dict[str, Callable[[Session, Frame], None]] = {
    "CONNECT": Session._connect,
    "SUBSCRIBE": Session._subscribe,
    "UNSUBSCRIBE": Session._unsubscribe,
    "SEND": Session._send,
    "ACK": Session._acknowledge,
    "NACK": Session._acknowledge,
    "BEGIN": Session._no_transactions,
    "COMMIT": Session._no_transactions,
    "ABORT": Session._no_transactions,
    "DISCONNECT": Session._disconnect,
}


def beats(written: str) -> tuple[int, int]:
    """What a client's `heart-beat` header asks: milliseconds between its own beats, and between ours."""
    parts = written.split(",")
    if len(parts) != 2 or not all(part.strip().isascii() and part.strip().isdecimal() for part in parts):
        return 0, 0
    if any(len(part.strip()) > 12 for part in parts):
        return 0, 0
    theirs, ours = (min(max(int(part), SHORTEST_BEAT), LONGEST_BEAT) if int(part) else 0 for part in parts)
    return theirs, ours


def _header(frame: Frame, name: str) -> str:
    found = frame.headers.get(name, "")
    if not found:
        raise Refused(f"{frame.command} needs the header {name}")
    if len(found) > LONG:
        raise Refused(f"{name} is longer than {LONG} characters")
    return found
