"""A management port over a room, and raw HTTP to it."""

from types import SimpleNamespace
from typing import Any

from contract.storage.room import POOL, Room, uuid
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from virgate.api.dispatch import Api
from virgate.config import load
from virgate.hookspecs import host, transport
from virgate.plugins import Hooks
from virgate_plugins.transports import xmlrpc

IDS = {"Storage-Pool-Id": POOL, "Storage-Domain-Id": uuid(2), "Image-Id": uuid(3)}


class Client(Protocol):
    """Takes what comes; `until` waits for something of it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost = False
        self._waiting: list[Deferred[None]] = []

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._wake()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def until(self, condition: Any) -> None:
        while not condition():
            woken: Deferred[None] = Deferred()
            self._waiting.append(woken)
            await woken

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next reply, with lower-case names; the body is left."""
        await self.until(lambda: b"\r\n\r\n" in self.data or self.lost)
        head, _, rest = bytes(self.data).partition(b"\r\n\r\n")
        self.data = bytearray(rest)
        status, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(": ") for line in lines)
        return int(status.split()[1]), {name.lower(): value for name, _, value in fields}

    async def body(self, length: int) -> bytes:
        await self.until(lambda: len(self.data) >= length or self.lost)
        body, self.data = bytes(self.data[:length]), self.data[length:]
        return body

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        return status, headers, await self.body(int(headers.get("content-length", 0)))

    def ask(self, method: str, headers: dict[str, Any], body: bytes = b"") -> None:
        lines = [f"{method} / HTTP/1.1", "Host: h", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1") + body)


class Port:
    """Where clients of a room connect."""

    def __init__(self, room: Room) -> None:
        hooks = Hooks(transport, host)
        hooks.register(xmlrpc, "xmlrpc")
        self._api = Api(SimpleNamespace(**vars(room.node) | {"hooks": hooks}))  # type: ignore[arg-type]
        self._clients: list[Client] = []

    async def start(self, *assignments: str) -> "Port":
        settings = load(None, ["xmlrpc.port=0", *assignments])
        (self._port,) = await self._api.hooks.transports(api=self._api, settings=settings)
        await self._port.start()
        return self

    async def stop(self) -> None:
        for client in self._clients:
            if not client.lost:
                client.transport.abortConnection()  # type: ignore[union-attr]
        await self._port.stop()

    async def connect(self) -> Client:
        client = Client()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self._port.port), client)
        self._clients.append(client)
        return client

    async def get(self, last: int, **changes: str) -> tuple[int, dict[str, str], bytes]:
        client = await self.connect()
        client.ask("GET", IDS | {"Range": f"bytes=0-{last}"} | named(changes))
        return await client.reply()

    async def put(self, body: bytes, **changes: str) -> tuple[int, dict[str, str], bytes]:
        client = await self.connect()
        client.ask("PUT", IDS | {"Content-Length": len(body)} | named(changes), body)
        return await client.reply()


def named(changes: dict[str, str]) -> dict[str, str]:
    """`Volume_Id` for `Volume-Id`."""
    return {name.replace("_", "-"): value for name, value in changes.items()}
