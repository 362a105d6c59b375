"""The lab's network: one namespace with one bridge. No packet leaves it.

Two labs use the same addresses at once, each in a namespace of its own.
"""

import ctypes
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.cleanup import Lab
from lab.process import Finished, run

SUBNET = "10.77.0"
BRIDGE = "lab0"
NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Port:
    """One host's cable. `cut` and `mend` are what a hand at the switch does.

    The device itself stays up: a user-mode Linux kernel that fails to write to its tap never tries again.
    """

    namespace: str
    device: str
    host: str
    address: str

    def cut(self) -> None:
        run(["ip", "-n", self.namespace, "link", "set", self.device, "nomaster"])

    def mend(self) -> None:
        run(["ip", "-n", self.namespace, "link", "set", self.device, "master", BRIDGE])


class Network:
    """`SUBNET.1` is the namespace itself, where the storage servers listen; it is called `storage`.

    The names of all hosts are known from the beginning, because every host has them in its /etc/hosts: where a name is
    missing, libvirt waits for a DNS server that is not there, and a user-mode Linux host does not see the file grow.
    """

    def __init__(self, lab: Lab, names: Sequence[str] = ("north", "east", "south", "west")) -> None:
        self.lab = lab
        self.namespace = lab.namespace("network")
        self.enter = ("ip", "netns", "exec", self.namespace)
        self.gateway = f"{SUBNET}.1"
        self.addresses = {name: f"{SUBNET}.{number}" for number, name in enumerate(names, start=11)}
        self.hosts_file: Path = lab.folder / "hosts"
        lines = [f"{address} {name}" for name, address in {"storage": self.gateway, **self.addresses}.items()]
        self.hosts_file.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        self._ip("link", "add", BRIDGE, "type", "bridge")
        self._ip("address", "add", f"{self.gateway}/24", "dev", BRIDGE)
        self._ip("link", "set", BRIDGE, "up")

    def cable(self, host: str, namespace: str) -> Port:
        """Connects another namespace; inside the device is `eth0` and configured."""
        port = self._port(host)
        self._ip("link", "add", port.device, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run(["ip", "-n", namespace, "address", "add", f"{port.address}/24", "dev", "eth0"])
        run(["ip", "-n", namespace, "link", "set", "eth0", "up"])
        self._plug(port)
        return port

    def tap(self, host: str) -> Port:
        """A tap device for a program that runs inside this namespace."""
        port = self._port(host)
        self._ip("tuntap", "add", "dev", port.device, "mode", "tap")
        self._plug(port)
        return port

    def run(self, *argv: str, timeout: float = 60.0) -> Finished:
        """Runs a program inside the network's namespace."""
        return run([*self.enter, *argv], timeout=timeout)

    def connect(self, address: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection from `storage` to a host, for this process, whose own network does not reach it."""
        with open("/proc/thread-self/ns/net") as ours, open(f"/run/netns/{self.namespace}") as theirs:
            _enter(theirs.fileno())
            try:  # a socket stays in the namespace it was made in, wherever its thread goes
                return socket.create_connection((address, port), timeout)
            finally:
                _enter(ours.fileno())

    def _port(self, host: str) -> Port:
        return Port(self.namespace, f"to-{host}", host, self.addresses[host])

    def _plug(self, port: Port) -> None:
        self._ip("link", "set", port.device, "master", BRIDGE, "up")

    def _ip(self, *arguments: str) -> None:
        run(["ip", "-n", self.namespace, *arguments])


def _enter(namespace: int) -> None:
    """Only the calling thread is moved."""
    if _libc.setns(namespace, NETWORK_NAMESPACE):
        raise OSError(ctypes.get_errno(), "setns")
