"""Looking for disks: when programs run, what is remembered, what a failure does."""

import pytest
import pytest_twisted
from contract.storage.sysfs import WWID, Tree
from twisted.internet.defer import Deferred

from virgate.node.storage.devices import devices as room
from virgate.node.storage.devices.devices import Devices
from virgate.node.storage.devices.settings import DeviceSettings
from virgate.node.storage.errors.volume_groups import DeviceInaccessible
from virgate.node.storage.operations import disks
from virgate.run.errors import CannotStart, HelperLost
from virgate.run.process import Finished


class Host:
    """Helpers that read a tree, and programs that only note that they were run."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.calls: list[str] = []
        self.programs: list[list[str]] = []
        self.answers: dict[str, object] = {}

    def __getitem__(self, key):
        return self

    async def drop(self, key):
        self.calls.append(f"drop {key}")

    async def call(self, operation, *arguments, timeout=None):
        self.calls.append(operation)
        arguments = (0,) if operation == "wait_for_maps" else ()
        return getattr(disks, operation)(*arguments, str(self.tree.root))

    async def run(self, argv, timeout=None):
        self.programs.append(argv)
        answer = self.answers.pop(argv[0], Finished(0, b"", b""))
        if isinstance(answer, Exception):
            raise answer
        return await answer if isinstance(answer, Deferred) else answer


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def host(tree, monkeypatch):
    monkeypatch.setattr(room, "BLOCKS", str(tree.root / "sys/block"))
    monkeypatch.setattr(room, "SESSIONS", str(tree.root / "sys/class/iscsi_session"))
    monkeypatch.setattr(room, "FIBRE", (str(tree.root / "sys/class/fc_host"),))
    made = Host(tree)
    monkeypatch.setattr(room, "run", made.run)
    return made


@pytest.fixture
def devices(host):
    return Devices(host, DeviceSettings())


@pytest_twisted.ensureDeferred
async def test_a_host_without_disks_starts_neither_helper_nor_program(devices, host):
    await devices.rescan()
    assert await devices.all() == () and await devices.paths_for_lvm() == ()
    assert (host.calls, host.programs) == ([], [])


@pytest_twisted.ensureDeferred
async def test_disks_that_come_after_a_look_that_saw_none_are_found_by_the_next(devices, host, tree):
    await devices.rescan()
    tree.disk("sda", "8:0", session=None)
    await devices.all()
    tree.disk("sdb", "8:16", session=None, wwid="3600b")
    await devices.rescan()
    assert len(await devices.all()) == 2


@pytest_twisted.ensureDeferred
async def test_what_was_seen_is_remembered_until_somebody_looks_again(devices, host, tree):
    tree.disk("sda", "8:0", session=None)
    assert [device.guid for device in await devices.all()] == [WWID]
    tree.disk("sdb", "8:16", session=None, wwid="3600b")
    assert len(await devices.all()) == 1 and host.calls == ["scan_devices"]
    assert len(await devices.all(fresh=True)) == 2
    tree.disk("sdc", "8:32", session=None, wwid="3600c")
    await devices.rescan()
    assert len(await devices.all()) == 3
    devices.forget()
    assert len(await devices.all()) == 3


@pytest_twisted.ensureDeferred
async def test_sessions_and_adapters_are_asked_only_where_there_are_some(devices, host, tree):
    tree.disk("sda", "8:0", session=None)
    await devices.rescan()
    assert [argv[0] for argv in host.programs] == ["udevadm"]
    tree.session(1)
    tree.write("sys/class/fc_host/host1/x", "")
    tree.write("sys/class/scsi_host/host1/scan", "")
    await devices.rescan()
    assert ["iscsiadm", "-m", "session", "-R"] in host.programs
    assert (tree.root / "sys/class/scsi_host/host1/scan").read_text() == "- - -"
    assert "drop devices#scan" in host.calls


@pytest_twisted.ensureDeferred
async def test_a_session_that_is_down_is_not_asked_for_disks_and_the_others_are(devices, host, tree):
    for number in (1, 2, 3):
        tree.session(number)
    tree.write("sys/class/iscsi_session/session2/state", "FAILED\n")
    await devices.rescan()
    assert [argv[-2] for argv in host.programs if argv[0] == "iscsiadm"] == ["1", "3"]


@pytest_twisted.ensureDeferred
async def test_lvm_is_not_shown_a_disk_without_a_path_that_works(devices, host, tree, monkeypatch):
    tree.disk("sda", "8:0", session=None)
    tree.disk("sdb", "8:16", session=None, wwid="3600b")
    assert len(await devices.paths_for_lvm()) == 2
    tree.write("sys/block/sdb/device/state", "transport-offline")
    assert len(await devices.paths_for_lvm()) == 2, "what was seen a moment ago will do"
    monkeypatch.setattr(room, "STATES_AGE", -1.0)
    assert await devices.paths_for_lvm() == (f"/dev/disk/by-id/scsi-{WWID}",)


@pytest_twisted.ensureDeferred
async def test_a_look_that_hangs_leaves_lvm_what_was_seen_before(devices, host, tree, monkeypatch):
    tree.disk("sda", "8:0", session=None)
    seen = await devices.paths_for_lvm()

    async def lost(*_, **__):
        raise HelperLost("devices", "scan_devices")

    monkeypatch.setattr(room, "STATES_AGE", -1.0)
    monkeypatch.setattr(host, "call", lost)
    assert await devices.paths_for_lvm() == seen
    devices.forget()
    with pytest.raises(HelperLost):
        await devices.paths_for_lvm()


@pytest_twisted.ensureDeferred
async def test_those_who_ask_during_a_look_share_it(devices, host, tree):
    tree.disk("sda", "8:0", session=None)
    host.answers["udevadm"] = settled = Deferred()
    looks = [Deferred.fromCoroutine(devices.rescan()) for _ in range(3)]
    settled.callback(Finished(0, b"", b""))
    for look in looks:
        await look
    assert len(host.programs) == 1
    await devices.rescan()
    assert len(host.programs) == 2


@pytest_twisted.ensureDeferred
async def test_programs_that_are_missing_or_fail_keep_nobody_from_the_disks(devices, host, tree):
    tree.session(1)
    tree.disk("sda", "8:0")
    host.answers = {"iscsiadm": CannotStart("iscsiadm", "missing", 2), "udevadm": Finished(1, b"", b"no udev")}
    await devices.rescan()
    assert len(await devices.all()) == 1


@pytest_twisted.ensureDeferred
async def test_a_map_whose_disks_have_grown_is_resized_and_its_paths_are_asked_for(devices, host, tree):
    tree.disk("sda", "8:0", session=None, sectors=4096)
    tree.map("dm-0", "254:0", "sda")
    await devices.rescan()
    assert ["multipathd", "resize", "map", WWID] in host.programs
    host.answers["dmsetup"] = Finished(0, f"{WWID}: 0 1 multipath 2 0 8:0 F 1".encode(), b"")
    assert [path.active for device in await devices.all() for path in device.paths] == [False]


@pytest_twisted.ensureDeferred
async def test_lvm_is_shown_our_disks_and_the_whitelist_and_no_others(host, tree):
    tree.disk("sda", "8:0", session=None)
    tree.disk("sdb", "8:16", session=None, wwid="3600b")
    tree.hold("sdb", "dm-1", "LVM-abc", "vg0-root")
    devices = Devices(host, DeviceSettings(whitelist=["/dev/null", "/dev/no-such", "/etc/passwd"]))
    assert await devices.paths_for_lvm() == (f"/dev/disk/by-id/scsi-{WWID}", "/dev/null")


@pytest_twisted.ensureDeferred
async def test_a_device_is_found_by_id_and_by_any_of_its_paths(devices, host, tree):
    tree.disk("sda", "8:0", session=None)
    found = await devices.find(WWID)
    assert await devices.at("/dev/sda") is found and await devices.at(found.path) is found
    assert await devices.at("/dev/sdz") is None
    for guid in ("3600b", "../sda", None, ""):
        with pytest.raises(DeviceInaccessible):
            await devices.find(guid)


@pytest_twisted.ensureDeferred
async def test_visibility_looks_again_only_for_what_is_missing(devices, host, tree):
    tree.disk("sda", "8:0", session=None)
    assert await devices.visible([WWID]) == {WWID: True}
    assert host.programs == []
    assert await devices.visible([WWID, "3600b"]) == {WWID: True, "3600b": False}
    assert len(host.programs) == 1
