"""A connection without a network, and a port with a real one."""

from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from virgate.api.dispatch import Api
from virgate.config import load
from virgate.events import EventBus
from virgate.hookspecs import host, transport
from virgate.plugins import Hooks
from virgate_plugins.transports import xmlrpc
from virgate_plugins.transports.http.connection import HttpConnection, Limits
from virgate_plugins.transports.http.message import Response


class Talk:
    """An `HttpConnection` on a transport of strings, its clock in the test's hand."""

    def __init__(self, answer=None, limits=None):
        self.clock = Clock()
        self.requests = []
        self.transport = StringTransport()
        self.connection = HttpConnection(answer or self._echo, limits or Limits(), self.clock)
        self.connection.makeConnection(self.transport)

    async def _echo(self, request):
        self.requests.append(request)
        return Response(200, request.body, "text/xml")

    def send(self, data):
        self.connection.dataReceived(data)

    def said(self):
        data = self.transport.value()
        self.transport.clear()
        return data


@pytest.fixture
def talk():
    return Talk


class Client(Protocol):
    """Raw bytes to and from a real port."""

    def __init__(self):
        self.data = b""
        self.lost = False
        self._waiting = []

    def dataReceived(self, data):
        self.data += data
        self._wake()

    def connectionLost(self, reason):
        self.lost = True
        self._wake()

    def _wake(self):
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def _until(self, condition):
        while not condition():
            woken = Deferred()
            self._waiting.append(woken)
            await woken

    def send(self, data):
        self.transport.write(data)

    async def closed(self):
        """Waits for the end; the bytes that came until then."""
        await self._until(lambda: self.lost)
        return self.data

    async def reply(self):
        """(status, headers, body) of the next reply, whose length the head tells."""
        await self._until(lambda: b"\r\n\r\n" in self.data or self.lost)
        head, _, rest = self.data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        self.data = rest
        await self._until(lambda: len(self.data) >= length or self.lost)
        body, self.data = self.data[:length], self.data[length:]
        return int(status.split()[1]), headers, body

    async def post(self, body, path="/RPC2", **headers):
        lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)
        return await self.reply()


class Served:
    """A management port of a node that is nothing but ready."""

    def __init__(self, *assignments, plugins=()):
        hooks = Hooks(transport, host)
        for number, plugin in enumerate(plugins):
            hooks.register(plugin, f"test{number}")
        hooks.register(xmlrpc, "xmlrpc")
        self.node = SimpleNamespace(hooks=hooks, ready=True, broken=False, events=EventBus())
        self.api = Api(self.node)
        self.settings = load(None, ["xmlrpc.port=0", *assignments])
        self.clients = []

    async def start(self):
        (self.port,) = await self.node.hooks.transports(api=self.api, settings=self.settings)
        await self.port.start()
        return self

    async def connect(self, wrap=lambda endpoint: endpoint):
        client = Client()
        await connectProtocol(wrap(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.port)), client)
        self.clients.append(client)
        return client

    async def stop(self):
        for client in self.clients:
            if not client.lost:
                client.transport.abortConnection()
        await self.port.stop()


@pytest_twisted.async_yield_fixture
async def serve():
    """Starts ports: `await serve("xmlrpc.tls=true")`."""
    started = []

    async def start(*assignments, plugins=()):
        served = Served(*assignments, plugins=plugins)
        started.append(served)
        return await served.start()

    yield start
    for served in started:
        await served.stop()
