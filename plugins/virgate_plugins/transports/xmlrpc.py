"""The XML-RPC transport, and the management port it shares with other wire protocols."""

from typing import Any
from weakref import WeakSet

import pluggy
from twisted.internet import reactor

from virgate.api.dispatch import Api
from virgate.config import Settings
from virgate.hookspecs.transport import WireProtocol
from virgate_plugins.transports.http.connection import HttpConnection, Limits
from virgate_plugins.transports.images import ImageStreams
from virgate_plugins.transports.port import ManagementPort
from virgate_plugins.transports.rpc.endpoint import Endpoint
from virgate_plugins.transports.settings import XmlrpcSettings

hookimpl = pluggy.HookimplMarker("virgate")


_ports: WeakSet[ManagementPort] = WeakSet()


@hookimpl
def transports(api: Api, settings: Settings) -> ManagementPort:
    made = ManagementPort(api, settings, reactor)
    _ports.add(made)
    return made


@hookimpl
def settings_loaded(settings: Settings) -> None:
    for port in _ports:
        port.renew(settings)


@hookimpl
def wire_protocols(api: Api, settings: Settings) -> WireProtocol:
    values = settings[XmlrpcSettings]
    endpoint, limits = Endpoint(api), Limits(values.body_limit, values.idle_timeout)
    images = ImageStreams(api)
    streams = {"GET": images.get, "PUT": images.put}

    def build() -> Any:
        return HttpConnection(endpoint.answer, limits, reactor, streams)

    return WireProtocol("http", (b"PUT /", b"GET /", b"POST /"), build)
