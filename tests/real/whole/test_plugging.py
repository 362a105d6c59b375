"""Devices of a machine whose guest really runs: what is plugged is seen inside, and what is unplugged is gone there.

One guest for the whole module; each test leaves it as it found it.
"""

import contextlib
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.libvirtd import PrivateLibvirtd
from lxml import etree
from real.whole.house import BOOTS, SHELL, House
from real.whole.test_documents import document
from real.whole.writer import Console

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
MAC = "52:54:00:12:34:56"
BRIDGES = ("vgplug0", "vgplug1")
DEVICES = [
    {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
    {"type": "disk", "device": "cdrom", "iface": "ide", "index": "2", "path": "", "readonly": "true"},
    {"type": "graphics", "device": "vnc"},
    {"type": "video", "device": "cirrus"},
    {"type": "balloon", "device": "memballoon", "specParams": {"model": "virtio"}},
]
PARAMS = {
    "kernelArgs": "console=ttyS0 quiet virgate.shell=1",
    "devices": DEVICES,
    "maxVCpus": "3",
    "smp": "1",
    "maxMemSize": "1024",
    "guestNumaNodes": [{"nodeIndex": 0, "cpus": "0-2", "memory": "192"}],
}


class Guest:
    """A house, the machine in it, and the shell inside."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.vm = house.up(**BOOTS, **PARAMS)
        self.console = Console(house.ask("getVmConsole", self.vm)["console"]["path"])
        self.console.until("VIRGATE-GUEST-UP")
        self.console.type("stty -echo")
        self.console.does("modprobe virtio_blk; modprobe virtio_net")

    def ask(self, verb: str, **members: Any) -> dict[str, Any]:
        return self.house.ask(verb, {"vmId": self.vm, **members})

    def code(self, verb: str, **members: Any) -> int:
        return self.house.code(verb, {"vmId": self.vm, **members})

    def does(self, command: str) -> str:
        return self.console.does(command)

    def until(self, command: str, pattern: str, seconds: float = 20) -> str:
        """Asks the guest until it says so: it tells nobody when its kernel has noticed something."""
        ends = time.monotonic() + seconds
        while not re.search(pattern, said := self.does(command)):
            assert time.monotonic() < ends, f"{command} never said {pattern}: {said}"
        return said

    def devices(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.house.full(self.vm)["devices"] if one["type"] == kind]

    def xml(self, *flags: str) -> etree._Element:
        return etree.fromstring(self.house.libvirtd.virsh("dumpxml", self.vm, *flags))


@pytest.fixture(scope="module")
def bridges() -> Iterator[tuple[str, ...]]:
    try:
        for bridge in BRIDGES:
            subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
            subprocess.run(["ip", "link", "set", bridge, "up"], check=True)
        yield BRIDGES
    finally:
        for bridge in BRIDGES:
            subprocess.run(["ip", "link", "del", bridge], check=False)


@pytest.fixture(scope="module")
def guest(libvirtd: PrivateLibvirtd, tmp_path_factory: Any, guest_files: Path, bridges: Any) -> Iterator[Guest]:
    home = tmp_path_factory.mktemp("house")
    for name in ("plugins.d", "hooks.d"):
        (home / name).mkdir()
    house = House(home, libvirtd)
    try:
        house.start("--set=machines.unplug_timeout=12")
        house.make_pool()
        yield Guest(house)
    finally:
        house.close()


@pytest.fixture(scope="module")
def guest_files() -> Path:
    project = Path(__file__).parents[3]
    subprocess.run([project / "contrib/guest/build.sh"], check=True, timeout=300)
    return project


def restart(guest: Guest, patience: int = 12) -> None:
    """The daemon is killed and comes back; the guest does not notice."""
    guest.house.kill()
    guest.house.start(f"--set=machines.unplug_timeout={patience}")
    guest.house.rejoin()


def noting(point: str) -> str:
    return f'{SHELL}echo "{point} $vmId $colour" >>"$(dirname "$0")/../../noted"\n'


def test_the_guest_sees_a_plugged_disk_and_lets_it_go_also_after_a_restart(guest: Guest) -> None:
    house, volume = guest.house, guest.house.make_volume(size=2 << 20)
    for point in ("before_disk_hotplug", "after_disk_hotplug", "before_disk_hotunplug", "after_disk_hotunplug"):
        house.script(point, noting(point))
    limits = {"specParams": {"ioTune": {"total_iops_sec": "500"}}}
    drive = {**DISK, **volume, "index": "7", "custom": {"colour": "red"}, **limits}
    reply = guest.ask("hotplugDisk", drive=drive)
    (disk,) = [one for one in reply["vmList"]["devices"] if one["type"] == "disk" and one["device"] == "disk"]
    assert (disk["name"], disk["volumeID"]) == ("vda", volume["volumeID"])
    assert disk["address"] and disk["alias"] and disk["volumeChain"]
    guest.until("cat /sys/block/vda/size", r"\b4096\b")
    assert "hello" in guest.does("echo hello >/dev/vda; sync; head -c 5 /dev/vda")
    house.until(lambda: "vda" in house.stats(guest.vm).get("disks", {}), "it has statistics")
    assert house.stats(guest.vm)["ioTune"][0]["ioTune"] == {"total_iops_sec": "500"}

    restart(guest)
    (again,) = [one for one in guest.devices("disk") if one["device"] == "disk"]
    assert {name: again[name] for name in volume} == volume
    assert again["custom"] == {"colour": "red"}
    house.until(house.prepared, "it is prepared again")

    reply = guest.ask("hotunplugDisk", drive=volume)
    assert [one["device"] for one in reply["vmList"]["devices"] if one["type"] == "disk"] == ["cdrom"]
    guest.until("ls /sys/block", r"(?s)^(?!.*vda)")
    assert house.prepared() == []
    noted = (house.home / "noted").read_text().splitlines()
    assert [line.split()[0] for line in noted] == [
        "before_disk_hotplug", "after_disk_hotplug", "before_disk_hotunplug", "after_disk_hotunplug",
    ]  # fmt: skip
    assert all(line.split()[1:] == [guest.vm, "red"] for line in noted)
    assert guest.code("hotunplugDisk", drive=volume) == 46


def test_what_a_hook_or_the_hypervisor_refuses_leaves_no_disk_behind(guest: Guest) -> None:
    house, volume = guest.house, guest.house.make_volume()
    before = guest.devices("disk")
    house.script("before_disk_hotplug", f"{SHELL}echo not today >&2; exit 1\n")
    assert guest.code("hotplugDisk", drive={**DISK, **volume}) == 1500
    house.no_scripts()
    assert house.prepared() == []
    assert guest.code("hotplugDisk", drive={**DISK, **volume, "iface": "nosuchbus"}) == 45
    assert guest.code("hotplugDisk", drive={**DISK, **volume, "volumeID": volume["imageID"]}) == 45
    assert guest.code("hotplugDisk") == 11
    assert house.prepared() == []
    assert guest.devices("disk") == before


def test_a_disk_comes_as_a_document_too(guest: Guest) -> None:
    volume = guest.house.make_volume()
    ids = "".join(f"<ovirt-vm:{name}>{value}</ovirt-vm:{name}>" for name, value in volume.items())
    text = f"""<?xml version='1.0'?><hotplug><devices><disk type="file" device="disk" snapshot="no">
        <target dev="vdc" bus="virtio"/><source file="/somewhere/else"><seclabel model="dac" type="none" relabel="no"/>
        </source><driver name="qemu" type="raw" cache="none"/><alias name="ua-7e9b2d0a"/><serial>abc</serial></disk>
        </devices><metadata xmlns:ovirt-vm="http://ovirt.org/vm/1.0"><ovirt-vm:vm>
        <ovirt-vm:device devtype="disk" name="vdc">{ids}<ovirt-vm:RBD type="bool">False</ovirt-vm:RBD></ovirt-vm:device>
        </ovirt-vm:vm></metadata></hotplug>"""
    guest.ask("hotplugDisk", xml=text)
    (disk,) = [one for one in guest.devices("disk") if one["name"] == "vdc"]
    assert disk["alias"] == "ua-7e9b2d0a"
    assert disk["path"].endswith(volume["volumeID"])
    guest.until("ls /sys/block", r"vd[a-z]")
    restart(guest)
    gone = "<hotunplug><devices><disk><alias name='ua-7e9b2d0a'/></disk></devices></hotunplug>"
    guest.ask("hotunplugDisk", xml=gone)
    assert guest.house.prepared() == []


def test_a_nic_comes_changes_and_goes(guest: Guest, bridges: tuple[str, ...]) -> None:
    house = guest.house
    for point in ("before_nic_hotplug", "after_nic_hotplug", "before_update_device", "after_update_device"):
        house.script(point, noting(point), "60_nic")
    nic = {"nicModel": "pv", "macAddr": MAC, "network": bridges[0], "custom": {"colour": "blue"}, "device": "bridge"}
    guest.ask("hotplugNic", nic=nic)
    (found,) = guest.devices("interface")
    assert (found["linkActive"], found["network"]) == (True, bridges[0])
    guest.until("cat /sys/class/net/*/address", MAC)
    assert guest.code("hotplugNic", nic=nic) == 49, "one address, one nic"
    link = "ip link set eth0 up; cat /sys/class/net/eth0/carrier"
    guest.until(link, r"(?m)^1")

    def update(**members: Any) -> None:
        house.ask("vmUpdateDevice", guest.vm, {"deviceType": "interface", "alias": found["alias"], **members})

    update(linkActive="false")
    guest.until(link, r"(?m)^0")
    assert guest.devices("interface")[0]["linkActive"] is False
    update(linkActive="true", network=bridges[1])
    guest.until(link, r"(?m)^1")
    master = Path(f"/sys/class/net/{found['name']}/master")
    assert master.resolve().name == bridges[1]
    restart(guest)
    (again,) = guest.devices("interface")
    assert (again["network"], again["custom"]) == (bridges[1], {"colour": "blue"})
    wrong = {"deviceType": "interface", "alias": found["alias"], "network": "no-such-bridge", "linkActive": "false"}
    assert house.code("vmUpdateDevice", guest.vm, wrong) == 56
    assert guest.devices("interface") == [again]
    assert master.resolve().name == bridges[1]
    guest.until(link, r"(?m)^1")
    assert house.code("vmUpdateDevice", guest.vm, {"deviceType": "interface", "alias": "net77"}) == 56
    assert house.code("vmUpdateDevice", guest.vm, {"deviceType": "interface"}) == 11
    assert house.code("vmUpdateDevice", guest.vm, {"deviceType": "sound", "alias": "x"}) == 44
    house.no_scripts()
    guest.ask("hotunplugNic", nic={"macAddr": MAC.upper()})
    guest.until("ls /sys/class/net", r"(?s)^(?!.*eth0)")
    assert guest.devices("interface") == []
    assert guest.code("hotunplugNic", nic={"macAddr": MAC}) == 50


def test_processors_come_and_go(guest: Guest) -> None:
    house = guest.house
    reply = house.ask("setNumberOfCpus", guest.vm, "3")
    assert reply["vmList"]["smp"] == "3"
    guest.until("for c in /sys/devices/system/cpu/cpu*/online; do echo 1 >$c; done; nproc", r"(?m)^3")
    house.until(lambda: house.stats(guest.vm)["vcpuCount"] == "3", "statistics tell it")
    restart(guest)
    assert house.full(guest.vm)["smp"] == "3"
    assert house.code("setNumberOfCpus", guest.vm, 4) == 60
    assert house.code("setNumberOfCpus", guest.vm, None) == 11
    assert house.full(guest.vm)["smp"] == "3"


def test_memory_comes_and_goes(guest: Guest) -> None:
    house = guest.house

    def total() -> int:
        return int(re.search(r"MemTotal: +(\d+)", guest.does("grep MemTotal /proc/meminfo"))[1])

    before = total()
    reply = guest.ask("hotplugMemory", memory={"type": "memory", "device": "memory", "size": "128", "node": "0"})
    assert reply["vmList"]["memSize"] == 320
    offline = "grep -l offline /sys/devices/system/memory/memory*/state"
    online = f"for m in $({offline}); do echo online_movable >$m; done; grep MemTotal /proc/meminfo"
    guest.until(online, rf"MemTotal: +(?!{before} )\d+ kB")
    assert total() - before == 128 << 10
    restart(guest)
    (module,) = guest.devices("memory")
    assert (int(module["size"]), int(module["node"])) == (128, 0)
    guest.ask("hotunplugMemory", memory={"size": 128, "node": 0})
    assert house.full(guest.vm)["memSize"] == 192
    assert guest.devices("memory") == []


def test_media_come_and_go_whatever_the_guest_has_open(guest: Guest, tmp_path: Path) -> None:
    house = guest.house
    for number in (1, 2):
        (tmp_path / f"{number}.iso").write_bytes(f"medium {number}".encode().ljust(1 << 20, b"\0"))
    reply = house.ask("changeCD", guest.vm, str(tmp_path / "1.iso"))
    assert reply["vmList"]["cdrom"] == str(tmp_path / "1.iso")
    guest.until("head -c 8 /dev/sr0", "medium 1")
    guest.does("exec 5</dev/sr0")
    house.ask("changeCD", guest.vm, str(tmp_path / "2.iso"))
    guest.does("exec 5<&-")
    guest.until("head -c 8 /dev/sr0", "medium 2")
    assert house.stats(guest.vm)["cdrom"] == str(tmp_path / "2.iso")
    assert house.code("changeCD", guest.vm, str(tmp_path / "none.iso")) == 13
    assert house.code("changeFloppy", guest.vm, str(tmp_path / "1.iso")) == 41
    volume = house.make_volume()
    house.ask("changeCD", guest.vm, {**volume, "device": "cdrom", "iface": "ide", "index": "2"})
    assert house.prepared()
    restart(guest)
    assert guest.devices("disk")[0]["path"].endswith(volume["volumeID"])
    house.ask("changeCD", guest.vm, "")
    assert house.prepared() == []
    assert guest.devices("disk")[0]["path"] == ""
    guest.until("head -c 8 /dev/sr0 2>&1", "No medium")


def test_limits_are_in_force_and_outlive_the_daemon(guest: Guest) -> None:
    house, volume = guest.house, guest.house.make_volume()
    guest.ask("hotplugDisk", drive={**DISK, **volume})
    (before,) = house.ask("getIoTune", guest.vm)["ioTune"]
    assert before["name"] == "vda" and set(before["ioTune"].values()) == {0} and len(before["ioTune"]) == 6
    limits = {"total_bytes_sec": "5000000000", "read_iops_sec": 70}
    house.ask("setIoTune", guest.vm, [{"name": "vda", "ioTune": limits}])
    (after,) = house.ask("getIoTune", guest.vm)["ioTune"]
    assert after["ioTune"].items() >= limits.items()
    assert house.code("setIoTune", guest.vm, [{"name": "vda", "ioTune": {"write_bytes_sec": 1}}]) == 64
    assert house.code("setIoTune", guest.vm, [{"name": "vdq", "ioTune": {"write_bytes_sec": 1}}]) == 64
    policy = {**volume, "maximum": {"total_bytes_sec": "5"}, "guaranteed": {}}
    guest.ask("updateVmPolicy", vcpuLimit="50", ioTune=[policy])
    more = {"name": "vda", "maximum": {"read_iops_sec": 9}, "guaranteed": {"total_bytes_sec": 1}}
    guest.ask("updateVmPolicy", ioTune=[more])
    assert guest.code("updateVmPolicy") == 11
    restart(guest)
    (kept,) = house.ask("getIoTunePolicy", guest.vm)["ioTunePolicy"]
    assert kept["maximum"] == {"total_bytes_sec": 5, "read_iops_sec": 9}
    assert kept["guaranteed"] == {"total_bytes_sec": 1}
    stats = house.stats(guest.vm)
    assert stats["vcpuUserLimit"] == 50
    assert stats["ioTune"][0]["ioTune"] == {"total_bytes_sec": "5000000000", "read_iops_sec": "70"}
    both = house.ask("getAllVmIoTunePolicies")["io_tune_policies_dict"][guest.vm]
    assert both == {"policy": [kept], "current_values": [after]}
    guest.ask("hotunplugDisk", drive=volume)
    assert "ioTune" not in house.stats(guest.vm)


def test_the_processors_quota_is_told_and_outlives_the_daemon(guest: Guest) -> None:
    house = guest.house
    house.ask("vmSetCpuTunePeriod", guest.vm, 50000)
    house.ask("vmSetCpuTuneQuota", guest.vm, "20000")
    restart(guest)
    stats = house.stats(guest.vm)
    assert (stats["vcpuQuota"], stats["vcpuPeriod"]) == ("20000", 50000)
    assert house.code("vmSetCpuTuneQuota", guest.vm, 3) == 62
    house.ask("vmSetCpuTuneQuota", guest.vm, -1)


def test_the_balloon_takes_memory_and_remembers_how_much(guest: Guest) -> None:
    house = guest.house
    house.ask("setBalloonTarget", guest.vm, 150 << 10)
    house.until(lambda: house.stats(guest.vm)["balloonInfo"]["balloon_cur"] == str(150 << 10), "the guest gave it")
    assert house.stats(guest.vm)["balloonInfo"]["balloon_target"] == str(150 << 10)
    restart(guest)
    house.until(lambda: "balloonInfo" in house.stats(guest.vm), "there is a sample")
    assert house.stats(guest.vm)["balloonInfo"]["balloon_target"] == str(150 << 10)
    assert house.code("setBalloonTarget", guest.vm, "much") == 53
    house.ask("setBalloonTarget", guest.vm, 192 << 10)
    house.until(lambda: house.stats(guest.vm)["balloonInfo"]["balloon_cur"] == str(192 << 10), "it is given back")


def test_a_ticket_opens_the_screen_until_it_ends_and_is_in_no_log(guest: Guest) -> None:
    house = guest.house
    house.script("before_vm_set_ticket", f'{SHELL}echo "$userName" >"$(dirname "$0")/../../user"\n')
    house.ask("setVmTicket", guest.vm, "s3cr3t!?", "120", "disconnect", {"userName": "admin@internal"})
    screen = guest.xml("--security-info").find("devices/graphics")
    assert screen.get("passwd") == "s3cr3t!?"
    ends = time.mktime(time.strptime(screen.get("passwdValidTo"), "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert 60 < ends - time.time() <= 121
    assert (house.home / "user").read_text() == "admin@internal\n"
    house.ask("setVmTicket", guest.vm, "other", 0)
    assert guest.xml("--security-info").find("devices/graphics").get("passwdValidTo") == screen.get("passwdValidTo")
    update = {"deviceType": "graphics", "graphicsType": "vnc", "password": "third", "ttl": 60}
    house.ask("vmUpdateDevice", guest.vm, {**update, "existingConnAction": "keep", "disconnectAction": "NONE"})
    assert guest.xml("--security-info").find("devices/graphics").get("passwd") == "third"
    assert house.code("setVmTicket", guest.vm, "s3cr3t!?", 60, "explode") == 18
    assert house.code("vmUpdateDevice", guest.vm, {**update, "graphicsType": "spice"}) == 56
    assert house.code("setVmTicket", guest.vm, "much longer than VNC can bear", 60) == 18
    house.no_scripts()
    for text in (house.said(), str(house.full(guest.vm)), house.xml(guest.vm)):
        assert not any(secret in text for secret in ("s3cr3t", "third", "much longer"))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_daemon_killed_in_the_middle_leaves_a_machine_that_can_be_read(guest: Guest, moment: str) -> None:
    house, volume = guest.house, guest.house.make_volume()
    there = house.home / f"in-the-middle-{moment}"
    house.script(f"{moment}_disk_hotplug", f"{SHELL}touch {there}; sleep 60\n")
    asking = threading.Thread(target=lambda: _quietly(house, guest.vm, volume), daemon=True)
    asking.start()
    house.until(there.exists, "the hook runs")
    house.no_scripts()
    restart(guest)
    asking.join(10)
    disks = [one for one in guest.devices("disk") if one["device"] == "disk"]
    assert [one["volumeID"] for one in disks] == ([] if moment == "before" else [volume["volumeID"]])
    if moment == "before":
        guest.ask("hotplugDisk", drive={**DISK, **volume})
    guest.ask("hotunplugDisk", drive=volume)
    assert house.prepared() == []


def test_a_disk_that_leaves_while_no_daemon_runs_is_torn_down_by_the_next(guest: Guest) -> None:
    house, volume = guest.house, guest.house.make_volume()
    guest.ask("hotplugDisk", drive={**DISK, **volume})
    guest.until("ls /sys/block", "vda")
    house.kill()
    house.libvirtd.virsh("detach-disk", guest.vm, "vda")
    house.start("--set=machines.unplug_timeout=12")
    house.rejoin()
    assert [one["device"] for one in guest.devices("disk")] == ["cdrom"]
    house.until(lambda: house.prepared() == [], "the next daemon saw to it")


def _quietly(house: House, vm: str, volume: dict[str, str]) -> None:
    with contextlib.suppress(Exception):
        house.beside().call("hotplugDisk", {"vmId": vm, "drive": {**DISK, **volume}})


def test_a_guest_without_a_system_keeps_its_disk_until_it_is_reset(guest: Guest) -> None:
    house, volume = guest.house, guest.house.make_volume()
    restart(guest, patience=1)
    vm = house.up()
    house.ask("hotplugDisk", {"vmId": vm, "drive": {**DISK, **volume}})
    answer = house.call("hotunplugDisk", {"vmId": vm, "drive": volume})
    assert answer["status"]["code"] == 46 and "within 1 s" in answer["status"]["message"]
    (disk,) = [one for one in house.full(vm)["devices"] if one["device"] == "disk"]
    assert disk["volumeID"] == volume["volumeID"] and house.prepared()
    house.script("after_disk_hotunplug", noting("late"))
    house.ask("reset", vm)
    house.until(lambda: house.prepared() == [], "what nobody waits for any more is torn down")
    assert not [one for one in house.full(vm)["devices"] if one["device"] == "disk"]
    assert f"late {vm} " in (house.home / "noted").read_text()
    house.no_scripts()
    house.ask("destroy", vm)


def test_a_machine_of_a_document_remembers_what_was_plugged_into_it(guest: Guest, bridges: tuple[str, ...]) -> None:
    house, volume = guest.house, guest.house.make_volume()
    vm, _, text = document(house)
    house.ask("create", {"vmId": vm, "xml": text})
    house.until_status(vm, "Up", "Powering up")
    house.ask("hotplugDisk", {"vmId": vm, "drive": {**DISK, **volume}})
    nic = f"""<hotplug><devices><interface type="bridge"><mac address="{MAC}"/><source bridge="{bridges[0]}"/>
        <model type="virtio"/><alias name="ua-plugged"/></interface></devices>
        <metadata xmlns:ovirt-vm="http://ovirt.org/vm/1.0"><ovirt-vm:vm><ovirt-vm:device mac_address="{MAC}">
        <ovirt-vm:network>{bridges[0]}</ovirt-vm:network><ovirt-vm:custom><ovirt-vm:colour>red</ovirt-vm:colour>
        </ovirt-vm:custom></ovirt-vm:device></ovirt-vm:vm></metadata></hotplug>"""
    house.script("before_nic_hotplug", noting("document"))
    house.ask("hotplugNic", {"vmId": vm, "xml": nic})
    assert f"document {vm} red" in (house.home / "noted").read_text()
    house.no_scripts()
    house.ask("setIoTune", vm, [{"name": "vdb", "ioTune": {"read_iops_sec": 9}}])
    restart(guest)
    found = {one.get("name") or one.get("alias"): one for one in house.full(vm)["devices"]}
    assert found["vdb"]["volumeID"] == volume["volumeID"]
    assert house.stats(vm)["ioTune"][0]["ioTune"] == {"read_iops_sec": "9"}
    assert "ua-plugged" in [one.get("alias") for one in house.full(vm)["devices"]]
    house.until(lambda: len(house.prepared()) == 2, "both are prepared again")
    house.ask("destroy", vm)
    assert house.prepared() == []
