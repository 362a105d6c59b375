"""Containers of docker or podman, when one of them listens (spec guest-agent 3.1, 6.4)."""

import json
import os

from virgate_guest.errands import Errands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Container = dict[str, "str | list[str]"]

SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
REQUEST = b"GET /containers/json?all=true HTTP/1.0\r\nHost: containers\r\n\r\n"
PATIENCE = 5.0
LIMIT = 4 << 20


def of_answer(answer: bytes) -> "list[Container]":
    """The containers of an HTTP answer. Raises ValueError."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200" not in head.split(b"\r\n")[0]:
        raise ValueError("no answer of success")
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        body = _joined(body)
    return [_container(one) for one in json.loads(body.decode("utf-8", "replace"))]


def _joined(chunks: bytes) -> bytes:
    found = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        found, chunks = found + rest[:length], rest[length + 2 :]
    return found


def _container(told: "dict[str, object]") -> "Container":
    """Hosts' clients break without `names`."""
    names = told.get("Names")
    found: Container = {key.lower(): str(told.get(key) or "") for key in ("Id", "Image", "Command", "Status")}
    found["names"] = [str(name) for name in names] if isinstance(names, list) else []
    return found


class Containers:
    """A child asks: the daemon behind the socket may be busy. What it said last is told."""

    def __init__(self, errands: Errands, sockets: "tuple[str, ...]" = SOCKETS) -> None:
        self._errands = errands
        self._sockets = sockets
        self._last: list[Container] = []
        self._asking = False

    def get(self) -> "list[Container]":
        return self._last

    def ask(self, done: "Callable[[], None]") -> None:
        path = next((path for path in self._sockets if os.path.exists(path)), None)
        if path is None:
            self._last = []
        if path is None or self._asking:
            done()
            return
        self._asking = True
        there = path

        def answered(code: "int | None", output: bytes) -> None:
            self._asking = False
            try:
                self._last = of_answer(output) if code == 0 else []
            except (ValueError, AttributeError, TypeError):
                self._last = []
            done()

        self._errands.ask(lambda: _answer(there), answered, PATIENCE)


def _answer(path: str) -> bytes:
    from _socket import AF_UNIX, SOCK_STREAM, socket

    asking = socket(AF_UNIX, SOCK_STREAM)
    asking.connect(path)
    asking.sendall(REQUEST)
    found = b""
    while len(found) < LIMIT:
        piece = asking.recv(65536)
        if not piece:
            break
        found += piece
    return found
