"""Connections for the tests: to libvirt's own fake driver inside the process, and to a private libvirtd with QEMU."""

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from virgate.events import EventBus
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.domains import Domains


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
def guest():
    """The document of a small machine: no disk, 64 MiB, software emulation."""

    def guest(name: str, kind: str = "qemu", devices: str = "", more: str = "") -> str:
        emulated = "<emulator>/usr/bin/qemu-system-x86_64</emulator>" if kind == "qemu" else ""
        return f"""<domain type='{kind}'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
        <os><type arch='x86_64'>hvm</type></os><features><acpi/></features>{more}
        <devices>{emulated}{devices}</devices></domain>"""

    return guest
