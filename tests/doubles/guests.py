"""Guests without machines: an agent on a clock, and a channel whose socket is a list."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from virgate.node.guest import channel
from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.channel import Channel

VM = "11111111-1111-4111-8111-111111111111"


def line(name: str, /, **members: Any) -> bytes:
    return json.dumps({"__name__": name, **members}).encode()


@define
class Talk:
    """One agent, what was sent to its guest, and how often its status changed."""

    clock: Clock = field(factory=Clock)
    sent: list[dict[str, Any]] = field(factory=list)
    statuses: list[str] = field(factory=list)
    agent: GuestAgent = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.agent = GuestAgent(
            VM,
            reactor=self.clock,
            monotonic=self.clock.seconds,
            wall=lambda: 1000.0 + self.clock.seconds(),
            moved=lambda: self.statuses.append(str(self.agent.status)),
        )
        self.agent.deliver = self._deliver

    def _deliver(self, data: bytes) -> bool:
        assert data.endswith(b"\n") and data.count(b"\n") == 1 and data.isascii()
        self.sent.append(json.loads(data))
        return True

    def says(self, name: str, /, **members: Any) -> None:
        self.agent.receive(line(name, **members))

    def beat(self, **members: Any) -> None:
        self.says("heartbeat", **{"free-ram": "512", **members})

    @property
    def versions(self) -> list[int]:
        """What the guest was told of versions since the last look."""
        told = [one["apiVersion"] for one in self.sent if one["__name__"] == "api-version"]
        self.sent.clear()
        return told

    @property
    def shown(self) -> dict[str, Any]:
        return self.agent.shown(2048, {}, "0")


class Guest:
    """The guest's end of a connection; `open_socket` answers it. What is said is heard at once."""

    numbers = count(1000)

    def __init__(self, readers: "Readers") -> None:
        self._readers = readers
        self._number = next(self.numbers)
        self._said: list[bytes] = []
        self.written = b""
        self.reads = True
        self.ended = False

    def says(self, *pieces: bytes) -> None:
        """What nobody reads waits for `heard`."""
        self._said += pieces
        self.heard()

    def heard(self) -> None:
        while self._said and not self.unread:
            self._readers.ready[self._number]()

    def leaves(self) -> None:
        self.says(b"")

    @property
    def unread(self) -> bool:
        return self._number not in self._readers.ready

    # as a socket

    def fileno(self) -> int:
        assert not self.ended
        return self._number

    def recv(self, size: int) -> bytes:
        return self._said.pop(0)

    def send(self, data: bytes) -> int:
        if not self.reads:
            raise BlockingIOError
        self.written += bytes(data)
        return len(data)

    def close(self) -> None:
        assert self.unread, "a closed descriptor is still looked at"
        self.ended = True


@define
class Readers:
    """Who is looked at."""

    ready: dict[int, Callable[[], None]] = field(factory=dict)

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        self.ready[descriptor] = ready

    def remove(self, descriptor: int) -> None:
        self.ready.pop(descriptor, None)


@define
class Line:
    """A channel on a clock. `there` says whether somebody listens; `guest` is the other end of the connection."""

    timeout: float = 30.0
    there: bool = True
    clock: Clock = field(factory=Clock)
    attempts: list[float] = field(factory=list)
    silences: list[float] = field(factory=list)
    guests: list[Guest] = field(factory=list)
    readers: Readers = field(factory=Readers)
    talk: Talk = field(init=False)
    channel: Channel = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.talk = Talk(self.clock)
        silent = self.talk.agent.silent
        self.talk.agent.silent = lambda: (self.silences.append(self.clock.seconds()), silent())  # type: ignore
        now = self.clock.seconds
        self.channel = Channel(
            self.talk.agent,
            "/channel",
            reactor=self.clock,
            readers=self.readers,
            monotonic=now,
            timeout=self.timeout,
        )

    def connect(self, path: str) -> Any:
        """In the place of `open_socket`."""
        self.attempts.append(self.clock.seconds())
        if not self.there:
            raise ConnectionRefusedError(path)
        self.guests.append(Guest(self.readers))
        return self.guests[-1]

    @property
    def guest(self) -> Guest:
        return self.guests[-1]

    @property
    def written(self) -> list[dict[str, Any]]:
        return [json.loads(one) for one in self.guest.written.splitlines()]

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.channel.tick(self.clock.seconds())
            if self.guests:
                self.guest.heard()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Line:
    """A channel that somebody listens to."""
    made = Line()
    monkeypatch.setattr(channel, "open_socket", made.connect)
    return made
