"""A real port of a node whose rooms are empty, and raw HTTP to it."""

import gzip
import xmlrpc.client
from types import SimpleNamespace

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from virgate.api.dispatch import Api
from virgate.config import load
from virgate.events import EventBus
from virgate.hookspecs import host, transport
from virgate.plugins import Hooks
from virgate_plugins.transports import xmlrpc as plugin


class Raw(Protocol):
    def __init__(self):
        self.data, self.done = b"", Deferred()

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.done.callback(self.data)


class Conversation:
    """`node` may be given rooms; `api.verbs` may be given verbs."""

    def __init__(self):
        hooks = Hooks(transport, host)
        hooks.register(plugin, "xmlrpc")
        self.node = SimpleNamespace(hooks=hooks, ready=True, broken=False, events=EventBus())
        self.api = Api(self.node)

    async def start(self):
        (self.port,) = await self.node.hooks.transports(api=self.api, settings=load(None, ["xmlrpc.port=0"]))
        await self.port.start()

    async def post(self, body, path="/RPC2", *headers):
        """(status line, headers, body) of one request on a connection of its own."""
        client = Raw()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.port), client)
        lines = [f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
        client.transport.write("\r\n".join(lines).encode() + body)
        head, _, content = (await client.done).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return status, dict(line.lower().split(": ", 1) for line in lines), content

    async def call(self, method, *arguments):
        """The reply struct; raises `xmlrpc.client.Fault`."""
        document = xmlrpc.client.dumps(arguments, method, allow_none=True).encode()
        status, headers, body = await self.post(document)
        assert status == "HTTP/1.1 200 OK"
        assert headers["content-type"] == "text/xml"
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return xmlrpc.client.loads(body)[0][0]


@pytest_twisted.async_yield_fixture
async def talk():
    made = Conversation()
    await made.start()
    yield made
    await made.port.stop()
