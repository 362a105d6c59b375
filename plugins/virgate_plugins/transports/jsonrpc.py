"""JSON-RPC in STOMP frames on the management port, and events to whoever subscribes to them."""

from typing import TYPE_CHECKING, Any

import pluggy
from attrs.validators import ge
from twisted.internet import reactor

from virgate.config import Settings, option, section
from virgate.hookspecs.transport import WireProtocol

if TYPE_CHECKING:
    from virgate.api.dispatch import Api

hookimpl = pluggy.HookimplMarker("virgate")

COMMANDS = (
    b"CONNECT",
    b"DISCONNECT",
    b"ERROR",
    b"MESSAGE",
    b"RECEIPT",
    b"SEND",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
)


@section("jsonrpc")
class JsonRpcSettings:
    """JSON-RPC over STOMP on the management port."""

    request_queues: list[str] = option(
        ["jms.topic.vdsm_requests", "jms.topic.vdsm_irs_requests"], "Destinations that take requests."
    )
    event_queue: str = option("jms.queue.events", "Destination that events are sent to.")
    subscriptions: int = option(100, "Subscriptions that one connection may have.", ge(1))
    requests: int = option(256, "Requests of one connection that run at once; more wait.", ge(1))
    unsent_limit: int = option(16 << 20, "Bytes kept for a client that does not read; then it is cut off.", ge(65536))


@hookimpl
def wire_protocols(api: "Api", settings: Settings) -> WireProtocol:
    made: list[Any] = []

    def build() -> Any:
        if not made:  # the rest is imported when the first client comes
            from virgate_plugins.transports.speaking import Speaking

            made.append(Speaking(api, settings, reactor))
        return made[0].connection()

    return WireProtocol("stomp", COMMANDS, build)
