"""The other host is called as old clients call it; what it says wrongly is said to be wrong."""

import xmlrpc.client
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from virgate.node.peers.endpoint import Endpoint
from virgate.node.vm.migration.addresses import Destination
from virgate.node.vm.migration.errors import PeerRefused, PeerUnreachable
from virgate.node.vm.migration.peer import XmlRpcPeer
from virgate.node.vm.thin.disks import ThinDisk

HERE = Endpoint("127.0.0.1", 0, False, Path(), Path(), Path())


def answer(code: int = 0, message: str = "Done", **members: Any) -> bytes:
    told = {"status": {"code": code, "message": message}, **members}
    body = xmlrpc.client.dumps((told,), methodresponse=True).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@define
class Listening:
    port: int
    says: bytes = field(factory=answer)
    heard: bytes = b""

    @property
    def peer(self) -> XmlRpcPeer:
        return XmlRpcPeer(HERE, Destination("127.0.0.1", self.port), 5.0)

    @property
    def call(self) -> tuple[Any, str | None]:
        return xmlrpc.client.loads(self.heard.partition(b"\r\n\r\n")[2])


@pytest_twisted.async_yield_fixture
async def there() -> AsyncIterator[Listening]:
    class Answering(Protocol):
        def dataReceived(self, data: bytes) -> None:
            made.heard += data
            if b"</methodCall>" in made.heard and self.transport is not None:
                self.transport.write(made.says)
                self.transport.loseConnection()

    factory = Factory.forProtocol(Answering)
    factory.noisy = False
    port: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
    made = Listening(port.getHost().port)
    yield made
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_machine_is_announced_and_what_is_there_is_answered(there: Listening) -> None:
    there.says = answer(migrationPort=0, params={"status": "Migration Destination"})
    assert await there.peer.create({"vmId": "a", "elapsedTimeOffset": 1.5}, 2) == {"status": "Migration Destination"}
    assert there.call == (({"vmId": "a", "elapsedTimeOffset": 1.5, "incomingLimit": 2},), "migrationCreate")


@pytest_twisted.ensureDeferred
async def test_it_is_destroyed_by_its_id(there: Listening) -> None:
    await there.peer.destroy("a")
    assert there.call == (("a",), "destroy")


@pytest_twisted.ensureDeferred
async def test_it_says_what_a_machine_is_there(there: Listening) -> None:
    there.says = answer(statsList=[{"vmId": "a", "status": "Migration Destination"}])
    assert await there.peer.status("a") == "Migration Destination"
    assert there.call == (("a",), "getVmStats")
    there.says = answer(statsList=[])
    with pytest.raises(PeerUnreachable):
        await there.peer.status("a")


@pytest_twisted.ensureDeferred
async def test_a_disk_that_has_grown_is_looked_at(there: Listening) -> None:
    there.says = answer(apparentsize="2147483648", truesize="2147483648")
    assert await there.peer.refresh_disk("a", ThinDisk("vda", "", "", "p", "d", "i", "v")) == 2 << 30
    named = {"device": "disk", "poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
    assert there.call == (("a", named), "refreshDisk")


@pytest_twisted.ensureDeferred
async def test_a_size_that_is_none_is_no_answer(there: Listening) -> None:
    there.says = answer(apparentsize="much")
    with pytest.raises(PeerUnreachable, match="much"):
        await there.peer.refresh_disk("a", ThinDisk("vda", "", "", "p", "d", "i", "v"))


@pytest.mark.parametrize(
    ("told", "able"),
    [({"info": {"refresh_disk_supported": True}}, True), ({"info": {"vmTypes": ["kvm"]}}, False), ({"info": 1}, False)],
)
@pytest_twisted.ensureDeferred
async def test_old_hosts_do_not_see_what_grows(there: Listening, told: dict[str, Any], able: bool) -> None:
    there.says = answer(**told)
    assert await there.peer.sees_growth() is able


@pytest_twisted.ensureDeferred
async def test_a_refusal_keeps_its_code(there: Listening) -> None:
    there.says = answer(82, "busy")
    with pytest.raises(PeerRefused, match="busy") as refused:
        await there.peer.create({}, None)
    assert refused.value.answer == 82


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 500 No\r\n\r\n", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\n\r\n<a/>", b"HTTP/1.1 200 OK\r\n\r\n\x16"],
    ids=str,
)
@pytest_twisted.ensureDeferred
async def test_nonsense_is_no_answer(there: Listening, said: bytes) -> None:
    there.says = said
    with pytest.raises(PeerUnreachable):
        await there.peer.ping()


@pytest_twisted.ensureDeferred
async def test_nobody_is_told_as_nobody() -> None:
    with pytest.raises(PeerUnreachable, match=r"127\.0\.0\.1:9"):
        await XmlRpcPeer(HERE, Destination("127.0.0.1", 9), 5.0).ping()
