"""Guests without machines: an agent on a clock, a channel whose socket is a list, and a hypervisor's agent calls."""

import json
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock

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


class Transport:
    """Notes what is written; `paused` while nobody reads."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = self.ended = False

    def write(self, data: bytes) -> None:
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def abortConnection(self) -> None:
        self.ended = True

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False


class Socket:
    """What `connect` answers."""

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def fileno(self) -> int:
        return -1


@define
class Line:
    """A channel on a clock. `there` says whether somebody listens; `guest` is the other end of the connection."""

    timeout: float = 30.0
    there: bool = True
    clock: Clock = field(factory=Clock)
    attempts: list[float] = field(factory=list)
    silences: list[float] = field(factory=list)
    protocols: list[Any] = field(factory=list)
    talk: Talk = field(init=False)
    channel: Channel = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.talk = Talk(self.clock)
        self.clock.adoptStreamConnection = self._adopt  # type: ignore[attr-defined]
        silent = self.talk.agent.silent
        self.talk.agent.silent = lambda: (self.silences.append(self.clock.seconds()), silent())  # type: ignore
        self.channel = Channel(
            self.talk.agent,
            "/channel",
            reactor=self.clock,
            monotonic=self.clock.seconds,
            timeout=self.timeout,
            connect=self._connect,
        )

    def _connect(self, path: str) -> Any:
        self.attempts.append(self.clock.seconds())
        if not self.there:
            raise ConnectionRefusedError(path)
        return Socket()

    def _adopt(self, descriptor: int, family: int, factory: Any) -> None:
        protocol = factory.buildProtocol(None)
        self.protocols.append(protocol)
        protocol.makeConnection(Transport())

    @property
    def guest(self) -> Any:
        return self.protocols[-1]

    @property
    def written(self) -> list[dict[str, Any]]:
        return [json.loads(one) for one in self.guest.transport.written.splitlines()]

    def pass_seconds(self, seconds: int, each: Callable[[], None] = lambda: None) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            each()
            self.channel.tick(self.clock.seconds())
