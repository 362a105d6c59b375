"""Hosts made of namespaces: network, mounts, processes and name of their own; kernel and speed are the machine's.

    with Lab() as lab:
        network = Network(lab)
        north, south = NamespaceHost(lab, network, "north"), NamespaceHost(lab, network, "south")
        north.libvirtd.virsh("list")
        north.run("ping", "-c1", "south")
        north.crash()

/run is the host's own, the rest of the file system is shared by all hosts: storage that every host sees is a folder.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from lab.cleanup import Lab
from lab.libvirtd import PrivateLibvirtd
from lab.network import Network
from lab.process import Daemon, Finished, environment, only_child, run

# The first process of a host takes in the orphans (QEMU is one) and buries them: libvirt waits for a dead guest's pid
# to vanish. The shell's `wait` does that.
FIRST_PROCESS = """
set -e
hostname {name}
mount --bind {hosts} /etc/hosts
mount --bind {run} /run
touch {booted}
while :; do sleep 3600 & wait; done
"""


class NamespaceHost:
    """Booted when made; crashed when the lab is left."""

    def __init__(self, lab: Lab, network: Network, name: str, *, cache: Path | None = None) -> None:
        self.lab = lab
        self.name = name
        self.folder = lab.subfolder(name)
        self.namespace = lab.namespace(name)
        self.port = network.cable(name, self.namespace)
        self.address = self.port.address
        self._hosts_file = network.hosts_file
        self._cache = cache
        self.stream = lab.subfolder(f"{name}/stream")
        """What QEMU needs to encrypt what it sends: its five files, named as libvirt wants them."""
        self._holder: Daemon | None = None
        self._libvirtd: PrivateLibvirtd | None = None
        self.boot()

    def boot(self) -> None:
        booted = self.folder / "booted"
        booted.unlink(missing_ok=True)
        first = FIRST_PROCESS.format(
            name=self.name, hosts=self._hosts_file, run=self.lab.subfolder(f"{self.name}/system-run"), booted=booted
        )
        apart = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._holder = self.lab.daemon(
            f"{self.name}/first-process",
            ["ip", "netns", "exec", self.namespace, *apart, "sh", "-c", first],
            graceful=False,
        )
        deadline = time.monotonic() + 10
        while not booted.exists():
            if self._holder.ended or time.monotonic() > deadline:
                raise RuntimeError(f"host {self.name} does not boot: {self._holder.last_words()}")
            time.sleep(0.01)

    @property
    def enter(self) -> list[str]:
        """Put before a command, it runs inside the host."""
        if self._holder is None or self._holder.ended:
            raise RuntimeError(f"host {self.name} is down")
        return [
            "nsenter",
            f"--target={only_child(self._holder.pid)}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--",
        ]

    @property
    def libvirtd(self) -> PrivateLibvirtd:
        """The host's libvirtd, started at first use. It listens at TCP port 16509 for the other hosts."""
        if self._libvirtd is None:
            qemu = [f'migrate_tls_x509_cert_dir = "{self.stream}"']
            libvirtd = PrivateLibvirtd(
                self.folder / "libvirt", enter=self.enter, listen=True, qemu=qemu, cache=self._cache
            )
            self.lab.undo(libvirtd.stop)
            self._libvirtd = libvirtd.start()
        return self._libvirtd

    @property
    def libvirt_uri(self) -> str:
        """How the other hosts reach this host's libvirtd."""
        return f"qemu+tcp://{self.address}/system"

    def run(self, *argv: str, timeout: float = 60.0, check: bool = True) -> Finished:
        return run([*self.enter, *argv], timeout=timeout, check=check, env=environment(self.lab.name))

    def start(self, name: str, *argv: str, env: Mapping[str, str] | None = None) -> Daemon:
        """Starts a program that stays; its output is in HOST/NAME.log of the lab's folder."""
        return self.lab.daemon(f"{self.name}/{name}", [*self.enter, *argv], env=env)

    def crash(self) -> None:
        """The power fails: every process of the host is gone at once. `boot` brings it back, without guests."""
        if self._holder is not None:
            self._holder.kill()
        if self._libvirtd is not None:
            self._libvirtd.stop()
        self._holder = self._libvirtd = None
