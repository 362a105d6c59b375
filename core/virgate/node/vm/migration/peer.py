"""The other host's daemon, as the source of a move calls it: over XML-RPC, with the node's certificate where TLS is on.

Its answers are believed as far as a host of the same cluster is: it is asked to run our guest.
"""

import io
import xmlrpc.client
from typing import Any, Protocol, cast

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as WireProtocol
from twisted.python.failure import Failure

from virgate.node.storage.thin.calling import trust
from virgate.node.storage.thin.endpoint import Endpoint
from virgate.node.vm.migration.addresses import Destination
from virgate.node.vm.migration.errors import PeerRefused, PeerUnreachable
from virgate.run.loop import reactor

LIMIT = 16 << 20
"""Bytes of an answer."""
CONNECT_PATIENCE = 160.0
PATIENCE = 60.0
LONG_AGO = (60, 10, 6)
"""TCP keep-alive: seconds of silence, seconds between probes, probes: a dead host is noticed."""


class Peer(Protocol):
    """One destination. Everything raises `PeerUnreachable` or `PeerRefused`."""

    async def ping(self) -> None: ...

    async def create(self, params: dict[str, Any], limit: int | None) -> dict[str, Any]:
        """Has the destination prepare; answers the machine as it is there now."""

    async def destroy(self, vm: str) -> None: ...


@frozen
class XmlRpcPeer:
    here: Endpoint
    destination: Destination
    create_timeout: float

    async def ping(self) -> None:
        await self._call(PATIENCE, "ping")

    async def create(self, params: dict[str, Any], limit: int | None) -> dict[str, Any]:
        more = {} if limit is None else {"incomingLimit": limit}
        answer = await self._call(self.create_timeout, "migrationCreate", params | more)
        return answer["params"] if isinstance(answer.get("params"), dict) else {}

    async def destroy(self, vm: str) -> None:
        await self._call(PATIENCE, "destroy", vm)

    async def _call(self, patience: float, verb: str, *arguments: Any) -> dict[str, Any]:
        where = self.destination
        try:
            answer = await self._ask(patience, xmlrpc.client.dumps(arguments, verb, allow_none=True).encode())
            status = answer["status"]
            code, message = int(status["code"]), str(status["message"])
        except CancelledError:
            raise
        except Exception as problem:
            raise PeerUnreachable(str(where), str(problem) or type(problem).__name__) from problem
        if code:
            raise PeerRefused(code, message)
        return answer

    async def _ask(self, patience: float, body: bytes) -> dict[str, Any]:
        host = self.destination.host
        endpoint: Any = HostnameEndpoint(reactor, host, self.destination.port, timeout=CONNECT_PATIENCE)
        if self.here.tls:
            endpoint = wrapClientTLS(trust(self.here), endpoint)
        head = f"POST /RPC2 HTTP/1.1\r\nHost: {self.destination}\r\nContent-Type: text/xml\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        exchange = _Exchange(head.encode() + body)
        factory = Factory.forProtocol(lambda: exchange)
        factory.noisy = False
        await endpoint.connect(factory)
        try:
            heard = await exchange.done.addTimeout(patience, reactor)
        finally:
            exchange.transport.abortConnection()
        return _answer(heard)


@define
class _Heard:
    """Bytes as http.client wants to read them."""

    data: bytes

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def _answer(heard: bytes) -> dict[str, Any]:
    import http.client

    response = http.client.HTTPResponse(cast(Any, _Heard(heard)), method="POST")
    response.begin()
    if response.status != http.client.OK:
        raise ValueError(f"it says {response.status} {response.reason}")
    told: Any = xmlrpc.client.loads(response.read())[0][0]
    if not isinstance(told, dict):
        raise ValueError("its answer is no struct")
    return told


@define(eq=False, slots=False)
class _Exchange(WireProtocol):
    """Says one thing, hears one answer until the other side closes."""

    said: bytes
    transport: Any = field(init=False)
    done: Deferred[bytes] = field(factory=Deferred)
    _heard: bytearray = field(factory=bytearray)

    def connectionMade(self) -> None:
        _watch(self.transport)
        self.transport.write(self.said)

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        if len(self._heard) > LIMIT:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self.done.called:
            return
        if reason is not None and not self._heard and not isinstance(reason.value, ConnectionDone):
            self.done.errback(reason)
        else:
            self.done.callback(bytes(self._heard))


def _watch(transport: Any) -> None:
    import socket

    transport.setTcpKeepAlive(True)
    handle = transport.getHandle()
    for name, value in zip(("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"), LONG_AGO, strict=True):
        if hasattr(handle, "setsockopt"):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
