"""What somebody hears who may not call: a reply instead of silence, for as little as possible."""

from typing import Any, cast

from twisted.internet.protocol import Protocol

from virgate.hookspecs.transport import WireProtocol
from virgate_plugins.transports.http.connection import HttpConnection, Limits
from virgate_plugins.transports.http.message import Refused, Request, Response

LIMITS = Limits(body=64 << 10, idle=5.0)
WHY = "This user may not call: [xmlrpc] local_users names who may"


async def refuse(request: Request) -> Response:
    raise Refused(403, WHY)


class RefusingStomp(Protocol):
    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(b"ERROR\nmessage:" + WHY.replace(":", r"\c").encode() + b"\n\n\0")
        transport.loseConnection()


def refusals(clock: Any) -> tuple[WireProtocol, ...]:
    """The wire protocols of a connection that is not admitted."""

    def build() -> Any:
        return HttpConnection(refuse, LIMITS, clock)

    return (
        WireProtocol("http", (b"PUT /", b"GET /", b"POST /"), build),
        WireProtocol("stomp", (b"CONNECT",), lambda: cast(Any, RefusingStomp())),
    )
