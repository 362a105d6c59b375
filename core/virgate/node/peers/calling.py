"""One call of a verb of another host, over XML-RPC, with the node's certificate where TLS is on.

A client of our own, small because hosts say one thing to each other at a time.
"""

import http.client
import io
import socket
import xmlrpc.client
from typing import Any, ClassVar, cast

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from virgate.errors import VirgateError, error
from virgate.node.peers.endpoint import Endpoint
from virgate.run.loop import reactor

LIMIT = 4 << 20
"""Bytes of an answer."""
CONNECT_PATIENCE = 160.0
PATIENCE = 60.0
"""Seconds from the connection to the end of the answer."""
KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
"""Seconds of silence, seconds between probes, probes: a host that died while we wait is noticed."""


@error
class CallFailed(VirgateError):
    """The other host could not be asked."""

    text: ClassVar[str] = "{self.where} cannot be called: {self.reason}"
    where: str
    reason: str


@frozen
class Answer:
    """`code` 0 is success; `told` is the whole struct."""

    code: int
    message: str
    told: dict[str, Any]


async def call(
    here: Endpoint, address: str, port: int, verb: str, *arguments: Any, patience: float = PATIENCE
) -> Answer:
    """What the other host says, be it a refusal; `CallFailed`. Cancelling closes the connection."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    endpoint: Any = HostnameEndpoint(reactor, address, port, timeout=CONNECT_PATIENCE)
    body = xmlrpc.client.dumps(arguments, verb, allow_none=True).encode()
    head = f"POST /RPC2 HTTP/1.1\r\nHost: {where}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n"
    try:
        if here.tls:
            endpoint = wrapClientTLS(_trust(here), endpoint)
        exchange = _Exchange(head.encode() + b"Connection: close\r\n\r\n" + body)
        factory = Factory.forProtocol(lambda: exchange)
        factory.noisy = False
        await endpoint.connect(factory)
        try:
            return _answer(await exchange.done.addTimeout(patience, reactor))
        finally:
            exchange.transport.abortConnection()
    except CancelledError:
        raise
    except Exception as problem:
        raise CallFailed(where, str(problem) or type(problem).__name__) from problem


def _trust(here: Endpoint) -> Any:
    """We show our certificate; the other side's must be of our authority, whatever name it bears."""
    from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate, trustRootFromCertificates

    make: Any = PrivateCertificate
    ours = make.loadPEM(here.certificate.read_bytes() + here.key.read_bytes())
    authority: Any = Certificate
    roots: Any = trustRootFromCertificates
    return CertificateOptions(
        privateKey=ours.privateKey.original,
        certificate=ours.original,
        trustRoot=roots([authority.loadPEM(here.authority.read_bytes())]),
    )


def _answer(heard: bytes) -> Answer:
    response = http.client.HTTPResponse(cast(Any, _Heard(heard)), method="POST")
    response.begin()
    if response.status != http.client.OK:
        raise ValueError(f"it says {response.status} {response.reason}")
    told: Any = xmlrpc.client.loads(response.read())[0][0]
    if not isinstance(told, dict):
        raise ValueError("its answer is no struct")
    status = told["status"]
    return Answer(int(status["code"]), str(status["message"]), told)


@define
class _Heard:
    """Bytes as http.client wants to read them."""

    data: bytes

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


@define(eq=False, slots=False)
class _Exchange(Protocol):
    """Says one thing, hears one answer until the other side closes."""

    said: bytes
    transport: Any = field(init=False)
    done: Deferred[bytes] = field(factory=Deferred)
    _heard: bytearray = field(factory=bytearray)

    def connectionMade(self) -> None:
        self.transport.setTcpKeepAlive(True)
        handle = self.transport.getHandle()
        if hasattr(handle, "setsockopt"):
            for name, value in KEEP_ALIVE.items():
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
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
