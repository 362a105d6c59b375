"""What all STOMP connections of a port share: the map of subscriptions, the way to the verbs, the events."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger

from virgate.api.dispatch import Api
from virgate.config import Settings
from virgate_plugins.transports.bridge import messages
from virgate_plugins.transports.bridge.calling import Bridge
from virgate_plugins.transports.bridge.server import Server
from virgate_plugins.transports.jsonrpc import JsonRpcSettings
from virgate_plugins.transports.settings import XmlrpcSettings
from virgate_plugins.transports.stomp.connection import Limits, StompConnection
from virgate_plugins.transports.stomp.session import Rules
from virgate_plugins.transports.stomp.subscriptions import Message, Subscriptions


class Speaking:
    log = Logger()

    def __init__(self, api: Api, settings: Settings, clock: Any) -> None:
        values, port = settings[JsonRpcSettings], settings[XmlrpcSettings]
        self._api, self._clock = api, clock
        self._server = Server(Bridge(api))
        self._events = values.event_queue
        self._rules = Rules(tuple(values.request_queues), values.subscriptions)
        self._limits = Limits(port.body_limit, values.requests, values.unsent_limit, port.idle_timeout)
        self._hearing: Callable[[], None] | None = None
        self.subscriptions = Subscriptions()
        self.subscriptions.watch(values.event_queue, self._wanted)

    def connection(self) -> StompConnection:
        return StompConnection(self._server.answer, self.subscriptions, self._rules, self._limits, self._clock)

    def _wanted(self, wanted: bool) -> None:
        """Events are made only while somebody is subscribed to them."""
        if wanted:
            self._hearing = self._api.notices(self._notify)
        elif self._hearing is not None:
            self._hearing()
            self._hearing = None

    def _notify(self, method: str, params: Mapping[str, Any]) -> None:
        try:
            body = messages.notification(method, params)
        except (TypeError, ValueError) as problem:
            self.log.error("the event {method} cannot be sent: {reason}", method=method, reason=str(problem))
            return
        self.subscriptions.send(Message(self._events, body))
