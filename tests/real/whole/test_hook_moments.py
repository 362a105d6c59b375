"""Every hook point of machines, devices and the host, on the real operation that fires it: when, with which data file
and environment, and what its failure does. The table is the contract; a point without a row fails a test.

Points of a migration need two hosts: `tests/lab`.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen
from lxml import etree
from real.whole.house import BOOTS, SHELL, House
from real.whole.writer import Console

from virgate.hookspecs import devices, host, vm
from virgate.hookspecs.point import Failure, Point

BRIDGE = "vgmoment0"
DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
NIC = {"nicModel": "pv", "network": BRIDGE, "device": "bridge", "custom": {"pinned": "yes"}}
NOTE = (
    SHELL
    + """point=$(basename "$(dirname "$0")")
note=%(notes)s/$(date +%%s%%N)-$point
if [ "$_hook_json" ]; then cat "$_hook_json"; else cat "$_hook_domxml"; fi >$note.data
env >$note.env.new; mv $note.env.new $note.env
if [ -e %(notes)s/fail-$point ]; then echo "$point says no" >&2; exit 1; fi
"""
)

DOMAIN, DEVICE, JSON, EMPTY = "domain", "device", "json", "empty"
OURS = {"colour": "green"}
FIXED = {**OURS, "pinned": "yes"}
AWAKE = {**OURS, "FROM_SNAPSHOT": "False"}
TICKET = {**OURS, "userName": "admin@internal", "userId": "42"}


@frozen
class Row:
    """What a script gets. `machine`: whether it is told which."""

    data: str
    environment: Mapping[str, str] = field(factory=dict)
    machine: bool = True


class Scene:
    """A house, a guest that lets devices go, and operations; each answers whether it succeeded and can be repeated."""

    def __init__(self, house: House, notes: Path) -> None:
        self.house, self.notes = house, notes
        self.cpus = 1
        self.guest = ""
        self.handle = ""

    def boot(self) -> None:
        house = self.house
        self.guest = house.up(
            **BOOTS,
            kernelArgs="console=ttyS0 quiet virgate.shell=1",
            custom=OURS,
            smp="1",
            maxVCpus="4",
            maxMemSize="2048",
            guestNumaNodes=[{"nodeIndex": 0, "cpus": "0-3", "memory": "192"}],
            devices=[
                {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
                {"type": "graphics", "device": "vnc"},
                {"type": "interface", "macAddr": "52:54:00:77:00:01", **NIC},
            ],
        )
        Console(house.ask("getVmConsole", self.guest)["console"]["path"]).until("VIRGATE-GUEST-UP")
        memory, conf = house.make_volume(size=64 << 20), house.make_volume(size=10240, kind=1)
        names = (memory["imageID"], memory["volumeID"], conf["imageID"], conf["volumeID"])
        self.handle = ",".join((house.domain, house.pool, *names))
        self.disk, self.spare = house.make_volume(), house.make_volume()

    def note(self, points: tuple[str, ...]) -> None:
        """From here on these are noted, and none before."""
        self.house.no_scripts()
        for old in self.notes.iterdir():
            old.unlink()
        for point in points:
            self.house.script(point, NOTE % {"notes": self.notes})

    def noted(self) -> list[tuple[str, dict[str, str], str]]:
        """Point, environment and data of each script that ran, in their order."""
        found = []
        for path in sorted(self.notes.glob("*.env")):
            lines = path.read_text().splitlines()
            environment = dict(line.split("=", 1) for line in lines if "=" in line)
            found.append((path.stem.partition("-")[2], environment, path.with_suffix(".data").read_text()))
        return found

    def fails(self, point: str) -> None:
        (self.notes / f"fail-{point}").touch()

    def ended(self, machine: str, *wanted: str) -> bool:
        """Whether the machine got there; False when it is somewhere else for good."""
        house = self.house

        def status() -> str:
            return str(house.ask("list", "", [machine])["vmList"][0]["status"])

        house.until(lambda: status() in (*wanted, "Down", "Up"), f"{machine} is {wanted}")
        return status() in wanted

    # -- operations

    def life(self) -> bool:
        machine = self.house.create(custom=OURS, devices=[{**DISK, **self.disk, "custom": {"pinned": "yes"}}])
        up = self.ended(machine, "Up")
        gone = self.house.code("destroy", machine) == 0
        if not gone:
            self.house.no_scripts()
            self.house.ask("destroy", machine)
        return up and gone

    def pause(self) -> bool:
        house = self.house
        try:
            return house.code("pause", self.guest) == 0 and house.code("cont", self.guest) == 0
        finally:
            if house.state(self.guest) == "paused":
                house.no_scripts()
                house.ask("cont", self.guest)

    def sleep(self) -> bool:
        machine = self.house.up(custom=OURS)
        self.house.ask("hibernate", machine, self.handle)
        slept = self.ended(machine, "Down")
        self.house.ask("destroy", machine)
        if not slept:
            return False
        self.house.create(vmId=machine, hiberVolHandle=self.handle)
        awake = self.ended(machine, "Up")
        self.house.ask("destroy", machine)
        return awake

    def ticket(self) -> bool:
        return self.house.code("setVmTicket", self.guest, "secret", "60", "disconnect", {
            name: TICKET[name] for name in ("userName", "userId")
        }) == 0  # fmt: skip

    def processors(self) -> bool:
        done = self.house.code("setNumberOfCpus", self.guest, str(self.cpus + 1)) == 0
        self.cpus += done
        return done

    def memory(self) -> bool:
        module = {"type": "memory", "device": "memory", "size": "128", "node": "0"}
        return self.house.code("hotplugMemory", {"vmId": self.guest, "memory": module}) == 0

    def plug_nic(self) -> bool:
        nic = {"vmId": self.guest, "nic": {"macAddr": "52:54:00:77:00:02", **NIC}}
        done = self.house.code("hotplugNic", nic) == 0 and self.house.code("hotunplugNic", nic) == 0
        if not done:
            self.house.no_scripts()
            self.house.code("hotunplugNic", nic)
        return done

    def refused_nic(self) -> bool:
        nic = {"macAddr": "52:54:00:77:00:03", **NIC, "nicModel": "nonsense"}
        return self.house.code("hotplugNic", {"vmId": self.guest, "nic": nic}) == 49

    def kept_nic(self) -> bool:
        """Firmware lets nothing go."""
        nic = {"macAddr": "52:54:00:77:00:04", **NIC}
        machine = self.house.up(custom=OURS, devices=[{"type": "interface", **nic}])
        kept = self.house.code("hotunplugNic", {"vmId": machine, "nic": nic}) == 50
        self.house.ask("destroy", machine)
        return kept

    def _change(self, **members: Any) -> int:
        (alias, *_) = [one["alias"] for one in self.house.full(self.guest)["devices"] if one["type"] == "interface"]
        change = {"deviceType": "interface", "alias": alias, "custom": {"pinned": "yes"}, **members}
        return self.house.code("vmUpdateDevice", self.guest, change)

    def change_nic(self) -> bool:
        return self._change(linkActive="true") == 0

    def refused_change(self) -> bool:
        return self._change(network="no-such-bridge") == 56

    def plug_disk(self) -> bool:
        drive = {"vmId": self.guest, "drive": {**DISK, **self.spare, "custom": {"pinned": "yes"}}}
        done = self.house.code("hotplugDisk", drive) == 0 and self.house.code("hotunplugDisk", drive) == 0
        if not done:
            self.house.no_scripts()
            self.house.code("hotunplugDisk", drive)
        return done

    def look(self, verb: str, *arguments: str) -> bool:
        return self.house.code(verb, *arguments) == 0

    def daemon(self) -> bool:
        self.house.end()
        self.house.start(*SETTINGS)
        self.house.rejoin()
        return True


MACHINE, FIXED_DEVICE = Row(DOMAIN, OURS), Row(DEVICE, FIXED)
BEGIN = [("before_vm_start", MACHINE), ("after_vm_start", MACHINE)]
END = [("before_vm_destroy", Row(EMPTY, OURS)), ("after_vm_destroy", MACHINE)]
HOST, NOTHING = Row(JSON, machine=False), Row(EMPTY, machine=False)

Operation = Callable[[Scene], bool]
MOMENTS: dict[str, tuple[Operation, list[tuple[str, Row]]]] = {
    "a machine's life": (Scene.life, [
        ("after_disk_prepare", Row(JSON, OURS)),
        ("before_device_create", FIXED_DEVICE),
        *BEGIN,
        ("after_device_create", FIXED_DEVICE),
        ("before_device_destroy", FIXED_DEVICE),
        *END,
        ("after_device_destroy", FIXED_DEVICE),
    ]),
    "pause and continue": (Scene.pause, [
        ("before_vm_pause", MACHINE), ("after_vm_pause", MACHINE),
        ("before_vm_cont", MACHINE), ("after_vm_cont", MACHINE),
    ]),
    "sleep and wake-up": (Scene.sleep, [
        *BEGIN,
        ("before_vm_pause", MACHINE), ("before_vm_hibernate", MACHINE), ("after_vm_hibernate", MACHINE),
        *END,
        ("before_vm_start", MACHINE), ("before_vm_dehibernate", Row(DOMAIN, AWAKE)), ("before_vm_cont", MACHINE),
        ("after_vm_dehibernate", Row(DOMAIN, AWAKE)),
        *END,
    ]),
    "ticket": (Scene.ticket, [
        ("before_vm_set_ticket", Row(DOMAIN, TICKET)), ("after_vm_set_ticket", Row(DOMAIN, TICKET)),
    ]),
    "processors": (Scene.processors, [("before_set_num_of_cpus", NOTHING), ("after_set_num_of_cpus", NOTHING)]),
    "memory": (Scene.memory, [
        ("before_memory_hotplug", Row(DEVICE, OURS)), ("after_memory_hotplug", Row(DEVICE, OURS)),
    ]),
    "a nic comes and goes": (Scene.plug_nic, [
        ("before_nic_hotplug", FIXED_DEVICE), ("after_nic_hotplug", FIXED_DEVICE),
        ("before_nic_hotunplug", FIXED_DEVICE), ("after_nic_hotunplug", FIXED_DEVICE),
    ]),
    "a nic is refused": (Scene.refused_nic, [
        ("before_nic_hotplug", FIXED_DEVICE), ("after_nic_hotplug_fail", FIXED_DEVICE),
    ]),
    "a nic is kept": (Scene.kept_nic, [
        ("before_nic_hotunplug", FIXED_DEVICE), ("after_nic_hotunplug_fail", FIXED_DEVICE),
    ]),
    "a nic is changed": (Scene.change_nic, [
        ("before_update_device", FIXED_DEVICE), ("after_update_device", FIXED_DEVICE),
    ]),
    "a change is refused": (Scene.refused_change, [("after_update_device_fail", FIXED_DEVICE)]),
    "a disk comes and goes": (Scene.plug_disk, [
        ("before_disk_hotplug", FIXED_DEVICE), ("after_disk_hotplug", FIXED_DEVICE),
        ("before_disk_hotunplug", FIXED_DEVICE), ("after_disk_hotunplug", FIXED_DEVICE),
    ]),
    "statistics": (lambda scene: scene.look("getVmStats", scene.guest), [
        ("before_get_vm_stats", HOST), ("after_get_vm_stats", HOST),
    ]),
    "all statistics": (lambda scene: scene.look("getAllVmStats"), [
        ("before_get_all_vm_stats", HOST), ("after_get_all_vm_stats", HOST),
    ]),
    "capabilities": (lambda scene: scene.look("getVdsCapabilities"), [
        ("before_get_caps", HOST), ("after_get_caps", HOST),
    ]),
    "the host's statistics": (lambda scene: scene.look("getVdsStats"), [
        ("before_get_stats", HOST), ("after_get_stats", HOST),
    ]),
    "the host's devices": (lambda scene: scene.look("hostdevListByCaps"), [("after_hostdev_list_by_caps", HOST)]),
    "the daemon": (Scene.daemon, [("after_vdsm_stop", NOTHING), ("before_vdsm_start", NOTHING)]),
}  # fmt: skip
"""The first row of a point decides where its failure is tried."""

POINTS: dict[str, Point] = {
    name: found.point
    for module in (vm, devices, host)
    for name, found in vars(module).items()
    if isinstance(getattr(found, "point", None), Point) and found.point.scripts
}
FIRST = {}
for _name, (_, _rows) in MOMENTS.items():
    for _point, _ in _rows:
        FIRST.setdefault(_point, _name)
SETTINGS = ("--set=machines.unplug_timeout=6",)


def test_every_point_has_a_row() -> None:
    assert set(FIRST) == set(POINTS)


@pytest.fixture(scope="module")
def scene(libvirtd: Any, tmp_path_factory: Any, kernel: None) -> Iterator[Scene]:
    home, notes = tmp_path_factory.mktemp("house"), tmp_path_factory.mktemp("notes")
    for name in ("plugins.d", "hooks.d"):
        (home / name).mkdir()
    house = House(home, libvirtd)
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
        house.start(*SETTINGS)
        house.make_pool()
        made = Scene(house, notes)
        made.boot()
        yield made
    finally:
        house.close()
        subprocess.run(["ip", "link", "del", BRIDGE], check=False)


@pytest.fixture(scope="module")
def kernel() -> None:
    subprocess.run([Path(__file__).parents[3] / "contrib/guest/build.sh"], check=True, timeout=300)


@pytest.mark.parametrize("moment", MOMENTS)
def test_points_fire_in_order_with_their_data_and_environment(scene: Scene, moment: str) -> None:
    operation, rows = MOMENTS[moment]
    wanted = [point for point, _ in rows]
    scene.note(tuple(dict.fromkeys(wanted)))
    assert operation(scene)
    scene.house.until(lambda: len(scene.noted()) >= len(rows), f"all of {wanted} fire, not {scene.noted()}")
    noted = scene.noted()
    in_order = [point for point, _, _ in noted if not POINTS[point].event]
    assert in_order == [point for point in wanted if not POINTS[point].event]
    assert sorted(point for point, _, _ in noted) == sorted(wanted)
    known = dict(rows)
    for point, environment, data in noted:
        row = known[point]
        assert row.environment.items() <= environment.items(), point
        assert ("vmId" in environment) == row.machine, point
        check(row.data, data, environment)


def check(kind: str, data: str, environment: dict[str, str]) -> None:
    if kind == EMPTY:
        assert data == ""
    elif kind == JSON:
        assert json.loads(data) is not None
        assert "_hook_json" in environment
    else:
        root = etree.fromstring(data.encode())
        assert (root.tag == "domain") == (kind == DOMAIN)
        if kind == DOMAIN:
            assert root.findtext("uuid") == environment["vmId"]


@pytest.mark.parametrize("point", POINTS)
def test_a_failure_does_what_the_point_says(scene: Scene, point: str) -> None:
    scene.note((point,))
    scene.fails(point)
    operation, _ = MOMENTS[FIRST[point]]
    assert operation(scene) == (POINTS[point].failure is Failure.LOG)
    scene.house.until(lambda: [name for name, _, _ in scene.noted()][:1] == [point], f"{point} fires")
    scene.house.no_scripts()
    assert os.path.exists(scene.notes / f"fail-{point}")
    assert scene.house.state(scene.guest) == "running"
    scene.house.goes_on()
