"""A certificate authority small enough to be understood, for hosts and clients that have none (floor 2).

`initialise` makes a CA, the host's certificate and a first client; `issue_client` makes further clients. Every
private key is a file of mode 0600. Nothing that exists is overwritten unless `force` says so.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from virgate.errors import VirgateError, error

YEARS = 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HOST_NAME = re.compile(r"[A-Za-z0-9:*][A-Za-z0-9._:-]{0,252}")


@error
class AlreadyThere(VirgateError):
    """Somebody may depend on the file that would be replaced."""

    text: ClassVar[str] = "{self.path} exists already; --force replaces it, and what it signed becomes useless"
    path: Path


@error
class NoAuthority(VirgateError):
    """There is no CA that could sign."""

    text: ClassVar[str] = "There is no certificate authority in {self.folder}; `virgate pki init` makes one"
    folder: Path


@error
class BadName(VirgateError):
    """The name would not be safe as a file name."""

    text: ClassVar[str] = "{self.name!r} cannot name a host or client: use letters, digits and . _ @ : -"
    name: str


@frozen
class Pair:
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> "Pair":
        return cls(folder / f"{name}.pem", folder / f"{name}.key")


@frozen
class Described:
    """What people want to know of a certificate."""

    path: Path
    subject: str
    issuer: str
    names: tuple[str, ...]
    until: datetime
    fingerprint: str


def initialise(folder: Path, names: Sequence[str] = (), *, force: bool = False) -> list[Pair]:
    """A CA, a certificate for this host under all its names and `names`, and one for clients of this machine."""
    pairs = [Pair.of(folder, "ca"), Pair.of(folder, "host"), Pair.of(folder, "client")]
    _check_free(pairs, force)
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise BadName(name)
    hostname = socket.gethostname()
    authority_key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"Virgate CA of {hostname}"[:64])
    usage = x509.BasicConstraints(ca=True, path_length=0)
    authority = _signed(subject, authority_key, subject, authority_key, [usage, _key_usage(signs=True)])
    _write(pairs[0], authority, authority_key)
    known = dict.fromkeys([hostname, "localhost", "127.0.0.1", "::1", *names])
    _issue(pairs[1], hostname, authority, authority_key, tuple(known))
    _issue(pairs[2], "admin", authority, authority_key, ())
    return pairs


def issue_client(folder: Path, name: str, *, force: bool = False) -> Pair:
    """A folder `clients/NAME` with which its owner, on any machine, may call every verb of hosts that trust this CA."""
    if not _NAME.fullmatch(name):
        raise BadName(name)
    pair = Pair.of(folder / "clients" / name, "client")
    _check_free([pair], force)
    authority, key = _authority(folder)
    pair.key.parent.mkdir(parents=True, exist_ok=True)
    _replace(pair.certificate.with_name("ca.pem"), authority.public_bytes(Encoding.PEM), 0o644)
    _issue(pair, name, authority, key, ())
    return pair


def describe(folder: Path) -> list[Described]:
    """Every certificate below the folder, the CA first."""
    found = [
        folder / "ca.pem",
        folder / "host.pem",
        folder / "client.pem",
        *sorted(folder.glob("clients/*/client.pem")),
    ]
    return [_described(path, x509.load_pem_x509_certificate(path.read_bytes())) for path in found if path.exists()]


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    pair = Pair.of(folder, "ca")
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = load_pem_private_key(pair.key.read_bytes(), None)
    except FileNotFoundError:
        raise NoAuthority(folder) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise NoAuthority(folder)
    return certificate, key


def _issue(
    pair: Pair, name: str, authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey, names: tuple[str, ...]
) -> None:
    """`names` make it a server's certificate, for clients too since hosts call each other; none: a client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if names else [])
    extensions: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=False, path_length=None),
        _key_usage(signs=False),
        x509.ExtendedKeyUsage(purposes),
        x509.SubjectAlternativeName([_alternative(each) for each in names or (name,)]),
    ]
    _write(pair, _signed(_subject(name[:64]), key, authority.subject, signer, extensions), key)


def _signed(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    extensions: Sequence[x509.ExtensionType],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # hosts whose clocks lag accept it too
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Virgate"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.RFC822Name(name) if "@" in name else x509.DNSName(name)


def _check_free(pairs: Sequence[Pair], force: bool) -> None:
    for path in (path for pair in pairs for path in (pair.certificate, pair.key)):
        if path.exists() and not force:
            raise AlreadyThere(path)


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pair.key.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    _replace(pair.key, secret, 0o600)
    _replace(pair.certificate, certificate.public_bytes(Encoding.PEM), 0o644)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others on the way."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        os.fsync(file.fileno())
    fresh.replace(path)


def _described(path: Path, certificate: x509.Certificate) -> Described:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(str(name.value) for name in extension.value)
    except x509.ExtensionNotFound:
        names = ()
    return Described(
        path,
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        names,
        certificate.not_valid_after_utc,
        certificate.fingerprint(hashes.SHA256()).hex(":"),
    )
