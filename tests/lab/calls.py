"""Calls of a daemon's verbs from the test process, over TLS, into the lab's network."""

import http.client
import socket
import ssl
import threading
import time
import xmlrpc.client
from typing import Any

from lab.network import Network

PATIENCE = 60.0
IDLE = 20.0
"""Seconds without a call after which a thread's next one makes a new connection: after 60 the daemon closes it."""


class Refused(Exception):
    """A verb answered another code than 0."""

    def __init__(self, what: str, code: int, message: str) -> None:
        super().__init__(f"{what}: {code}, {message}")
        self.code = code
        self.message = message


class Caller:
    """One daemon's verbs. Threads may share it: each has a connection of its own."""

    def __init__(self, network: Network, address: str, port: int, tls: ssl.SSLContext) -> None:
        self._transport = lambda: _Transport(network, tls)
        self._url = f"https://{address}:{port}/"
        self._mine = threading.local()

    @property
    def api(self) -> Any:
        """A plain `xmlrpc.client.ServerProxy`; a new one when the daemon may have closed the last one's connection."""
        if time.monotonic() - getattr(self._mine, "asked", 0.0) > IDLE:
            self._mine.__dict__.clear()
        self._mine.asked = time.monotonic()
        if not hasattr(self._mine, "proxy"):
            self._mine.proxy = xmlrpc.client.ServerProxy(self._url, transport=self._transport(), allow_none=True)
        return self._mine.proxy

    def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        """The members of the answer; Refused when its code is not 0, OSError when the daemon is not there."""
        try:
            answer = dict(getattr(self.api, verb)(*arguments))
        except (http.client.HTTPException, ssl.SSLError) as problem:
            raise ConnectionError(f"{verb}: {problem!r}") from None
        status = answer.pop("status")
        if status["code"]:
            raise Refused(verb, status["code"], status["message"])
        return answer

    def code(self, verb: str, *arguments: Any) -> int:
        """Only how it went; the code of `Refused`, or 0."""
        try:
            self.call(verb, *arguments)
        except Refused as problem:
            return problem.code
        return 0

    def task(self, uuid: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Waits for a task's end and clears it. Refused unless it succeeded, TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while (status := self.call("getTaskStatus", uuid)["taskStatus"])["taskState"] != "finished":
            if time.monotonic() > deadline:
                raise TimeoutError(f"task {uuid} is {status} after {seconds:g} s")
            time.sleep(0.05)
        self.call("clearTask", uuid)
        if status["code"] or status["taskResult"] != "success":
            raise Refused(f"task {uuid} {status['taskResult']}", status["code"], status["message"])
        return dict(status)

    def do(self, verb: str, *arguments: Any, seconds: float = PATIENCE) -> dict[str, Any]:
        """Calls a verb that answers a task, and waits for that."""
        return self.task(self.call(verb, *arguments)["uuid"], seconds)


class _Transport(xmlrpc.client.SafeTransport):
    def __init__(self, network: Network, tls: ssl.SSLContext) -> None:
        super().__init__(context=tls)
        self._network = network

    def make_connection(self, host: Any) -> http.client.HTTPSConnection:
        if self._connection is None or host != self._connection[0] or self._connection[1] is None:
            made = _Connection(self._network, self.context, str(host))
            self._connection = host, made
        return self._connection[1]


class _Connection(http.client.HTTPSConnection):
    def __init__(self, network: Network, tls: ssl.SSLContext, host: str) -> None:
        super().__init__(host, context=tls, timeout=PATIENCE)
        self._network = network
        self._tls = tls

    def connect(self) -> None:
        plain = self._network.connect(self.host, self.port, PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
