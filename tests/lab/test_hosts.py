"""Two hosts made of namespaces."""

from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.guests import Console, domain_xml
from lab.hosts import NamespaceHost
from lab.network import Network
from lab.process import CommandFailed

# Asks until the listener is up, gives up when nothing answers for a second.
FETCH = """
import socket, time
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    try:
        socket.create_connection(("south", 80), 1).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
"""


@pytest.fixture
def north(lab: Lab, network: Network, libvirt_cache: Path) -> NamespaceHost:
    return NamespaceHost(lab, network, "north", cache=libvirt_cache)


@pytest.fixture
def south(lab: Lab, network: Network, libvirt_cache: Path) -> NamespaceHost:
    return NamespaceHost(lab, network, "south", cache=libvirt_cache)


def test_a_running_guest_moves_to_another_host_and_counts_on(
    lab: Lab, north: NamespaceHost, south: NamespaceHost, guest: Path
) -> None:
    console = Console(lab.folder / "console.log")
    disk = lab.folder / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    definition = lab.folder / "traveller.xml"
    definition.write_text(domain_xml("traveller", console.path, disks=[(disk, "raw")]))
    north.libvirtd.virsh("create", str(definition))
    south.libvirtd.virsh("version")
    console.wait("VIRGATE-COUNT 2 ")

    # Unsafe is libvirt's word for "I do not know that this folder is shared"; the hosts do share it.
    destination = [south.libvirt_uri, "--migrateuri", f"tcp://{south.address}"]
    north.libvirtd.virsh("migrate", "--live", "--p2p", "--unsafe", "traveller", *destination)

    assert north.libvirtd.virsh("list", "--name").split() == []
    assert south.libvirtd.virsh("list", "--name").split() == ["traveller"]
    moved_at = console.counted()
    console.wait(f"VIRGATE-COUNT {moved_at + 2} ")
    assert console.text().count("VIRGATE-GUEST-UP") == 1  # it did not boot again


def test_hosts_know_each_other_by_name_until_the_cable_is_cut(north: NamespaceHost, south: NamespaceHost) -> None:
    assert north.run("hostname").stdout == "north\n"
    south.start("listener", "python3", "-m", "http.server", "80")
    fetch = ["python3", "-c", FETCH]
    north.run(*fetch)
    south.port.cut()
    with pytest.raises(CommandFailed, match="TimeoutError"):
        north.run(*fetch)
    south.port.mend()
    north.run(*fetch)


def test_a_crashed_host_boots_without_its_guests(lab: Lab, north: NamespaceHost, guest: Path) -> None:
    definition = lab.folder / "victim.xml"
    definition.write_text(domain_xml("victim", lab.folder / "console.log"))
    north.libvirtd.virsh("define", str(definition))
    north.libvirtd.virsh("start", "victim")
    north.crash()
    north.boot()
    assert north.libvirtd.virsh("list", "--name").split() == []
    assert north.libvirtd.virsh("list", "--name", "--inactive").split() == ["victim"]
