"""Every verb of machines while another works on the same machine: each is answered with a code of its own, nothing
hangs, no lock is left, and the machine can be destroyed with nothing of it left behind.

What is under way is held up by a hook script that waits for a file, by a slow job, or by a guest that answers nobody.
"""

import os
import signal
import socket
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy, Transport

import pytest
from lab.jsonrpc import JsonRpc
from real.whole.house import SHELL, House, new_id

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "index": "0"}
CDROM = {"type": "disk", "device": "cdrom", "iface": "ide", "index": "2", "path": "", "readonly": "true"}
SIZE = 64 << 20


class Telling(Transport):
    """Tells when a request has left us, before it is answered."""

    def __init__(self, sent: threading.Event) -> None:
        super().__init__()
        self.sent = sent

    def send_request(self, *arguments: Any) -> Any:
        connection = super().send_request(*arguments)
        self.sent.set()
        return connection


class Stage:
    """A house and one machine in it that something is under way with."""

    def __init__(self, house: House, folder: Path, threads: ThreadPoolExecutor, second: str) -> None:
        self.house, self.folder, self.threads, self.second = house, folder, threads, second
        self.vm, self.disk, self.drive = "", {}, {}
        self.begun: Future[dict[str, Any]] | None = None
        self.let_go: Callable[[], None] = lambda: None
        self.sent: list[threading.Event] = []

    def aside(self, verb: str, *arguments: Any) -> "Future[dict[str, Any]]":
        """Asks through a connection of its own."""
        sent = threading.Event()
        self.sent.append(sent)
        url = f"http://127.0.0.1:{self.house.port}/"
        api: Any = ServerProxy(url, transport=Telling(sent), allow_none=True)
        return self.threads.submit(lambda: getattr(api, verb)(*arguments))

    def heard(self) -> None:
        """What was asked aside is in the daemon: it takes connections, reads and begins in the order of arrival."""
        assert all(sent.wait(20) for sent in self.sent)
        for _ in range(3):
            self.house.beside().ask("ping")

    def machine(self, **params: Any) -> str:
        self.disk = self.house.make_volume(size=SIZE)
        self.drive = {**DISK, **self.disk}
        make = self.house.create if "launch" in params else self.house.up
        params.pop("launch", None)
        self.vm = make(devices=[self.drive, CDROM], maxVCpus="4", smp="1", **params)
        return self.vm

    def gate(self, point: str) -> None:
        """The hook point is passed when `let_go` is called."""
        there, opened = self.folder / "there", self.folder / "opened"
        self.house.script(point, f"{SHELL}touch {there}; until [ -e {opened} ]; do sleep 0.05; done\n")
        self.let_go = opened.touch

    def held(self) -> None:
        self.house.until((self.folder / "there").exists, "it is held up")

    def on_top(self, image: str = "", base: str = "") -> dict[str, str]:
        """A volume on top of the machine's disk, with 6 MiB in it: what is merged or copied slowly."""
        house, new = self.house, new_id()
        image = image or self.disk["imageID"]
        base = base or self.disk["volumeID"]
        sizes = [str(SIZE), 4, 2]
        house.done("createVolume", house.domain, house.pool, image, *sizes, "DATA", new, "top", image, base)
        path = house.folder / house.domain / "images" / image / new
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 6M", path], check=True, capture_output=True)
        return {"domainID": house.domain, "imageID": image, "baseVolumeID": base, "volumeID": new}


def plugging(stage: Stage) -> None:
    stage.machine()
    stage.gate("before_disk_hotplug")
    stage.begun = stage.aside("hotplugDisk", {"vmId": stage.vm, "drive": {**DISK, **stage.house.make_volume()}})
    stage.held()


def unplugging(stage: Stage) -> None:
    """Its guest does not answer."""
    vm, volume = stage.machine(), stage.house.make_volume()
    stage.house.ask("hotplugDisk", {"vmId": vm, "drive": {**DISK, **volume}})
    stage.begun = stage.aside("hotunplugDisk", {"vmId": vm, "drive": volume})
    stage.heard()


def wake(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def snapshot(stage: Stage) -> None:
    vm = stage.machine()
    drive = stage.on_top()
    pid = stage.house.qemu(vm)
    os.kill(pid, signal.SIGSTOP)
    stage.let_go = lambda: wake(pid)
    stage.begun = stage.aside("snapshot", vm, [drive])
    stage.heard()
    stage.house.until(lambda: "ok" not in stage.house.libvirtd.virsh("domcontrol", vm), "libvirt waits for QEMU")


def merging(stage: Stage) -> None:
    vm = stage.machine()
    drive = stage.on_top()
    stage.house.ask("snapshot", vm, [drive])
    base, top = drive["baseVolumeID"], drive["volumeID"]
    stage.house.ask("merge", vm, {**stage.disk, "volumeID": top}, base, top, 2)
    stage.disk["volumeID"] = top


def replicating(stage: Stage) -> None:
    vm, house = stage.machine(), stage.house
    house.done("cloneImageStructure", house.pool, house.domain, stage.disk["imageID"], stage.second)
    target = {**stage.disk, "domainID": stage.second}
    house.ask("diskReplicateStart", vm, stage.disk, target)
    stage.let_go = lambda: house.code("diskReplicateFinish", vm, stage.disk, stage.disk)


def saving(stage: Stage) -> None:
    vm, house = stage.machine(), stage.house
    stage.gate("before_vm_hibernate")
    memory, conf = house.make_volume(size=256 << 20), house.make_volume(size=10240, kind=1)
    names = (memory["imageID"], memory["volumeID"], conf["imageID"], conf["volumeID"])
    house.ask("hibernate", vm, ",".join((house.domain, house.pool, *names)))
    stage.held()


def leaving(stage: Stage) -> None:
    """To a host that takes calls and answers none."""
    vm, door = stage.machine(), socket.create_server(("127.0.0.1", 0))
    dst = f"127.0.0.1:{door.getsockname()[1]}"
    stage.let_go = door.close
    stage.house.ask("migrate", {"vmId": vm, "dst": dst, "dstqemu": "127.0.0.1", "method": "online"})
    heard, _ = door.accept()

    def hang_up() -> None:
        door.close()
        heard.close()

    stage.let_go = hang_up


def starting(stage: Stage) -> None:
    stage.gate("before_vm_start")
    stage.machine(launch=False)
    stage.held()


def shutting_down(stage: Stage) -> None:
    stage.house.ask("shutdown", stage.machine(), "30", "good night")


WORK = [plugging, unplugging, snapshot, merging, replicating, saving, leaving, starting, shutting_down]


@pytest.fixture(scope="module")
def shared(libvirtd: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("house")
    for name in ("plugins.d", "hooks.d"):
        (home / name).mkdir()
    house = House(home, libvirtd)
    try:
        house.start("--set=machines.unplug_timeout=1", "--set=machines.job_period=0.3")
        house.make_pool()
        yield house
    finally:
        house.close()


def defects(house: House) -> list[str]:
    """Lines of the log that no operation may leave there."""
    lines = house.said().splitlines()
    return [line for line in lines if "Traceback" in line or "level=error" in line or "level=critical" in line]


@pytest.fixture(scope="module")
def second(shared: House) -> str:
    """Another domain of the pool."""
    folder, domain = shared.home / "second", new_id()
    folder.mkdir()
    shared.connect_folder(folder)
    shared.ask("createStorageDomain", 4, domain, "second", str(folder), 1, "5")
    shared.ask("attachStorageDomain", domain, shared.pool)
    shared.ask("activateStorageDomain", domain, shared.pool)
    return domain


@pytest.fixture
def stage(shared: House, second: str, tmp_path: Path) -> Iterator[Stage]:
    """What is under way is let go in the end; then the machine is destroyed and everything of it is gone."""
    with ThreadPoolExecutor(60) as threads:
        stage = Stage(shared, tmp_path, threads, second)
        yield stage
        stage.let_go()
        if stage.begun is not None:
            stage.begun.result(20)
        changing = stage.aside("vmUpdateDevice", stage.vm, {"deviceType": "interface", "alias": "net7"})
        assert changing.result(10)["status"]["code"] in (1, 51, 56), "its lock is held"
    shared.no_scripts()
    assert shared.code("destroy", stage.vm) in (0, 1)
    assert shared.prepared() == []
    assert shared.left_behind(stage.vm) == []
    assert stage.vm not in shared.defined()
    assert not (found := defects(shared)), found


def others(stage: Stage) -> dict[str, list[Any]]:
    """Verbs that change a machine, with arguments that are right for this one when nothing is under way."""
    vm, house = stage.vm, stage.house
    volume, disk = house.make_volume(), stage.disk
    top = {"domainID": house.domain, "imageID": disk["imageID"], "baseVolumeID": disk["volumeID"], "volumeID": new_id()}
    nic = {"macAddr": "52:54:00:00:00:77", "nicModel": "pv", "network": "", "device": "bridge"}
    update = {"deviceType": "interface", "alias": "net0", "linkActive": "false"}
    return {
        "getVmStats": [vm],
        "list": ["true", [vm]],
        "getVmConsole": [vm],
        "pause": [vm],
        "cont": [vm],
        "create": [{"vmId": vm, "vmName": "twin", "memSize": "32", "kvmEnable": "false", "devices": []}],
        "hotplugDisk": [{"vmId": vm, "drive": {**DISK, **volume}}],
        "hotunplugDisk": [{"vmId": vm, "drive": disk}],
        "hotplugNic": [{"vmId": vm, "nic": nic}],
        "hotunplugNic": [{"vmId": vm, "nic": nic}],
        "hotplugMemory": [{"vmId": vm, "memory": {"type": "memory", "size": "128", "node": "0"}}],
        "setNumberOfCpus": [vm, "2"],
        "changeCD": [vm, ""],
        "vmUpdateDevice": [vm, update],
        "setVmTicket": [vm, "secret", "60"],
        "setBalloonTarget": [vm, 32768],
        "vmSetCpuTuneQuota": [vm, "20000"],
        "updateVmPolicy": [{"vmId": vm, "vcpuLimit": "50"}],
        "getIoTune": [vm],
        "setIoTune": [vm, [{"name": "vda", "ioTune": {"read_iops_sec": 9}}]],
        "snapshot": [vm, [top]],
        "merge": [vm, disk, disk["volumeID"], new_id()],
        "diskReplicateStart": [vm, disk, {**volume, "imageID": new_id()}],
        "diskReplicateFinish": [vm, {**disk, "imageID": new_id()}, disk],
        "diskSizeExtend": [vm, disk, str(SIZE)],
        "freeze": [vm],
        "thaw": [vm],
        "migrateStatus": [vm],
        "sendkeys": [vm, ["KEY_A"]],
        "desktopLock": [vm],
    }


Work = Callable[[Stage], None]
LOOKS = {"getVmStats", "list", "migrateStatus", "getVmConsole", "create", "desktopLock"}
ALWAYS = {"pause", "cont", "setBalloonTarget", "vmSetCpuTuneQuota", "getIoTune", "sendkeys", "freeze", "thaw"}
"""Verbs that do not wait until a machine has gone."""
NORMAL = {
    "getVmConsole": {40},  # it has none
    "cont": {0, 16},  # it runs, or is on its way
    "create": {4},
    "hotunplugDisk": {46},  # nobody in the guest lets it go, or it is in use
    "hotplugNic": {49},
    "hotunplugNic": {50},
    "hotplugMemory": {70},
    "vmUpdateDevice": {56},
    "setVmTicket": {18},
    "getIoTune": {0, 64},  # while one of the disks goes
    "snapshot": {48, 201},
    "merge": {52},
    "diskReplicateStart": {55},
    "diskReplicateFinish": {13},
    "freeze": {19, 76},
    "thaw": {19, 77},
    "desktopLock": {19},
}


def answers(verb: str, work: Work) -> set[int]:
    """What a verb may answer."""
    if work is starting and verb not in LOOKS | {"diskReplicateStart", "diskReplicateFinish"}:
        return {53} if verb == "setBalloonTarget" else {1}
    if work is starting and verb == "getVmConsole":
        return {1}
    if work in (saving, leaving) and verb not in LOOKS | ALWAYS:
        return {51}
    if work in (merging, replicating) and verb == "diskSizeExtend":
        return {0, 56}
    return NORMAL.get(verb, {0})


AFTERWARDS: dict[Work, tuple[set[str], int]] = {
    saving: ({"Down"}, 0),
    shutting_down: ({"Powering down"}, 0),
    unplugging: ({"Powering up", "Up"}, 46),
    snapshot: ({"Powering up", "Up"}, 48),  # libvirt went away while it was asked
}
each = pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)


@each
def test_all_other_verbs_are_answered(stage: Stage, work: Work) -> None:
    work(stage)
    asked = {verb: stage.aside(verb, *arguments) for verb, arguments in others(stage).items()}
    stage.heard()
    stage.let_go()
    codes = {verb: answer.result(20)["status"]["code"] for verb, answer in asked.items()}
    assert {verb: code for verb, code in codes.items() if code not in answers(verb, work)} == {}
    stage.house.goes_on()


@each
def test_destroy_ends_it(stage: Stage, work: Work) -> None:
    work(stage)
    destroyed = stage.aside("destroy", stage.vm)
    stage.heard()
    stage.let_go()
    assert destroyed.result(20)["status"]["code"] == 0
    assert stage.house.code("getVmStats", stage.vm) == 1


@pytest.mark.parametrize("work", [one for one in WORK if one is not starting], ids=lambda work: work.__name__)
def test_a_guest_that_dies_is_down(stage: Stage, work: Work) -> None:
    work(stage)
    os.kill(stage.house.qemu(stage.vm), signal.SIGKILL)
    stage.house.until(lambda: stage.house.state(stage.vm) == "shut off", "libvirt has seen it")
    stage.let_go()
    stats = stage.house.failed(stage.vm)
    assert stats["exitCode"] == (0 if work is shutting_down else 1), stats


@each
def test_it_goes_on_when_libvirt_was_restarted(stage: Stage, work: Work) -> None:
    house = stage.house
    work(stage)
    house.libvirtd.stop_daemon()
    house.libvirtd.start(keep_guests=True)
    house.until(lambda: house.code("hostdevListByCaps") == 0, "the daemon is connected again")
    stage.let_go()
    status, code = AFTERWARDS.get(work, ({"Powering up", "Up", "Paused"}, 0))
    if stage.begun is not None:
        assert stage.begun.result(20)["status"]["code"] == code
    house.until(lambda: house.stats(stage.vm)["status"] in status, f"it is {status}")
    if work is not saving:
        house.until(lambda: house.state(stage.vm) == "running", "libvirt says the same")
        house.until(lambda: house.stats(stage.vm)["vmJobs"] == {}, "no job is left")
        (disk,) = [one for one in house.full(stage.vm)["devices"] if one.get("imageID") == stage.disk["imageID"]]
        assert disk["volumeID"] in house.xml(stage.vm)


def test_a_subscriber_hears_each_change_of_the_status_at_once_and_in_order(stage: Stage) -> None:
    """One that lasts may be told again."""
    house, heard = stage.house, []
    with JsonRpc(house.port) as client:
        client.subscribe()
        stage.vm = vm = new_id()

        def listen() -> None:
            while not heard or heard[-1][1]["params"][vm]["status"] != "Down":
                heard.append(client.event(lambda event: event["method"] == f"|virt|VM_status|{vm}"))

        listening = stage.threads.submit(listen)
        stage.machine(vmId=vm)
        house.ask("pause", vm)
        house.ask("hotplugDisk", {"vmId": vm, "drive": {**DISK, **house.make_volume()}})
        house.ask("cont", vm)
        house.ask("snapshot", vm, [stage.on_top()])
        house.ask("shutdown", vm, "30", "good night")
        os.kill(house.qemu(vm), signal.SIGKILL)
        listening.result(20)
        house.ask("destroy", vm)
    statuses = [event["params"][vm]["status"] for _, event in heard]
    changes = [status for status, before in zip(statuses, ["", *statuses], strict=False) if status != before]
    assert changes == ["Powering up", "Paused", "Powering up", "Powering down", "Down"]
    times = [event["params"]["notify_time"] for _, event in heard]
    assert times == sorted(times)
    assert statistics.median(at * 1000 - told for (at, _), told in zip(heard, times, strict=True)) < 50
