"""TLS with client certificates (spec xmlrpc-host-vm 1.1). Imported only where TLS is on: OpenSSL costs memory."""

import re
import stat
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, ClassVar

from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from virgate.config import Settings
from virgate.errors import VirgateError, error
from virgate_plugins.transports.settings import XmlrpcSettings, pki_file

log = Logger()

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1_0,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_trust_root: Any = ssl.trustRootFromCertificates  # untyped in Twisted
_certificate: Any = ssl.Certificate
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@error
class TlsFileUnusable(VirgateError):
    """TLS is wanted and one of its files cannot be used."""

    text: ClassVar[str] = (
        "TLS is on and {self.path} cannot be used ({self.reason}); `virgate pki init` makes certificates, "
        "and [xmlrpc] certificate, key and ca may name others"
    )
    path: Path
    reason: str


def context_factory(settings: Settings) -> Any:
    """What makes OpenSSL contexts: our certificate, clients' authorities, clients without a certificate refused."""
    values = settings[XmlrpcSettings]
    chain = _certificates(pki_file(settings, values.certificate, "host.pem"))
    authorities = _certificates(pki_file(settings, values.ca, "ca.pem"))
    wanted = _VERSIONS[values.minimum_tls]
    lowest: dict[str, Any] = {"raiseMinimumTo": wanted}
    if wanted < ssl.TLSVersion.TLSv1_2:
        lowest = {"insecurelyLowerMinimumTo": wanted}
    key_path = pki_file(settings, values.key, "host.key")
    made = ssl.CertificateOptions(
        privateKey=_key(key_path),
        certificate=chain[0],
        extraCertChain=chain[1:],
        trustRoot=_trust_root([_certificate(each) for each in authorities]),
        **lowest,
    )
    try:
        made.getContext().check_privatekey()
    except SSL.Error:
        raise TlsFileUnusable(key_path, "it does not belong to the certificate") from None
    if key_path.stat().st_mode & stat.S_IROTH:
        log.warn("everybody on this host can read {path} and so pass for it: chmod o-r", path=key_path)
    return made


def guarded(factory: Any, settings: Settings, reactor: Any) -> TLSMemoryBIOFactory:
    """The factory behind TLS; with `check_peer_name` it also gets a check of clients' names."""
    if settings[XmlrpcSettings].check_peer_name:
        factory.admit = peer_name_check(reactor)
    return TLSMemoryBIOFactory(context_factory(settings), False, factory, reactor)


def peer_name_check(reactor: Any) -> Callable[[Any], Awaitable[bool]]:
    """Admits a client from loopback, or whose common name is its address or a name that resolves to it."""

    async def admit(transport: Any) -> bool:
        peer = _plain_address(transport.getPeer().host)
        if ip_address(peer).is_loopback:
            return True
        name = str(transport.getPeerCertificate().get_subject().commonName or "")
        if name == peer or peer in await _addresses(name, reactor):
            return True
        log.warn("client {name} is refused: it comes from {peer}", name=name, peer=peer)
        return False

    return admit


class _Addresses:
    """Collects what a name resolves to; `done` fires at the end."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.done: Deferred[set[str]] = Deferred()

    def resolutionBegan(self, _resolution: Any) -> None:
        return

    def addressResolved(self, address: Any) -> None:
        self.found.add(_plain_address(address.host))

    def resolutionComplete(self) -> None:
        self.done.callback(self.found)


async def _addresses(name: str, reactor: Any) -> set[str]:
    if not name or len(name) > 253 or not name.isascii():
        return set()
    receiver = _Addresses()
    reactor.nameResolver.resolveHostName(receiver, name)
    return await receiver.done


def _plain_address(address: str) -> str:
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise TlsFileUnusable(path, problem.strerror or "unreadable") from None


def _certificates(path: Path) -> list[crypto.X509]:
    found = _PEM.findall(_read(path))
    if not found:
        raise TlsFileUnusable(path, "it holds no certificate")
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, each) for each in found]
    except (crypto.Error, ValueError):
        raise TlsFileUnusable(path, "it holds a broken certificate") from None


def _key(path: Path) -> crypto.PKey:
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, _read(path), passphrase=b"")
    except (crypto.Error, ValueError, TypeError):
        raise TlsFileUnusable(path, "it holds no usable key") from None
