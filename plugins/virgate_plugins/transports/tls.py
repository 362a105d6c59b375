"""TLS with client certificates (spec xmlrpc-host-vm 1.1). Imported only where TLS is on: OpenSSL costs memory.

Contexts are made with OpenSSL directly: Twisted's own options for that would double what TLS costs in Python modules.
"""

import os
import re
import stat
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, ClassVar

from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from virgate.config import Settings
from virgate.errors import VirgateError, error
from virgate_plugins.transports.settings import XmlrpcSettings, pki_file

log = Logger()

_VERSIONS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}
_CIPHERS = (
    b"ECDH+AESGCM:ECDH+CHACHA20:DH+AESGCM:DH+CHACHA20:ECDH+AES256:DH+AES256:ECDH+AES128:DH+AES:RSA+AESGCM:RSA+AES"
    b":!aNULL:!MD5:!DSS"
)
_OPTIONS = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_CIPHER_SERVER_PREFERENCE
    | SSL.OP_SINGLE_DH_USE
    | SSL.OP_SINGLE_ECDH_USE
    | SSL.OP_NO_TICKET
    | SSL.OP_NO_RENEGOTIATION
)
_CHAIN = 9
"""Certificates between a client's and its authority's."""
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


def context(settings: Settings) -> SSL.Context:
    """Our certificate, clients' authorities; clients without a certificate are refused. Raises `TlsFileUnusable`."""
    values = settings[XmlrpcSettings]
    chain = _certificates(pki_file(settings, values.certificate, "host.pem"))
    authorities = _certificates(pki_file(settings, values.ca, "ca.pem"))
    key_path = pki_file(settings, values.key, "host.key")
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(_VERSIONS[values.minimum_tls])
    made.set_options(_OPTIONS)
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)
    made.set_cipher_list(_CIPHERS)
    made.use_certificate(chain[0])
    for more in chain[1:]:
        made.add_extra_chain_cert(more)
    try:
        made.use_privatekey(_key(key_path))
        made.check_privatekey()
    except SSL.Error:
        raise TlsFileUnusable(key_path, "it does not belong to the certificate") from None
    store: Any = made.get_cert_store()
    for authority in authorities:
        store.add_cert(authority)
    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT | SSL.VERIFY_CLIENT_ONCE)
    made.set_verify_depth(_CHAIN)
    made.set_session_id(os.urandom(16))  # client certificates need one, though nothing is ever resumed
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if key_path.stat().st_mode & stat.S_IROTH:
        log.warn("everybody on this host can read {path} and so pass for it: chmod o-r", path=key_path)
    return made


@implementer(IOpenSSLServerConnectionCreator)
class Guard:
    """What new connections are guarded with; those that are open keep what they began with."""

    def __init__(self, settings: Settings) -> None:
        self._context = context(settings)

    def renew(self, settings: Settings) -> None:
        """Reads the files again. Raises `TlsFileUnusable`, and then everything stays as it is."""
        self._context = context(settings)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def guarded(factory: Any, guard: Guard, settings: Settings, reactor: Any) -> TLSMemoryBIOFactory:
    """The factory behind TLS; with `check_peer_name` it also gets a check of clients' names."""
    if settings[XmlrpcSettings].check_peer_name:
        factory.admit = peer_name_check(reactor)
    creator: Any = guard
    return TLSMemoryBIOFactory(creator, False, factory, reactor)


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
