"""Where a program outside serves a disk: the urls that clients may name, and nothing else that QEMU would open.

    nbd:unix:PATH[:exportname=NAME]    nbd+unix:///[NAME]?socket=PATH
    nbd:HOST:PORT[:exportname=NAME]    nbd://HOST[:PORT][/NAME]

Each becomes one url with everything percent-encoded that could mean something to QEMU.
"""

import re
from ipaddress import IPv6Address
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from attrs import frozen

from virgate.errors import InvalidParameter

PORT = 10809
LONGEST = 4096
"""Characters of a url, and bytes of the name of an export."""

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})", re.ASCII)
_OLD = re.compile(
    r"nbd:(?:unix:(?P<socket>/[^:]*)|(?:\[(?P<six>[^]]*)\]|(?P<host>[^:/]+)):(?P<port>\d{1,5}))"
    r"(?::exportname=(?P<export>.*))?",
    re.ASCII | re.DOTALL,
)


@frozen
class NbdUrl:
    """`socket` is a path, or empty for a server at `host` and `port`."""

    socket: str = ""
    host: str = ""
    port: int = PORT
    export: str = ""

    @classmethod
    def read(cls, url: object) -> "NbdUrl":
        """`InvalidParameter` (1000) for any other kind of url."""
        if not isinstance(url, str) or len(url) > LONGEST or not url.isprintable():
            raise InvalidParameter("url", url)
        try:
            found = _old(url) if not url.startswith(("nbd://", "nbd+unix://")) else _new(url)
        except ValueError:
            found = None
        if found is None or not found.possible:
            raise InvalidParameter("url", url)
        return found

    @property
    def possible(self) -> bool:
        named = self.export.isprintable() and len(self.export.encode()) <= LONGEST
        if self.socket:
            return named and not self.host and self.socket.startswith("/") and self.socket.isprintable()
        return named and 0 < self.port <= 0xFFFF and _is_host(self.host)

    def __str__(self) -> str:
        name = quote(self.export, safe="")
        if self.socket:
            return f"nbd+unix:///{name}?socket={quote(self.socket, safe='/')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"nbd://{host}:{self.port}/{name}"


def _old(url: str) -> NbdUrl | None:
    found = _OLD.fullmatch(url)
    if found is None:
        return None
    export = found["export"] or ""
    if found["socket"]:
        return NbdUrl(socket=found["socket"], export=export)
    return NbdUrl(host=found["six"] or found["host"] or "", port=int(found["port"]), export=export)


def _new(url: str) -> NbdUrl | None:
    parts = urlsplit(url)
    export = unquote(parts.path.removeprefix("/"), errors="strict")
    query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict") if parts.query else []
    if parts.fragment or parts.username is not None or parts.password is not None:
        return None
    if parts.scheme == "nbd+unix":
        known = not parts.netloc and [name for name, _ in query] == ["socket"]
        return NbdUrl(socket=query[0][1], export=export) if known else None
    return None if query else NbdUrl(host=parts.hostname or "", port=parts.port or PORT, export=export)


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        return "%" not in host and bool(IPv6Address(host))
    except ValueError:
        return False
