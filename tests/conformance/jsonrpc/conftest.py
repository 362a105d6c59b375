"""The conversation of tests/conformance/xmlrpc, with JSON-RPC beside it on the same port."""

import itertools
import json

import pytest_twisted
from conformance.xmlrpc.conftest import Conversation
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from virgate.stomp import Frame, Parser, encode
from virgate_plugins.transports import jsonrpc

QUEUE, REPLIES = "jms.topic.vdsm_requests", "jms.topic.vdsm_responses"


class Client(Protocol):
    def __init__(self):
        self.parser, self.frames, self.waiting = Parser(), [], []
        self.numbers = itertools.count()

    def dataReceived(self, data):
        self.parser.feed(data)
        self.frames += iter(self.parser.next, None)
        self.wake()

    def connectionLost(self, reason):
        self.frames.append(None)
        self.wake()

    def wake(self):
        while self.waiting and self.frames:
            self.waiting.pop(0).callback(self.frames.pop(0))

    async def frame(self):
        """The next one; None when the connection is gone."""
        found = Deferred()
        self.waiting.append(found)
        self.wake()
        return await found

    def say(self, command, body=b"", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.transport.write(encode(Frame(command, named, body)))

    async def start(self):
        self.say("CONNECT", accept_version="1.2")
        assert (await self.frame()).command == "CONNECTED"
        self.say("SUBSCRIBE", destination=REPLIES, id="replies")
        return self

    async def raw(self, body, **headers):
        """The reply to any bytes, as JSON."""
        self.say("SEND", body, destination=QUEUE, reply_to=REPLIES, **headers)
        return json.loads((await self.frame()).body)

    async def ask(self, method, params=None, **headers):
        document = {"jsonrpc": "2.0", "method": method, "params": {} if params is None else params, "id": "7"}
        answer = await self.raw(json.dumps(document).encode(), **headers)
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", "7")
        return answer

    async def result(self, method, params=None):
        answer = await self.ask(method, params)
        assert "error" not in answer, answer
        return answer["result"]

    async def code(self, method, params=None):
        return (await self.ask(method, params))["error"]["code"]


@pytest_twisted.async_yield_fixture
async def talk():
    made = Conversation()
    made.node.hooks.register(jsonrpc, "jsonrpc")
    await made.start()
    made.client = await made.join()
    yield made
    made.client.transport.abortConnection()
    await made.port.stop()


async def join(self):
    client = Client()
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port.port), client)
    return await client.start()


Conversation.join = join
