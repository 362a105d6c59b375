"""Reads the head of a request: strict where leniency lets two programs disagree about where a request ends."""

import re

from virgate_plugins.transports.http.message import Refused, Request

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)")  # no two parts can match the same
_SINGLE = ("content-length", "transfer-encoding", "host")


def read_head(data: bytes) -> Request:
    """The request whose head is `data`, without the empty line that ends it; raises `Refused`."""
    lines = data.split(b"\r\n")
    first = _LINE.fullmatch(lines[0])
    if first is None:
        raise Refused(400, "Malformed request line")
    method, target, major, minor = first.groups()
    if major != b"1":
        raise Refused(505)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Refused(400, "Malformed header")
        name, value = found[1].decode("ascii").lower(), found[2].strip(b" \t").decode("latin-1")
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise Refused(400, f"Repeated header {name}")
        else:
            headers[name] = f"{headers[name]}, {value}"
    return Request(method.decode("ascii"), _path(target.decode("latin-1")), (1, int(minor)), headers)


def _path(target: str) -> str:
    """The path of an origin-form target, or of an absolute one as proxies send it."""
    if target[:1] != "/" and "://" in target:
        slash = target.find("/", target.find("://") + 3)
        return target[slash:] if slash >= 0 else "/"
    return target


def stays_open(request: Request) -> bool:
    """Whether the client expects to send another request on this connection."""
    wishes = request.headers.get("connection", "").lower()
    if request.version == (1, 0):
        return "keep-alive" in wishes
    return "close" not in wishes


def expects_go_ahead(request: Request) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body; raises `Refused`."""
    expectation = request.headers.get("expect")
    if expectation is None or request.version < (1, 1):
        return False
    if expectation.lower() != "100-continue":
        raise Refused(417)
    return True


def accepts_gzip(request: Request) -> bool:
    """Whether `Accept-Encoding` names gzip with a weight that is not zero."""
    for offer in request.headers.get("accept-encoding", "").split(","):
        name, *parameters = (part.strip().lower() for part in offer.split(";"))
        if name in ("gzip", "x-gzip", "*"):
            return not any(re.fullmatch(r"q\s*=\s*0(\.0*)?", parameter) for parameter in parameters)
    return False
