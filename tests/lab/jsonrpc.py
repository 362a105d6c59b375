"""A JSON-RPC client of the management port, for tests and measurements: synchronous, one connection."""

import json
import socket
import time
import uuid
from collections import deque
from typing import Any

from virgate.stomp import BEAT, Frame, Parser, encode

REQUESTS = "jms.topic.vdsm_requests"
EVENTS = "jms.queue.events"


class Failed(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code


class JsonRpc:
    """`result(method, params)` calls; `event(...)` waits for what a subscription brings."""

    def __init__(self, port: int, seconds: float = 20, context: Any = None, beat: str = "0,0") -> None:
        link = socket.create_connection(("127.0.0.1", port), seconds)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.link = context.wrap_socket(link) if context else link
        self.seconds = seconds
        self.parser = Parser()
        self.beats = 0
        self.events: deque[tuple[float, dict[str, Any]]] = deque()
        """(monotonic seconds of arrival, notification)"""
        self.replies = f"jms.topic.replies.{uuid.uuid4()}"
        self.send("CONNECT", {"accept-version": "1.2", "heart-beat": beat})
        self.connected = self.frame()
        self.send("SUBSCRIBE", {"destination": self.replies, "id": "replies"})

    def __enter__(self) -> "JsonRpc":
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        self.link.sendall(encode(Frame(command, headers, body)))

    def frame(self) -> Frame:
        while (frame := self.parser.next()) is None:
            data = self.link.recv(1 << 16)
            if not data:
                raise EOFError
            self.beats += data == BEAT
            self.parser.feed(data)
        return frame

    def subscribe(self, destination: str = EVENTS, id: str = "events") -> None:
        self.send("SUBSCRIBE", {"destination": destination, "id": id, "receipt": f"subscribed-{id}"})
        while self._take().command != "RECEIPT":
            pass

    def _take(self) -> Frame:
        frame = self.frame()
        if frame.headers.get("subscription") == "events":
            self.events.append((time.monotonic(), json.loads(frame.body)))
        return frame

    def ask(self, document: Any) -> Any:
        """The reply to a message, whatever it is."""
        self.send("SEND", {"destination": REQUESTS, "reply-to": self.replies}, json.dumps(document).encode())
        while (frame := self._take()).headers.get("subscription") != "replies":
            assert frame.command == "MESSAGE", frame
        return json.loads(frame.body)

    def result(self, method: str, params: Any = None) -> Any:
        answer = self.ask({"jsonrpc": "2.0", "method": method, "params": params or {}, "id": "1"})
        if "error" in answer:
            raise Failed(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def event(self, wanted: Any = lambda event: True) -> tuple[float, dict[str, Any]]:
        """Waits for the next event of which `wanted` is true; what came before it is gone."""
        until = time.monotonic() + self.seconds
        while True:
            while self.events:
                at, event = self.events.popleft()
                if wanted(event):
                    return at, event
            assert time.monotonic() < until, "the event did not come"
            self._take()
