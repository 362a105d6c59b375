"""What a client may name, what a server may answer, and that nothing waits for ever."""

import re

import pytest
import pytest_twisted
from contract.storage.image_server import ImageServer
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates
from twisted.web.client import BrowserLikePolicyForHTTPS

from virgate import pki
from virgate.errors import InvalidParameter
from virgate.node.storage.errors.images import HttpFailed
from virgate.node.storage.images.http_client import HttpClient
from virgate.node.storage.images.http_place import OURS, Place

CONTENT = bytes(range(256)) * 4096


@pytest_twisted.async_yield_fixture
async def server():
    made = ImageServer(content=CONTENT).start()
    yield made
    await made.stop()


def place(url, **headers):
    return Place.read({"method": "http", "url": url, "headers": headers})


# what a client names


@pytest.mark.parametrize(
    "url",
    [
        "ftp://server/x", "file:///etc/passwd", "server/x", "http://", "http:///x", "http://user:secret@server/x",
        "http://server/x\r\nHost: other", "http://ser ver/", "http://server:99999/", "http://server:0/", 7, None, "",
        "http://server/\u00e9", "http://server/" + "x" * 9000, "http://[::1", "HTTP//x", "https:",
    ],
)  # fmt: skip
def test_only_plain_urls_of_web_servers_are_taken(url):
    with pytest.raises(InvalidParameter):
        Place.read({"method": "http", "url": url})


@pytest.mark.parametrize("headers", [
    {"X-A": "1\r\nX-B: 2"}, {"X-A": "1\n2"}, {"X-A\r\nX-B": "1"}, {"X A": "1"}, {"": "1"}, {"X-A": 1}, {"X-A": "\0"},
    {"X-A": "\u00e9"}, {"X-A": "x" * 9000}, {f"X-{n}": "1" for n in range(65)}, [("X-A", "1")], {7: "1"},
    *({name: "1"} for name in OURS), {"Content-Length": "1"}, {"TRANSFER-ENCODING": "chunked"},
])  # fmt: skip
def test_a_header_that_could_say_more_than_itself_is_refused(headers):
    with pytest.raises(InvalidParameter):
        Place.read({"method": "http", "url": "http://server/", "headers": headers})


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_taken_is_one_line_each(headers):
    try:
        found = Place.read({"method": "http", "url": "http://server/", "headers": headers})
    except InvalidParameter:
        return
    lines = "".join(f"{name}: {value}\r\n" for name, value in found.headers.items())
    assert len(re.findall("\r|\n", lines)) == 2 * len(headers)


def test_secrets_are_not_shown():
    found = place("http://server/x?token=secret1", Authorization="secret2")
    assert "secret" not in repr(found) and found.server == "server"
    with pytest.raises(InvalidParameter) as caught:
        Place.read({"method": "http", "url": "http://server/", "headers": {"Authorization": "secret\n"}})
    assert "secret" not in str(caught.value)


def test_other_methods_are_not_known():
    for arguments in ({}, {"method": "glance"}, {"method": "http"}):
        with pytest.raises(InvalidParameter):
            Place.read(arguments)


# talking


@pytest_twisted.ensureDeferred
async def test_the_size_is_the_larger_of_two(server):
    client = HttpClient()
    assert await client.size(place(server.url())) == len(CONTENT)
    server.size = len(CONTENT) + 1
    assert await client.size(place(server.url())) == len(CONTENT) + 1
    server.size = 7
    assert await client.size(place(server.url())) == len(CONTENT)


@pytest_twisted.ensureDeferred
async def test_what_the_server_has_comes_piece_by_piece(server):
    pieces = []

    async def take(piece):
        pieces.append(piece)

    assert await HttpClient().get(place(server.url(), **{"X-Auth-Token": "t"}), take) == len(CONTENT)
    assert b"".join(pieces) == CONTENT and len(pieces) > 1
    assert server.headers["x-auth-token"] == "t"


@pytest_twisted.ensureDeferred
async def test_the_server_gets_all_bytes_and_their_number(server):
    given = []

    async def give(most):
        given.append(most)
        start = len(CONTENT) - most
        return CONTENT[start : start + 70_000]

    await HttpClient().put(place(server.url()), len(CONTENT), give)
    assert bytes(server.taken) == CONTENT
    assert server.headers["content-length"] == str(len(CONTENT))
    assert len(given) == -(-len(CONTENT) // 70_000)


@pytest.mark.parametrize("code", [302, 401, 404, 500])
@pytest_twisted.ensureDeferred
async def test_a_refusal_and_a_redirect_end_it(server, code):
    server.code = code
    for work in (HttpClient().size(place(server.url())), HttpClient().get(place(server.url()), never)):
        with pytest.raises(HttpFailed) as caught:
            await work
        assert f"it answers {code}" in str(caught.value)
    assert server.methods == ["HEAD", "GET"]


async def never(piece):
    raise AssertionError("nothing should come")


@pytest_twisted.ensureDeferred
async def test_a_silent_server_is_given_up(server):
    server.silent = True
    client = HttpClient(patience=0.2)

    async def give(most):
        return bytes(min(most, 65536))

    for work in (
        client.size(place(server.url())),
        client.get(place(server.url()), never),
        client.put(place(server.url()), 1 << 20, give),
    ):
        with pytest.raises(HttpFailed):
            await work


@pytest_twisted.ensureDeferred
async def test_a_server_that_stops_in_the_middle_is_given_up(server):
    server.stop_after = 100_000
    got = bytearray()

    async def take(piece):
        got.extend(piece)

    with pytest.raises(HttpFailed, match="nothing passed"):
        await HttpClient(patience=0.2).get(place(server.url()), take)
    assert got == CONTENT[:100_000]


@pytest_twisted.ensureDeferred
async def test_cancelling_closes_the_connection(server):
    server.silent = True
    asked = Deferred.fromCoroutine(HttpClient().get(place(server.url()), never))
    await server.asked
    asked.cancel()
    with pytest.raises(CancelledError):
        await asked
    await server.gone


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_not_there_is_told_by_its_name():
    with pytest.raises(HttpFailed, match=re.escape("127.0.0.1:1:")):
        await HttpClient().size(place("http://127.0.0.1:1/x?token=secret"))


@pytest_twisted.ensureDeferred
async def test_a_volume_that_ends_early_is_no_success(server):
    async def give(most):
        return b""

    with pytest.raises(HttpFailed, match="ends before"):
        await HttpClient().put(place(server.url()), 10, give)


class Trusting(BrowserLikePolicyForHTTPS):
    """As if the server were found under another name."""

    def __init__(self, root, name):
        self._name = name
        super().__init__(root)

    def creatorForNetloc(self, hostname, port):
        return super().creatorForNetloc(self._name, port)


@pytest_twisted.ensureDeferred
async def test_a_certificate_has_to_be_of_a_known_authority_and_of_that_name(tmp_path):
    pki.initialise(tmp_path, ["virt1.example"])
    pem = (tmp_path / "host.pem").read_bytes() + (tmp_path / "host.key").read_bytes()
    server = ImageServer(content=CONTENT).start(PrivateCertificate.loadPEM(pem).options())
    root = trustRootFromCertificates([Certificate.loadPEM((tmp_path / "ca.pem").read_bytes())])
    there = place(server.url(scheme="https"))
    try:
        assert await HttpClient(policy=Trusting(root, b"virt1.example")).size(there) == len(CONTENT)
        for client in (HttpClient(policy=Trusting(root, b"virt2.example")), HttpClient()):
            with pytest.raises(HttpFailed):
                await client.size(there)
        assert server.methods == ["HEAD"]
    finally:
        await server.stop()
