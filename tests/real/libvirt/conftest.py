"""Hypervisors for the tests: libvirt's own fake driver inside the process, and a private libvirtd with real QEMU."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.events import EventBus
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.domains import Domains

PRIVATE = ("run", "etc/libvirt", "var/lib/libvirt", "var/cache/libvirt", "var/log/libvirt")

SUPERVISOR = r"""
import ctypes, os, signal, subprocess, sys

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: guests become ours when libvirtd detaches them


def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


signal.signal(signal.SIGCHLD, reap)
for _ in sys.stdin:
    print(subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr).pid, flush=True)
while children := open(f"/proc/self/task/{os.getpid()}/children").read().split():
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    reap()
"""

START = """
set -e
for folder in {folders}; do mount --bind {root}/$folder /$folder; done
exec "$@"
"""


class Libvirtd:
    """A libvirtd of our own, in a mount namespace of its own; QEMU inherits the namespace.

    A supervisor starts it, reaps guests at once (not every init does, and libvirt waits for that when it destroys
    one) and kills all that is left when we close its input, or die.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.socket = root / "run/libvirt/libvirt-sock"
        self.uri = f"qemu+unix:///system?socket={self.socket}"
        self.pid = 0
        for folder in (*PRIVATE, "run/lock"):
            (root / folder).mkdir(parents=True)
        shutil.copytree("/etc/libvirt", root / "etc/libvirt", dirs_exist_ok=True)
        shutil.rmtree(root / "etc/libvirt/qemu/networks", ignore_errors=True)
        (root / "etc/libvirt/qemu.conf").write_text(
            'user = "root"\ngroup = "root"\nstdio_handler = "file"\nremember_owner = 0\n'
        )
        (root / "etc/libvirt/libvirtd.conf").write_text(
            'auth_unix_rw = "none"\nunix_sock_dir = "/run/libvirt"\nkeepalive_interval = -1\n'
        )
        script = START.format(root=root, folders=" ".join(PRIVATE))
        program = ["libvirtd", "--config", str(root / "etc/libvirt/libvirtd.conf")]
        supervisor = [sys.executable, "-c", SUPERVISOR]
        with (root / "libvirtd.out").open("ab") as out:
            self._supervisor = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *supervisor, *program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                start_new_session=True,
                text=True,
            )

    def start(self) -> None:
        """Comes back when the socket is there."""
        self.socket.unlink(missing_ok=True)
        self._supervisor.stdin.write("start\n")
        self._supervisor.stdin.flush()
        self.pid = int(self._supervisor.stdout.readline())
        end = time.monotonic() + 30
        while not self.socket.exists():
            assert Path(f"/proc/{self.pid}").exists(), (self.root / "libvirtd.out").read_text()
            assert time.monotonic() < end, "libvirtd made no socket"
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As a crash: guests go on."""
        self.signal(signal.SIGKILL)
        while Path(f"/proc/{self.pid}").exists():
            time.sleep(0.005)

    def guest(self, name: str) -> int:
        """The process of a guest."""
        return int((self.root / f"run/libvirt/qemu/{name}.pid").read_text())

    def inside(self, *command: str) -> None:
        """Runs a program where libvirtd sees the file system; its exit code is its own business."""
        subprocess.run(["nsenter", "-t", str(self.pid), "-m", *command], check=False, capture_output=True)

    def small_folder(self) -> Path:
        """A file system of 64 KiB that only libvirtd and its guests see."""
        folder = self.root / "small"
        folder.mkdir(exist_ok=True)
        self.inside("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
        return folder

    def close(self) -> None:
        self._supervisor.stdin.close()
        self._supervisor.wait(20)


@pytest.fixture(scope="session")
def libvirtd(tmp_path_factory):
    daemon = Libvirtd(tmp_path_factory.mktemp("libvirtd"))
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


class Heard:
    """Events of the bus, kept in order; a test awaits the one it needs."""

    def __init__(self, events: EventBus, *topics: str) -> None:
        self.told: list[tuple[str, dict]] = []
        self._waiting: list[tuple[Deferred, str, dict]] = []
        for topic in topics:
            events.listen(topic, lambda _topic=topic, **fields: self._tell(_topic, fields))

    def _tell(self, topic: str, fields: dict) -> None:
        self.told.append((topic, fields))
        for waiting in tuple(self._waiting):
            deferred, wanted, part = waiting
            if wanted == topic and part.items() <= fields.items():
                self._waiting.remove(waiting)
                deferred.callback(fields)

    async def until(self, topic: str, seconds: float = 15, **part) -> dict:
        """The first event of this kind, told already or still to come."""
        for told, fields in self.told:
            if told == topic and part.items() <= fields.items():
                return fields
        waiting: Deferred = Deferred()
        self._waiting.append((waiting, topic, part))
        return await waiting.addTimeout(seconds, reactor)

    def of(self, topic: str) -> list[dict]:
        return [fields for told, fields in self.told if told == topic]


TOPICS = (
    "connected",
    "disconnected",
    "lifecycle",
    "reboot",
    "rtc",
    "io_error",
    "watchdog",
    "graphics",
    "agent",
    "block_job",
)


@pytest.fixture
def events():
    return EventBus()


@pytest.fixture
def heard(events):
    return Heard(events, *(f"libvirt.{topic}" for topic in TOPICS))


@pytest.fixture
def listen_to():
    return Heard


@pytest_twisted.async_yield_fixture
async def fake(events, tmp_path):
    """libvirt's test driver with one empty host of its own."""
    (tmp_path / "node.xml").write_text("<node/>")
    hypervisor = Hypervisor(f"test://{tmp_path}/node.xml", events)
    await hypervisor.start()
    yield hypervisor
    await hypervisor.stop()


@pytest_twisted.async_yield_fixture
async def real(libvirtd, events):
    """A connection to the private libvirtd; machines that a test leaves are destroyed and undefined."""
    hypervisor = Hypervisor(libvirtd.uri, events, pauses=(0.05, 0.1))
    await hypervisor.start()
    assert hypervisor.connected
    yield hypervisor
    await hypervisor.call(remove_all)
    await hypervisor.stop()


def remove_all(connection):
    for domain in connection.listAllDomains():
        persistent = domain.isPersistent()
        if domain.isActive():
            domain.destroy()
        if persistent:
            domain.undefine()


@pytest.fixture
def fake_domains(fake):
    return Domains(fake)


@pytest.fixture
def domains(real):
    return Domains(real)


@pytest.fixture
def passing():
    """Awaits until a condition holds."""

    async def passing(condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come to pass"
            await deferLater(reactor, 0.01)

    return passing


@pytest.fixture
def guest():
    """The document of a small machine: no disk, 64 MiB, software emulation."""

    def guest(name: str, kind: str = "qemu", devices: str = "", more: str = "") -> str:
        emulated = "<emulator>/usr/bin/qemu-system-x86_64</emulator>" if kind == "qemu" else ""
        return f"""<domain type='{kind}'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
        <os><type arch='x86_64'>hvm</type></os><features><acpi/></features>{more}
        <devices>{emulated}{devices}</devices></domain>"""

    return guest
