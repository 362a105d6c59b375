import xmlrpc.client

import pluggy
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.protocol import Protocol
from twisted.logger import capturedLogs

from virgate.api.verb import Family, Parameter, Reply, Verb
from virgate.api.wire import integer, text
from virgate.hookspecs.transport import WireProtocol
from virgate_plugins.transports.http.body import compressed
from virgate_plugins.transports.port import is_loopback
from virgate_plugins.transports.settings import XmlrpcSettings

hookimpl = pluggy.HookimplMarker("virgate")


def call(method, *arguments):
    return xmlrpc.client.dumps(arguments, method, allow_none=True).encode()


PING = call("ping")
DONE = {"status": {"code": 0, "message": "Done"}}


def value(reply):
    status, headers, body = reply
    assert (status, headers["content-type"]) == (200, "text/xml")
    return xmlrpc.client.loads(body)[0][0]


def verb(name, run, *parameters):
    made = tuple(Parameter(each, text, "string", True) for each in parameters)
    return Verb(f"Test.{name}", name, Family.HOST, made, f"Does {name}.", run)


@pytest_twisted.ensureDeferred
async def test_one_connection_carries_many_calls_and_many_connections_work_at_once(serve):
    served = await serve()
    clients = [await served.connect() for _ in range(8)]
    for _ in range(20):
        for client in clients:
            assert value(await client.post(PING)) == DONE


@pytest_twisted.ensureDeferred
async def test_a_slow_call_does_not_hold_up_other_connections(serve):
    served = await serve()
    release = Deferred()

    async def wait(node):
        await release
        return Reply({"waited": True})

    served.api.verbs["wait"] = verb("wait", wait)
    slow, quick = await served.connect(), await served.connect()
    waiting = Deferred.fromCoroutine(slow.post(call("wait")))
    assert value(await quick.post(PING)) == DONE
    assert not waiting.called
    release.callback(None)
    assert value(await waiting)["waited"] is True


@pytest_twisted.ensureDeferred
async def test_after_malformed_calls_the_connection_still_works(serve):
    client = await (await serve()).connect()
    for body in (b"", b"<x", b"<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall/>", PING[:40]):
        with pytest.raises(xmlrpc.client.Fault) as error:
            value(await client.post(body))
        assert error.value.faultCode == 1
    assert value(await client.post(PING)) == DONE


@pytest_twisted.ensureDeferred
async def test_a_body_over_the_limit_is_answered_413_and_closed_and_others_go_on(serve):
    served = await serve("xmlrpc.body_limit=2000")
    client, other = await served.connect(), await served.connect()
    status, _, _ = await client.post(bytes(2001))
    assert status == 413
    client.transport.loseConnection()
    await client.closed()
    bomb = await served.connect()
    status, _, _ = await bomb.post(compressed(bytes(1 << 20)), Content_Encoding="gzip")
    assert status == 413
    assert value(await other.post(PING)) == DONE


@pytest_twisted.ensureDeferred
async def test_bytes_that_are_no_known_protocol_close_the_connection(serve):
    client = await (await serve()).connect()
    client.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert await client.closed() == b""


@pytest_twisted.ensureDeferred
async def test_gzip_is_used_for_large_replies_to_clients_that_want_it(serve):
    served = await serve()

    async def large(node, size):
        return Reply({"data": "x" * int(size)})

    served.api.verbs["large"] = Verb(
        "T.l", "large", Family.HOST, (Parameter("size", integer, "integer", True),), "", large
    )
    client = await served.connect()
    _, plain, body = await client.post(call("large", 5000))
    assert "content-encoding" not in plain
    _, packed, small = await client.post(call("large", 5000), Accept_Encoding="gzip")
    assert packed["content-encoding"] == "gzip"
    assert len(small) < len(body) // 5
    assert xmlrpc.client.gzip_decode(small) == body
    _, headers, _ = await client.post(call("large", 5), Accept_Encoding="gzip")
    assert "content-encoding" not in headers


@pytest_twisted.ensureDeferred
async def test_a_request_in_gzip_is_understood(serve):
    client = await (await serve()).connect()
    assert value(await client.post(compressed(PING), Content_Encoding="gzip")) == DONE


@pytest_twisted.ensureDeferred
async def test_a_verb_learns_both_ends_of_the_connection_and_the_flow(serve):
    served, seen = await serve(), []

    async def who(node, caller):
        seen.append(caller)

    served.api.verbs["who"] = Verb("T.w", "who", Family.HOST, (), "", who, "caller")
    client = await served.connect()
    _, headers, _ = await client.post(call("who"), FlowID="abc-1")
    assert (seen[0].peer, seen[0].local, seen[0].flow) == ("127.0.0.1", "127.0.0.1", "abc-1")
    assert "flowid" not in headers


@pytest_twisted.ensureDeferred
async def test_the_server_describes_its_methods(serve):
    served = await serve()
    served.api.verbs["named"] = verb("named", None, "first")
    client = await served.connect()
    names = value(await client.post(call("system.listMethods")))
    assert {"ping", "named", "system.listMethods", "system.methodHelp", "system.methodSignature"} <= set(names)
    assert value(await client.post(call("system.methodHelp", "named"))) == "Does named."
    assert value(await client.post(call("system.methodSignature", "named"))) == [["struct", "string"]]
    assert value(await client.post(call("system.methodHelp", "nosuch"))) == ""
    for method, *arguments in (("system.multicall", []), ("system.listMethods", 1), ("system.methodHelp",)):
        with pytest.raises(xmlrpc.client.Fault):
            value(await client.post(call(method, *arguments)))


@pytest_twisted.ensureDeferred
async def test_stopping_answers_what_is_under_way_and_closes_what_is_idle(serve):
    served = await serve()
    release, begun = Deferred(), Deferred()

    async def wait(node):
        begun.callback(None)
        await release

    served.api.verbs["wait"] = verb("wait", wait)
    idle, busy = await served.connect(), await served.connect()
    await idle.post(PING)
    answer = Deferred.fromCoroutine(busy.post(call("wait")))
    await begun
    stopped = Deferred.fromCoroutine(served.port.stop())
    assert await idle.closed() == b""
    release.callback(None)
    assert value(await answer) == DONE
    await stopped
    assert await busy.closed() == b""


@pytest_twisted.ensureDeferred
async def test_a_port_in_use_is_an_error_that_names_it(serve):
    served = await serve()
    with pytest.raises(CannotListenError, match=str(served.port.port)):
        await serve(f"xmlrpc.port={served.port.port}")


@pytest_twisted.ensureDeferred
async def test_a_stopped_port_refuses_connections(serve):
    served = await serve()
    client = await served.connect()
    port = served.port.port
    await served.port.stop()
    assert await client.closed() == b""
    with pytest.raises(ConnectError):
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Protocol())


def test_tls_is_on_by_itself_unless_the_address_is_loopback():
    assert [is_loopback(each) for each in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(each) for each in ("0.0.0.0", "::", "", "192.0.2.1", "host")] == [False] * 5
    assert XmlrpcSettings().tls == "auto"


class Shout(Protocol):
    """A foreign protocol: says what it hears, louder."""

    def dataReceived(self, data):
        self.transport.write(data.upper())
        self.transport.loseConnection()


class Foreign:
    @hookimpl
    def wire_protocols(self, api, settings):
        return WireProtocol("shout", (b"shout:",), Shout)


class Broken:
    @hookimpl
    def wire_protocols(self, api, settings):
        raise RuntimeError("broken plugin")


@pytest_twisted.ensureDeferred
async def test_a_plugin_brings_another_protocol_to_the_same_port_and_a_broken_one_does_not_close_it(serve):
    served = await serve(plugins=[Foreign(), Broken()])
    web, foreign = await served.connect(), await served.connect()
    foreign.send(b"shout: hello there")
    assert await foreign.closed() == b"SHOUT: HELLO THERE"
    assert value(await web.post(PING)) == DONE


@pytest_twisted.ensureDeferred
async def test_clients_that_send_nothing_or_half_a_request_do_not_hold_up_others(serve):
    served = await serve()
    for beginning in (
        b"",
        b"POST",
        b"POST / HTTP/1.1\r\nContent-Le",
        b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n<me",
    ):
        (await served.connect()).send(beginning)
    client = await served.connect()
    for _ in range(10):
        assert value(await client.post(PING)) == DONE


@pytest_twisted.ensureDeferred
async def test_a_page_in_a_browser_may_not_call(serve, monkeypatch):
    monkeypatch.setattr("virgate_plugins.transports.http.connection.LINGER", 0.05)
    client = await (await serve()).connect()
    status, _, body = await client.post(PING, Origin="http://example.org", Content_Type="text/plain")
    assert (status, b"methodResponse" in body) == (403, False)
    await client.closed()


@pytest_twisted.ensureDeferred
async def test_connections_that_say_nothing_make_room_for_others(serve):
    served = await serve("xmlrpc.connections=3")
    busy = await served.connect()
    assert value(await busy.post(PING)) == DONE
    silent = [await served.connect() for _ in range(4)]
    for client in silent[:2]:
        await client.closed()
    last = await served.connect()
    assert value(await last.post(PING)) == DONE
    assert value(await busy.post(PING)) == DONE


@pytest_twisted.ensureDeferred
async def test_when_all_connections_are_in_use_another_is_closed_and_they_go_on(serve):
    served = await serve("xmlrpc.connections=2")
    busy = [await served.connect() for _ in range(2)]
    for client in busy:
        assert value(await client.post(PING)) == DONE
    assert await (await served.connect()).closed() == b""
    for client in busy:
        assert value(await client.post(PING)) == DONE
    busy[0].transport.loseConnection()
    await busy[0].closed()
    assert value(await busy[1].post(PING)) == DONE  # by now the server has seen the end of the other one, too
    again = await served.connect()
    assert value(await again.post(PING)) == DONE


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("assignment", ["xmlrpc.local_users=*", "xmlrpc.address=0.0.0.0"])
async def test_a_port_that_is_open_to_everybody_says_so(serve, assignment):
    with capturedLogs() as heard:
        await serve(assignment, "xmlrpc.tls=false")
    assert any("power of root" in event["log_format"] for event in heard)
