"""What somebody hears who may not call: a reply instead of silence, for as little as possible."""

from typing import Any

from virgate.hookspecs.transport import WireProtocol
from virgate_plugins.transports.http.connection import HttpConnection, Limits
from virgate_plugins.transports.http.message import Refused, Request, Response

LIMITS = Limits(body=64 << 10, idle=5.0)


async def refuse(request: Request) -> Response:
    raise Refused(403, "This user may not call: [xmlrpc] local_users names who may")


def refusals(clock: Any) -> tuple[WireProtocol, ...]:
    """The wire protocols of a connection that is not admitted."""

    def build() -> Any:
        return HttpConnection(refuse, LIMITS, clock)

    return (WireProtocol("http", (b"PUT /", b"GET /", b"POST /"), build),)
