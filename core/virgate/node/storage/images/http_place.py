"""Where on another server an image lies, as a client of the API told it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from virgate.errors import InvalidParameter

FIELDS = 64
LONGEST = 8192
OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
"""Fields that say how a message is framed; a client may not set them."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\x20-\x7e\t]*", re.ASCII)
_URL = re.compile(r"[\x21-\x7e]+", re.ASCII)


@frozen
class Place:
    """A place on a server, as a client named it. It may hold secrets: it is never shown but for the server."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> "Place":
        """From `{method: "http", url, headers}`; `InvalidParameter` (1000), which repeats no value of a header."""
        if arguments.get("method") != "http":
            raise InvalidParameter("method", arguments.get("method"))
        url, headers = arguments.get("url"), arguments.get("headers") or {}
        if not isinstance(url, str) or not _is_url(url):
            raise InvalidParameter("url", "no http or https URL")
        if not isinstance(headers, Mapping) or len(headers) > FIELDS:
            raise InvalidParameter("headers", f"no struct of at most {FIELDS} fields")
        return cls(url, {name: _checked(name, value) for name, value in headers.items()})

    @property
    def server(self) -> str:
        return urlsplit(self.url).netloc


def _is_url(url: str) -> bool:
    if len(url) > LONGEST or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        return False


def _checked(name: object, value: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in OURS:
        raise InvalidParameter("headers", name)
    if not isinstance(value, str) or len(value) > LONGEST or not _VALUE.fullmatch(value):
        raise InvalidParameter("headers", f"{name} with a value that is no line of ASCII")
    return value
