"""Requests and replies as values."""

from collections.abc import Mapping
from http import HTTPStatus

from attrs import define, field, frozen


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


def plain(status: int, text: str) -> Response:
    return Response(status, text.encode())
