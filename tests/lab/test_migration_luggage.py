"""What goes along with a guest: a CD that was made for it, its screen's ticket, its secrets on the wire, its sleep."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lab.cleanup import Lab
from lab.daemons import DaemonHost, Daemons
from lab.network import Network
from lab.traveller import MIB, Traveller
from virgate import pki

DONE = (0, "Migration done")
NOTE = "This note was never on any disk"
TICKET = "s3cr3t!?"
PAYLOAD = {"volId": "config-2", "file": {"note.txt": b64encode(NOTE.encode()).decode()}}
CD: dict[str, Any] = {"type": "disk", "device": "cdrom", "iface": "ide", "specParams": {"vmPayload": PAYLOAD}}
SCREEN: dict[str, Any] = {"type": "graphics", "device": "vnc"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def daemons(lab: Lab, libvirt_cache: Path, python_guest: Path) -> Daemons:
    return Daemons(lab, Network(lab), libvirt_cache)


@pytest.fixture(scope="module")
def hosts(daemons: Daemons) -> list[DaemonHost]:
    return daemons.start("north", "south", settings={"migration.monitor_interval": 0.5, "migration.bandwidth": 500})


@pytest.fixture(scope="module")
def traveller(daemons: Daemons, hosts: list[DaemonHost]) -> Traveller:
    return Traveller(daemons, hosts[0], CD, SCREEN)


@pytest.fixture
def ways(hosts: list[DaemonHost], traveller: Traveller) -> list[DaemonHost]:
    """The host that it is on, and the other."""
    return sorted(hosts, key=lambda host: host.status(traveller.vm) != "Up")


def document(host: DaemonHost, vm: str) -> ElementTree.Element:
    return ElementTree.fromstring(host.host.libvirtd.virsh("dumpxml", "--security-info", vm))


def payload(host: DaemonHost, vm: str) -> bytes:
    """The image of its CD on this host."""
    (source,) = (disk.find("source") for disk in document(host, vm).iterfind("devices/disk[@device='cdrom']"))
    assert source is not None
    return host.host.run("base64", str(source.get("file"))).stdout.encode()


def ticket(host: DaemonHost, vm: str) -> tuple[str | None, str | None]:
    """The password of its screen, and until when."""
    screen = document(host, vm).find("devices/graphics")
    assert screen is not None
    return screen.get("passwd"), screen.get("passwdValidTo")


def arrives(here: DaemonHost, there: DaemonHost, traveller: Traveller) -> None:
    assert here.until_over(traveller.vm) == DONE, here.said() + there.said()
    there.until_status(traveller.vm, "Up")
    here.call("destroy", traveller.vm)
    traveller.goes_on(there)


@pytest.mark.timeout(180)
def test_a_cd_made_for_the_guest_and_the_ticket_of_its_screen_go_along(
    ways: list[DaemonHost], traveller: Traveller
) -> None:
    here, there = ways
    vm = traveller.vm
    here.call("setVmTicket", vm, TICKET, "600", "disconnect", {})
    before = payload(here, vm), ticket(here, vm)
    assert before[1][0] == TICKET
    here.move(vm, there)
    arrives(here, there, traveller)
    assert (payload(there, vm), ticket(there, vm)) == before
    for host in ways:
        assert not any(secret in host.log.read_text() for secret in (TICKET, NOTE, PAYLOAD["file"]["note.txt"]))


@pytest.mark.timeout(120)
def test_a_stream_is_encrypted_between_hosts_that_trust_each_other_and_to_nobody_else(
    daemons: Daemons, ways: list[DaemonHost], traveller: Traveller
) -> None:
    here, there = ways
    names = [*daemons.network.addresses, *daemons.network.addresses.values()]
    folders = [daemons.lab.subfolder(f"stream-{number}") for number in range(2)]
    for folder in folders:
        pki.initialise(folder, names)
    for host, folder in zip(ways, folders, strict=True):
        host.certify(folder)
    here.move(traveller.vm, there, encrypted="true")
    code, _ = here.until_over(traveller.vm)
    assert code in (12, 102), "they are of two authorities"
    here.until_status(traveller.vm, "Up")
    assert there.status(traveller.vm) == "gone"
    there.certify(folders[0])
    here.move(traveller.vm, there, encrypted="true")
    arrives(here, there, traveller)


@pytest.mark.timeout(180)
def test_a_guest_falls_asleep_on_one_host_and_wakes_up_on_another(
    daemons: Daemons, ways: list[DaemonHost], traveller: Traveller
) -> None:
    here, there = ways
    vm = traveller.vm
    memory, conf = daemons.volume(here, 512 * MIB), daemons.volume(here, MIB)
    names = [bed[name] for bed in (memory, conf) for name in ("imageID", "volumeID")]
    handle = ",".join((daemons.domain, daemons.pool, *names))
    elapsed = float(here.stats(vm)["elapsedTime"])
    here.call("hibernate", vm, handle)
    here.until_status(vm, "Down", seconds=60)
    assert (here.stats(vm)["exitCode"], here.stats(vm)["exitReason"]) == (0, 5)
    here.call("destroy", vm)
    assert vm not in here.defined()
    told = len(traveller.scripts())
    there.call("create", {**traveller.params, "hiberVolHandle": handle})
    there.until_status(vm, "Up", seconds=60)
    traveller.goes_on(there)
    assert float(there.stats(vm)["elapsedTime"]) >= elapsed
    traveller.agent_is_heard(there)
    there.until(lambda: "after_hibernation" in traveller.scripts()[told:], "its scripts ran", 20)
    assert traveller.scripts().count("after_hibernation") == 1
    there.move(vm, here)
    arrives(there, here, traveller)
