"""One call of a verb of another host. A client of our own, small because it is used for one thing.

Nothing of the answer is believed but its status: the caller looks at the storage itself.
"""

import xmlrpc.client
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from virgate.errors import VirgateError, error
from virgate.node.storage.thin.endpoint import Endpoint
from virgate.run.loop import reactor

LIMIT = 64 << 10
"""Bytes of an answer."""


@error
class CallFailed(VirgateError):
    """The other host could not be asked."""

    text: ClassVar[str] = "{self.where} cannot be called: {self.reason}"
    where: str
    reason: str


async def call(here: Endpoint, address: str, port: int, verb: str, *arguments: Any) -> tuple[int, str]:
    """Status code and message of the verb; `CallFailed`. Cancelling closes the connection."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    endpoint: Any = HostnameEndpoint(reactor, address, port)
    body = xmlrpc.client.dumps(arguments, verb, allow_none=True).encode()
    head = f"POST /RPC2 HTTP/1.1\r\nHost: {where}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n"
    try:
        if here.tls:
            endpoint = wrapClientTLS(trust(here), endpoint)
        exchange = _Exchange(head.encode() + b"Connection: close\r\n\r\n" + body)
        await endpoint.connect(Factory.forProtocol(lambda: exchange))
        try:
            return _status(await exchange.done)
        finally:
            exchange.transport.abortConnection()
    except CancelledError:
        raise
    except Exception as problem:
        raise CallFailed(where, str(problem) or type(problem).__name__) from problem


def _status(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or words[1] != b"200":
        raise ValueError(f"it says {head[:60]!r}")
    told: Any = xmlrpc.client.loads(body)[0][0]
    return int(told["status"]["code"]), str(told["status"]["message"])


def trust(here: Endpoint) -> Any:
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


@define(eq=False, slots=False)
class _Exchange(Protocol):
    """Says one thing, hears one answer until the other side closes."""

    said: bytes
    transport: Any = field(init=False)
    done: Deferred[bytes] = field(factory=Deferred)
    _heard: bytes = b""

    def connectionMade(self) -> None:
        self.transport.write(self.said)

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        if len(self._heard) > LIMIT:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        if not self.done.called:
            self.done.callback(self._heard)
