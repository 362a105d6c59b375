"""A whole virgated inside a user-mode Linux host, called over TLS from the test process.

    nodes = Nodes(lab, network)
    east, west = nodes.boot("east", "west")         # hosts, daemons; about fifteen seconds for both
    east.call("getVdsCapabilities")
    east.kill()                                     # kill -9 of the daemon; `start` brings it back
    east.host.crash()                               # the power fails; `boot` brings host and daemon back

Settings are given as a dictionary of `section.key` to value. A daemon's log is outside, so it survives its host.
"""

import re
import ssl
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.calls import PATIENCE, Caller
from lab.cleanup import Lab
from lab.guests import PROJECT
from lab.network import Network
from lab.process import Finished
from lab.uml import HostDied, Job, UmlHost
from virgate import pki

BIN = Path(sys.executable).parent
PORT = 54321
MEMORY = 640
STATE = "/var/lib/virgate"
ISCSI = "modprobe iscsi_tcp; pidof iscsid >/dev/null || iscsid"
SANLOCK = """
mkdir -p /run/sanlock
sanlock client status >/dev/null 2>&1 || sanlock daemon -w 0 -U root -G root -e $(hostname)
until sanlock client status >/dev/null 2>&1; do sleep 0.05; done
"""
# The checkout is not seen inside when it lies where the host has a tmpfs of its own.
SEE_CHECKOUT = 'test -e "$1" || { mkdir -p "$1"; mount -t hostfs -o "$1" checkout "$1"; }'

_STAMP = re.compile(r"time=(\S+)")
_MESSAGE = re.compile(r'msg=("(?:[^"\\]|\\.)*"|\S+)')


class Nodes:
    """What the nodes of a lab share: the network and an authority that signed one certificate for all of them."""

    def __init__(self, lab: Lab, network: Network) -> None:
        self.lab = lab
        self.network = network
        self.pki = lab.subfolder("pki")
        pki.initialise(self.pki, [*network.addresses, *network.addresses.values()])
        self.tls = ssl.create_default_context(cafile=str(self.pki / "ca.pem"))
        self.tls.load_cert_chain(self.pki / "client.pem", self.pki / "client.key")

    def boot(
        self, *names: str, settings: Mapping[str, object] | None = None, memory: int = MEMORY, sanlock: bool = True
    ) -> "list[Node]":
        """Hosts with a daemon each. The daemons start side by side."""
        made = [Node(self, UmlHost(self.lab, self.network, name, memory=memory), settings or {}) for name in names]
        for node in made:
            node.begin(sanlock=sanlock)
        for node in made:
            node.wait_until_it_answers()
        return made


class Node(Caller):
    """The daemon of one host. It is not started when made."""

    def __init__(self, nodes: Nodes, host: UmlHost, settings: Mapping[str, object] | None = None) -> None:
        super().__init__(nodes.network, host.address, PORT, nodes.tls)
        self.host = host
        self.name = host.name
        self.address = host.address
        self.settings = dict(settings or {})
        self.sanlock = True
        self._pki = nodes.pki
        self._log = host.folder / "virgated.log"
        self._pid = host.folder / "virgated.pid"
        self._daemon: Job | None = None

    def __repr__(self) -> str:
        return f"<Node {self.name}>"

    def begin(self, *, sanlock: bool | None = None) -> None:
        """Starts it and what it needs, and does not wait for it."""
        self.sanlock = self.sanlock if sanlock is None else sanlock
        self.host.run("sh", "-ec", SEE_CHECKOUT, "sh", str(PROJECT))
        if self.sanlock:
            self.host.shell(SANLOCK)
        script = 'echo $$ >"$0"; exec "$@"'
        self._daemon = self.host.start("sh", "-c", script, str(self._pid), *self.argv(), timeout=7200)

    def start(self) -> None:
        self.begin()
        self.wait_until_it_answers()

    def boot(self) -> None:
        """After a crash of the host: everything it had in memory is gone, its state folder too."""
        self.host.boot()
        self.start()

    def kill(self) -> None:
        """kill -9 of the daemon alone."""
        self.signal("KILL")
        self.wait_until_it_ended()

    def stop(self, seconds: float = PATIENCE) -> Finished:
        """Asks the daemon to end, as `systemctl stop` does."""
        self.signal("TERM")
        return self.wait_until_it_ended(seconds)

    def signal(self, name: str) -> None:
        """Sends the daemon a signal: KILL, STOP, CONT ..."""
        self.host.run("kill", f"-{name}", str(self.pid))

    @property
    def pid(self) -> int:
        """Of the daemon, in its host."""
        return int(self._pid.read_text())

    def wait_until_it_answers(self, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.code("list") == 0:  # 99 until it has found its machines
                    return
            except OSError as problem:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.name} does not answer: {problem!r}\n{self.last_words()}") from None
            if self._daemon is not None and self._daemon.ended:
                raise HostDied(f"virgated of {self.name} ended: {self._daemon.wait().stderr}\n{self.last_words()}")
            time.sleep(0.1)

    def wait_until_it_ended(self, seconds: float = PATIENCE) -> Finished:
        assert self._daemon is not None, f"{self.name} was not started"
        finished = self._daemon.wait(seconds)
        self._daemon = None
        return finished

    def log(self) -> str:
        """All that the daemon of this name logged, through all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def said(self, word: str) -> list[tuple[float, str]]:
        """Time and message of the log's records that have the word in their message."""
        return [found for line in self.log().splitlines() if (found := read(line)) and word in found[1]]

    def last_words(self, lines: int = 30) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def start_iscsi(self) -> None:
        self.host.shell(ISCSI)

    def argv(self) -> list[str]:
        settings: dict[str, Any] = {
            "daemon.state_dir": STATE,
            "daemon.run_dir": "/run/virgate",
            "daemon.log_file": self._log,
            "libvirt.uri": "test:///default",
            "xmlrpc.address": self.address,
            "xmlrpc.port": PORT,
            "xmlrpc.certificate": self._pki / "host.pem",
            "xmlrpc.key": self._pki / "host.key",
            "xmlrpc.ca": self._pki / "ca.pem",
            **self.settings,
        }
        return [str(BIN / "virgated"), *(f"--set={key}={value}" for key, value in settings.items())]


def read(line: str) -> tuple[float, str] | None:
    """Time and message of a line of a daemon's log; None for what is not the beginning of a record."""
    stamp, message = _STAMP.match(line), _MESSAGE.search(line)
    if stamp is None or message is None:
        return None
    at = datetime.fromisoformat(stamp[1].replace("Z", "+00:00")).timestamp()
    text = message[1]
    return at, text[1:-1].replace('\\"', '"') if text.startswith('"') else text
