"""Our agent in a real guest, on a real virtio port, under a whole daemon: what clients see of it, and what it obeys."""

import subprocess

import pytest
from real.whole.house import BOOTS, GUEST

CONSOLE = {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}}
DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
MAC = "02:00:00:aa:bb:01"
WITH_NETWORK = f"""#!/usr/bin/env python3
import os
import hooking

domain = hooking.read_domxml()
for serial in domain.getElementsByTagName("serial"):
    log = domain.createElement("log")
    log.setAttribute("file", os.environ["console_log"])
    serial.appendChild(log)
nic = domain.createElement("interface")
nic.setAttribute("type", "user")
for name, attribute, value in (("mac", "address", "{MAC}"), ("model", "type", "virtio")):
    child = domain.createElement(name)
    child.setAttribute(attribute, value)
    nic.appendChild(child)
domain.getElementsByTagName("devices")[0].appendChild(nic)
hooking.write_domxml(domain)
"""


class Guest:
    """A machine with the agent in it."""

    def __init__(self, house, folder, words=""):
        self.house = house
        self.console = folder / "console"
        house.script("before_vm_start", WITH_NETWORK)
        self.disk = house.make_volume(size=16 << 20)
        images = house.folder / house.domain / "images"
        volume = images / self.disk["imageID"] / self.disk["volumeID"]
        subprocess.run(["mkfs.ext4", "-q", "-F", volume], check=True)
        self.vm = house.create(
            **BOOTS
            | {
                "initrd": str(GUEST / "initrd-python.img"),
                "kernelArgs": f"console=ttyS0 quiet rdinit=/agent-init virgate.address=192.0.2.10/24 {words}",
                "custom": {"console_log": str(self.console)},
                "devices": [CONSOLE, {**DISK, **self.disk}],
            }
        )

    def said(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def stats(self):
        return self.house.stats(self.vm)

    def until(self, true, what, seconds=60):
        try:
            self.house.until(lambda: true(self.stats()), what, seconds)
        except AssertionError:
            print(self.said()[-4000:], self.stats())
            raise


@pytest.fixture(scope="module")
def house(shared):
    subprocess.run([GUEST.parents[1] / "contrib/guest/build_python.sh"], check=True, timeout=300)
    return shared


@pytest.fixture(scope="module")
def guest(house, tmp_path_factory):
    guest = Guest(house, tmp_path_factory.mktemp("console"))
    guest.until(lambda stats: stats.get("guestTimezone"), "the agent and the host speak version 3")
    return guest


def test_clients_see_addresses_disks_memory_and_applications(house, guest):
    guest.until(lambda stats: stats["status"] == "Up" and stats["memUsage"] != "0", "a heartbeat came")
    guest.until(lambda stats: stats.get("netIfaces") and stats["netIfaces"][0]["inet"], "the address is known")
    stats = guest.stats()
    (nic,) = stats["netIfaces"]
    assert (nic["name"], nic["hw"], nic["inet"]) == ("eth0", MAC, ["192.0.2.10"])
    assert stats["guestIPs"] == "192.0.2.10"
    assert "cloud-init-22.4.2-1" in stats["appsList"]
    assert any(one.startswith("virgate-guest-") for one in stats["appsList"])
    assert (stats["guestName"], stats["guestFQDN"], stats["username"]) == (*["guest.example.test"] * 2, "None")
    (disk,) = [one for one in stats["disksUsage"] if one["path"] == "/mnt/disk"]
    assert disk["fs"] == "ext4"
    assert 8 << 20 < int(disk["total"]) <= 16 << 20
    memory = {name: int(value) for name, value in stats["memoryStats"].items()}
    assert memory["mem_total"] > memory["mem_free"] > 0
    assert 0 < int(stats["memUsage"]) < 100
    assert stats["guestOsInfo"]["distribution"] == "Virgate test guest"
    assert stats["guestOs"] == stats["guestOsInfo"]["kernel"]


def test_a_disk_is_known_by_the_name_it_has_in_the_guest(house, guest):
    mapped = house.full(guest.vm)["guestDiskMapping"]
    (name,) = [one["name"] for serial, one in mapped.items() if guest.disk["imageID"].startswith(serial[:20])]
    assert name == "/dev/vda"
    house.until(lambda: "<ovirt-vm:guestName>/dev/vda<" in house.xml(guest.vm), "clients that read documents know it")


def test_a_daemon_that_starts_again_hears_the_agent_within_a_heartbeat(house, guest):
    house.kill()
    house.start()
    guest.until(lambda stats: stats.get("guestFQDN") == "guest.example.test", "the agent noticed", 20)
    guest.until(lambda stats: stats["status"] == "Up", "it beats", 20)


def test_the_guest_goes_down_through_the_agent_with_what_the_client_said(house, guest):
    house.ask("shutdown", guest.vm, "30", "good night", "false", "120", "false")
    stats = house.failed(guest.vm)
    assert (stats["exitCode"], stats["exitReason"]) == (0, 7), "not the power button, which would be the admin's wish"
    assert 'VIRGATE-SHUTDOWN -h +1 "good night"' in guest.said()
