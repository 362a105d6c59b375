"""JSON-RPC 2.0 messages: bytes to requests, results to bytes. Pure."""

import base64
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import frozen

PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, BAD_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
BATCH_LIMIT = 1000


class Fault(Exception):
    """An error as clients get it. `id` is the request's, where one could be read."""

    def __init__(self, code: int, message: str, id: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.id = code, message, id


@frozen
class Request:
    method: str
    params: Mapping[str, Any] | list[Any]
    id: Any = None
    wants_reply: bool = True


def read(body: bytes) -> Any:
    """A JSON document; raises `Fault`. A list is a batch."""
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise Fault(PARSE_ERROR, f"The message is no JSON: {problem or 'it is nested too deeply'}") from None
    if isinstance(document, list) and not 0 < len(document) <= BATCH_LIMIT:
        raise Fault(INVALID_REQUEST, f"A batch has 1 to {BATCH_LIMIT} requests")
    return document


def request(document: Any) -> Request:
    """One request of a message; raises `Fault`."""
    if not isinstance(document, dict):
        raise Fault(INVALID_REQUEST, "A request is an object")
    id = document.get("id")
    if document.get("jsonrpc") != "2.0":
        raise Fault(INVALID_REQUEST, 'A request has the member "jsonrpc": "2.0"', id)
    method, params = document.get("method"), document.get("params", {})
    if not isinstance(method, str):
        raise Fault(INVALID_REQUEST, "A request names its method", id)
    if not isinstance(params, dict | list):
        raise Fault(INVALID_REQUEST, "params is an object or an array", id)
    return Request(method, params, id, "id" in document)


def result(id: Any, value: Any) -> bytes:
    """Null is told as true: old clients take null for a failure."""
    return _written({"jsonrpc": "2.0", "id": id, "result": True if value is None else value})


def error(fault: Fault) -> bytes:
    return _written({"jsonrpc": "2.0", "id": fault.id, "error": {"code": fault.code, "message": fault.message}})


def batch(replies: list[bytes]) -> bytes:
    return b"[" + b", ".join(replies) + b"]"


def notification(method: str, params: Mapping[str, Any]) -> bytes:
    return _written({"jsonrpc": "2.0", "method": method, "params": params})


def _written(document: Mapping[str, Any]) -> bytes:
    """Raises ValueError or TypeError for what JSON has no form of."""
    return json.dumps(document, default=_plain, allow_nan=False).encode("ascii")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
