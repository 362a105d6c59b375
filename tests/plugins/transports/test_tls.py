import os
import xmlrpc.client
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.internet import reactor, ssl
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from virgate import pki
from virgate_plugins.transports import xmlrpc as xmlrpc_plugin
from virgate_plugins.transports.opening import PATIENCE
from virgate_plugins.transports.tls import TlsFileUnusable, peer_name_check

PING = xmlrpc.client.dumps((), "ping").encode()


@pytest.fixture
def authority(tmp_path):
    pki.initialise(tmp_path / "pki")
    return tmp_path / "pki"


def client_of(folder, certificate=True, **more):
    own = None
    if certificate:
        own = ssl.PrivateCertificate.loadPEM((folder / "client.pem").read_text() + (folder / "client.key").read_text())
    trusted = ssl.Certificate.loadPEM((folder / "ca.pem").read_text())
    options = ssl.optionsForClientTLS("localhost", trustRoot=trusted, clientCertificate=own, **more)
    return lambda endpoint: wrapClientTLS(options, endpoint)


def settings(folder, *more):
    return ["xmlrpc.tls=true", f"daemon.state_dir={folder.parent}", *more]


async def answers(client):
    status, _, body = await client.post(PING)
    return status == 200 and xmlrpc.client.loads(body)[0][0]["status"]["code"] == 0


@pytest_twisted.ensureDeferred
async def test_a_client_with_a_certificate_of_the_authority_is_served(serve, authority):
    served = await serve(*settings(authority))
    client = await served.connect(client_of(authority))
    assert await answers(client)
    assert await answers(client)
    assert served.port.describe().endswith("with TLS")


class Shelf:
    """The transfers of a node that keeps one volume in memory."""

    kept = b""

    async def receive(self, place, length, source):
        while len(self.kept) < length:
            self.kept += await source.read(min(1 << 20, length - len(self.kept)))
        return "put"

    async def send(self, place, length, sink):
        sink.begin("got")
        await sink.write(self.kept[:length])
        return "got"


@pytest_twisted.ensureDeferred
async def test_volumes_are_streamed_through_tls_in_both_directions(serve, authority):
    served = await serve(*settings(authority))
    served.node.storage = SimpleNamespace(transfers=Shelf())
    client = await served.connect(client_of(authority))
    data = os.urandom(3_333_333)
    ids = "Host: h\r\nStorage-Pool-Id: p\r\nStorage-Domain-Id: d\r\nImage-Id: i\r\n"
    client.send(f"PUT / HTTP/1.1\r\n{ids}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    assert (await client.reply())[0] == 200
    client.send(f"GET / HTTP/1.1\r\n{ids}Range: bytes=0-{len(data) - 1}\r\n\r\n".encode())
    status, _, body = await client.reply()
    assert (status, body == data) == (206, True)


@pytest_twisted.ensureDeferred
async def test_a_client_with_an_issued_folder_is_served(serve, authority):
    issued = pki.issue_client(authority, "bob")
    served = await serve(*settings(authority))
    assert await answers(await served.connect(client_of(issued.key.parent)))


@pytest_twisted.ensureDeferred
async def test_a_client_without_a_certificate_is_not_served(serve, authority):
    served = await serve(*settings(authority))
    client = await served.connect(client_of(authority, certificate=False))
    client.send(b"POST / HTTP/1.1\r\n\r\n")
    assert await client.closed() == b""


@pytest_twisted.ensureDeferred
async def test_a_client_of_another_authority_is_not_served(serve, authority, tmp_path):
    pki.initialise(tmp_path / "other/pki")
    foreign = tmp_path / "other/pki"
    (foreign / "ca.pem").write_bytes((authority / "ca.pem").read_bytes())
    served = await serve(*settings(authority))
    client = await served.connect(client_of(foreign))
    client.send(b"POST / HTTP/1.1\r\n\r\n")
    assert await client.closed() == b""


@pytest_twisted.ensureDeferred
async def test_plain_http_on_a_guarded_port_gets_no_reply(serve, authority):
    served = await serve(*settings(authority))
    client = await served.connect()
    client.send(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    assert b"HTTP" not in await client.closed()


@pytest_twisted.ensureDeferred
async def test_versions_below_1_2_are_not_spoken_unless_a_setting_says_so(serve, authority):
    old = ssl.TLSVersion.TLSv1_1
    served = await serve(*settings(authority))
    options = {"extraCertificateOptions": {"insecurelyLowerMinimumTo": old, "lowerMaximumSecurityTo": old}}
    client = await served.connect(client_of(authority, **options))
    client.send(b"POST / HTTP/1.1\r\n\r\n")
    assert await client.closed() == b""
    strict = await serve(*settings(authority, "xmlrpc.minimum_tls=TLSv1.3"))
    assert await answers(await strict.connect(client_of(authority)))


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_stops_half_way_is_ended_and_others_are_served(serve, authority):
    served = await serve(*settings(authority))
    clock = served.port._factory._reactor = Clock()
    half = await served.connect()
    half.send(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
    other = await served.connect(client_of(authority))
    assert await answers(other)
    clock.advance(PATIENCE)
    assert await half.closed() == b""


@pytest_twisted.ensureDeferred
async def test_new_certificates_are_taken_when_settings_are_loaded_again(serve, authority):
    served = await serve(*settings(authority))
    old = await served.connect(client_of(authority))
    assert await answers(old)
    stranger = client_of(authority)
    pki.initialise(authority, force=True)
    xmlrpc_plugin.settings_loaded(served.settings)
    assert await answers(await served.connect(client_of(authority)))
    assert await answers(old)  # who is connected stays so
    refused = await served.connect(stranger)
    refused.send(b"POST / HTTP/1.1\r\n\r\n")
    assert await refused.closed() == b""


@pytest_twisted.ensureDeferred
async def test_files_that_cannot_be_used_are_told_of_and_the_old_ones_stay(serve, authority):
    served = await serve(*settings(authority))
    (authority / "host.pem").write_text("nothing")
    with capturedLogs() as heard:
        xmlrpc_plugin.settings_loaded(served.settings)
    assert any("certificates stay as they were" in event["log_format"] for event in heard)
    assert await answers(await served.connect(client_of(authority)))


@pytest_twisted.ensureDeferred
async def test_missing_and_wrong_files_are_errors_that_say_what_to_do(serve, authority, tmp_path):
    cases = {
        "certificate": (tmp_path / "none.pem", "No such file"),
        "key": (authority / "client.key", "does not belong"),
        "ca": (authority / "ca.key", "no certificate"),
    }
    for name, (path, reason) in cases.items():
        with pytest.raises(TlsFileUnusable, match=f"(?s){path}.*{reason}.*virgate pki init"):
            await serve(*settings(authority, f"xmlrpc.{name}={path}"))
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(TlsFileUnusable, match="broken certificate"):
        await serve(*settings(authority, f"xmlrpc.ca={broken}"))
    with pytest.raises(TlsFileUnusable, match="no usable key"):
        await serve(*settings(authority, f"xmlrpc.key={broken}"))


class Peer:
    def __init__(self, host, name):
        self.host, self.commonName = host, name

    def getPeer(self):
        return self

    def getPeerCertificate(self):
        return self

    def get_subject(self):
        return self


@pytest_twisted.ensureDeferred
async def test_the_name_check_admits_loopback_own_addresses_and_names_that_resolve_to_the_peer():
    admit = peer_name_check(reactor)
    assert await admit(Peer("127.0.0.1", "anybody"))
    assert await admit(Peer("::1", "anybody"))
    assert await admit(Peer("192.0.2.7", "192.0.2.7"))
    assert await admit(Peer("::ffff:192.0.2.7", "192.0.2.7"))
    assert not await admit(Peer("192.0.2.7", "192.0.2.8"))
    assert not await admit(Peer("192.0.2.7", "localhost"))
    assert not await admit(Peer("192.0.2.7", ""))


@pytest_twisted.ensureDeferred
async def test_the_name_check_lets_loopback_in_on_a_real_port(serve, authority):
    served = await serve(*settings(authority, "xmlrpc.check_peer_name=true"))
    assert await answers(await served.connect(client_of(authority)))


def test_keys_are_readable_by_their_owner_only(authority):
    for key in authority.glob("**/*.key"):
        assert os.stat(key).st_mode & 0o777 == 0o600
    assert len(list(authority.glob("*.key"))) == 3


def test_nothing_is_overwritten_without_force(authority):
    before = {path: path.read_bytes() for path in authority.iterdir() if path.is_file()}
    with pytest.raises(pki.AlreadyThere, match="--force"):
        pki.initialise(authority)
    pki.issue_client(authority, "bob")
    with pytest.raises(pki.AlreadyThere):
        pki.issue_client(authority, "bob")
    assert {path: path.read_bytes() for path in before} == before
    pki.initialise(authority, force=True)
    assert all(path.read_bytes() != content for path, content in before.items())


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".hidden", "a\n", "x" * 65])
def test_a_client_s_name_must_be_safe_as_a_file_name(authority, name):
    with pytest.raises(pki.BadName):
        pki.issue_client(authority, name)
    assert not (authority / "clients").exists()


def test_without_an_authority_nothing_can_be_issued(tmp_path):
    with pytest.raises(pki.NoAuthority, match="pki init"):
        pki.issue_client(tmp_path, "bob")


def test_certificates_are_described_with_all_names_of_the_host(tmp_path):
    pki.initialise(tmp_path, ["virt1.example.org", "192.0.2.1"])
    authority, host, client = pki.describe(tmp_path)
    assert authority.subject == authority.issuer == host.issuer == client.issuer
    assert {"virt1.example.org", "192.0.2.1", "127.0.0.1", "localhost"} <= set(host.names)
    assert ip_address(host.names[-1])
    assert client.names == ("admin",)
    assert len({each.fingerprint for each in (authority, host, client)}) == 3
