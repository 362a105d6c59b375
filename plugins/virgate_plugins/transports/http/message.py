"""Requests and replies as values."""

from collections.abc import Mapping
from http import HTTPStatus

from attrs import define, field, frozen

GO_AHEAD = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Refused(Exception):
    """The request cannot be served; the connection answers with `status` and closes."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason or HTTPStatus(status).phrase


@define
class Request:
    """One request with its whole body. Header names are lower-case; repeated headers are joined by commas."""

    method: str
    path: str
    version: tuple[int, int]
    headers: Mapping[str, str]
    body: bytes = b""
    peer: str = ""
    local: str = ""


@frozen
class Response:
    """One reply. `Content-Length` and `Connection` are the connection's business."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = field(default=())
    reason: str = ""
    """Stands in the status line instead of the usual words."""


def plain(status: int, text: str) -> Response:
    return Response(status, text.encode())


def bare(refused: Refused) -> Response:
    """A refusal without a body; people find the reason in the status line."""
    return Response(refused.status, reason=refused.reason)


def head_of(response: Response, length: int, version: tuple[int, int], *, stays: bool) -> bytes:
    """The head of a reply with a body of this length, and the empty line behind it."""
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}\r\n" if response.reason else _STATUS_LINES[response.status],
        f"Content-Type: {response.kind}\r\nContent-Length: {length}\r\n",
    ]
    lines += [f"{name}: {value}\r\n" for name, value in response.headers]
    if not stays:
        lines.append("Connection: close\r\n")
    elif version == (1, 0):
        lines.append("Connection: keep-alive\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")
