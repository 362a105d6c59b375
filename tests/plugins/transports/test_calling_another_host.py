"""The call of one host to another over the real management port, with and without TLS."""

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol

from virgate import pki
from virgate.node.peers.calling import LIMIT, CallFailed, call
from virgate.node.peers.endpoint import Endpoint


def endpoint(folder: Path, *, tls: bool) -> Endpoint:
    return Endpoint.described({"tls": tls, "port": 54321}, folder)


@pytest.fixture
def keys(tmp_path: Path):
    """A folder with a CA, named by the test."""

    def keys(name: str) -> Path:
        if not (tmp_path / name).exists():
            pki.initialise(tmp_path / name / "pki", ["node-2"])
        return tmp_path / name

    return keys


@pytest.fixture
def raw():
    """A port that says what the test wants."""
    ports: list[Any] = []

    def raw(answer: bytes, close: bool = True) -> int:
        class Say(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(answer)  # type: ignore[union-attr,call-arg]
                if close:
                    self.transport.loseConnection()  # type: ignore[union-attr]

        ports.append(reactor.listenTCP(0, Factory.forProtocol(Say), interface="127.0.0.1"))
        return ports[-1].getHost().port

    yield raw
    for port in ports:
        port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_verb_is_called_without_tls(serve: Any, tmp_path: Path) -> None:
    served = await serve('xmlrpc.local_users=["*"]')
    answer = await call(endpoint(tmp_path, tls=False), "127.0.0.1", served.port.port, "ping")
    assert (answer.code, answer.message) == (0, "Done")


@pytest_twisted.ensureDeferred
async def test_a_verb_is_called_with_the_host_s_own_certificate(serve: Any, keys: Any) -> None:
    folder = keys("pool") / "pki"
    served = await serve("xmlrpc.tls=true", *(f'xmlrpc.{what}="{folder}/{file}"' for what, file in FILES.items()))
    here = endpoint(keys("pool"), tls=True)
    assert (await call(here, "127.0.0.1", served.port.port, "ping")).code == 0
    assert (await call(here, "127.0.0.1", served.port.port, "extendVolume", "x")).code != 0


@pytest_twisted.ensureDeferred
async def test_a_host_of_another_authority_is_not_called(serve: Any, keys: Any) -> None:
    folder = keys("foreign") / "pki"
    served = await serve("xmlrpc.tls=true", *(f'xmlrpc.{what}="{folder}/{file}"' for what, file in FILES.items()))
    with pytest.raises(CallFailed):
        await call(endpoint(keys("pool"), tls=True), "127.0.0.1", served.port.port, "ping")


@pytest_twisted.ensureDeferred
async def test_a_port_without_tls_is_not_called_with_it(raw: Any, keys: Any) -> None:
    with pytest.raises(CallFailed):
        await call(endpoint(keys("pool"), tls=True), "127.0.0.1", raw(b"HTTP/1.1 200 OK\r\n\r\n"), "ping")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 403 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nrubbish",
        b"x" * (LIMIT + 1),
        b"HTTP/1.1 200 OK\r\n\r\n<methodResponse/>",
    ],
)
@pytest_twisted.ensureDeferred
async def test_whatever_else_answers_is_a_failed_call(raw: Any, tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(CallFailed):
        await call(endpoint(tmp_path, tls=False), "127.0.0.1", raw(answer), "ping")


@pytest_twisted.ensureDeferred
async def test_nobody_there_is_a_failed_call(raw: Any, tmp_path: Path) -> None:
    with pytest.raises(CallFailed):
        await call(endpoint(tmp_path, tls=False), "127.0.0.1", 1, "ping")


@pytest_twisted.ensureDeferred
async def test_a_call_that_is_cancelled_ends(raw: Any, tmp_path: Path) -> None:
    calling = Deferred.fromCoroutine(
        call(endpoint(tmp_path, tls=False), "127.0.0.1", raw(b"HTTP/1.1", close=False), "ping")
    )
    reactor.callLater(0.1, calling.cancel)
    with pytest.raises((CancelledError, CallFailed)):
        await calling


FILES = {"certificate": "host.pem", "key": "host.key", "ca": "ca.pem"}
