"""The XML-RPC transport, and the management port it shares with other wire protocols."""

import pluggy

from virgate.api.dispatch import Api
from virgate.config import Settings
from virgate.hookspecs.transport import WireProtocol
from virgate_plugins.transports.http.connection import HttpConnection, Limits
from virgate_plugins.transports.port import ManagementPort
from virgate_plugins.transports.rpc.endpoint import Endpoint
from virgate_plugins.transports.settings import XmlrpcSettings

hookimpl = pluggy.HookimplMarker("virgate")


@hookimpl
def transports(api: Api, settings: Settings) -> ManagementPort:
    return ManagementPort(api, settings)


@hookimpl
def wire_protocols(api: Api, settings: Settings) -> WireProtocol:
    from twisted.internet import reactor

    values = settings[XmlrpcSettings]
    endpoint, limits = Endpoint(api), Limits(values.body_limit, values.idle_timeout)
    return WireProtocol(
        "http", (b"PUT /", b"GET /", b"POST /"), lambda: HttpConnection(endpoint.answer, limits, reactor)
    )
