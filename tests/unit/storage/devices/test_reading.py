"""Disks as read from small trees of sysfs: joined, told apart, recognised as the host's own."""

import pytest
from contract.storage.sysfs import IQN, WWID, Tree
from hypothesis import given
from hypothesis import strategies as some

from virgate.node.storage.devices import reading
from virgate.node.storage.devices.values import FCP, ISCSI, MIXED, Device
from virgate.node.storage.operations.disks import scan_devices, scan_hosts, scan_sessions, wait_for_maps

DOMAIN = "5f1e0a52--7c1d--4f0e--9d5b--0c9d8a3e2001"


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(tmp_path)


def seen(tree: Tree, states=None) -> dict[str, Device]:
    return {device.guid: device for device in reading.devices(scan_devices(str(tree.root)), states)}


def test_a_host_without_disks_has_no_devices(tmp_path):
    assert reading.devices(scan_devices(str(tmp_path))) == ()


def test_a_disk_is_told_with_its_session(tree):
    tree.session(1, user="fred")
    tree.disk("sda", "8:0")
    device = seen(tree)[WWID]
    assert (device.path, device.size, device.transport) == (f"/dev/disk/by-id/scsi-{WWID}", 1 << 20, ISCSI)
    assert (device.vendor, device.product, device.firmware) == ("VIRGATE", "LAB", "0001")
    assert (device.serial, device.logical_block, device.physical_block) == ("SVIRGATE_LAB_pool-1", 512, 4096)
    (path,) = device.paths
    assert (path.name, path.number, path.lun, path.active) == ("sda", "8:0", "0", True)
    assert path.session is not None
    assert (path.session.iqn, path.session.host, path.session.port) == (IQN, "storage", "3260")
    assert path.session.user == "fred"
    assert not device.foreign and {"/dev/sda", device.path} == device.aliases


def test_passwords_are_read_only_when_asked_for(tree):
    tree.session(1, user="fred")
    tree.disk("sda", "8:0")
    assert "secret" not in repr((scan_devices(str(tree.root)), seen(tree)))
    assert scan_sessions(str(tree.root), secrets=True)["session1"]["password"] == "secret"


def test_a_disk_without_a_session_counts_as_fibre_channel(tree):
    tree.disk("sda", "8:0", session=None)
    assert seen(tree)[WWID].transport == FCP


def test_two_paths_to_one_disk_are_one_device(tree):
    tree.session(1)
    tree.disk("sda", "8:0")
    tree.disk("sdb", "8:16", session=None)
    device = seen(tree)[WWID]
    assert [path.name for path in device.paths] == ["sda", "sdb"]
    assert (device.transport, device.path, device.multipath) == (MIXED, "/dev/sda", False)


def test_the_path_that_works_is_used(tree):
    tree.session(1, state="FAILED")
    tree.session(2)
    tree.disk("sda", "8:0")
    tree.disk("sdb", "8:16", session=2)
    device = seen(tree)[WWID]
    assert [path.active for path in device.paths] == [False, True]
    assert device.path == "/dev/sdb" and device.active


@pytest.mark.parametrize("state", ["offline", "transport-offline", ""])
def test_a_disk_that_went_offline_has_a_failed_path(tree, state):
    tree.disk("sda", "8:0", session=None, state=state)
    assert not seen(tree)[WWID].active


def test_a_map_takes_the_place_of_its_paths(tree):
    tree.session(1)
    tree.disk("sda", "8:0")
    tree.disk("sdb", "8:16")
    tree.map("dm-0", "254:0", "sda", "sdb")
    device = seen(tree, {WWID: {"8:0": True, "8:16": False}})[WWID]
    assert (device.path, device.multipath, device.foreign) == (f"/dev/mapper/{WWID}", True, False)
    assert [path.active for path in device.paths] == [True, False]
    assert {"/dev/dm-0", "/dev/sda", "/dev/sdb"} < device.aliases


def test_what_multipath_wants_is_not_used_before_it_has_it(tree):
    tree.multipathd()
    tree.disk("sda", "8:0", session=None, udev="E:DM_MULTIPATH_DEVICE_PATH=1\n")
    tree.disk("sdb", "8:16", session=None, wwid="3600b", udev="E:DM_MULTIPATH_DEVICE_PATH=0\n")
    assert list(seen(tree)) == ["3600b"]
    assert wait_for_maps(0, str(tree.root)) == ["sda"]
    tree.map("dm-0", "254:0", "sda")
    assert list(seen(tree)) == [WWID, "3600b"]
    assert wait_for_maps(0, str(tree.root)) == []


def test_without_multipathd_nobody_waits_for_it(tree):
    tree.disk("sda", "8:0", session=None, udev="E:DM_MULTIPATH_DEVICE_PATH=1\n")
    assert list(seen(tree)) == [WWID]


def test_the_name_comes_from_the_kernel_where_udev_knows_none(tree):
    tree.disk("sda", "8:0", session=None)
    tree.write("run/udev/data/b8:0", "I:1")
    assert list(seen(tree)) == [WWID]


def test_what_a_disk_says_of_itself_can_be_told(tree):
    block = tree.disk("sda", "8:0", session=None)
    (block / "device/model").write_bytes(b"A\x00\x1b\xff<B ")
    (device,) = seen(tree).values()
    assert device.product == "A??\ufffd<B" and device.serial.isprintable()


@pytest.mark.parametrize("wwid", ["", "unknown.1", "naa.", "naa.../x"])
def test_a_disk_without_a_usable_name_is_left_out(tree, wwid):
    block = tree.disk("sda", "8:0", session=None)
    tree.write("run/udev/data/b8:0", "I:1")
    (block / "device/wwid").write_text(wwid)
    assert seen(tree) == {}


def test_tapes_disks_without_a_size_and_removable_ones_are_left_out(tree):
    tree.disk("sda", "8:0", session=None, type="1")
    tree.disk("sdb", "8:16", session=None, sectors=0)
    (tree.disk("sdc", "8:32", session=None) / "removable").write_text("1")
    assert seen(tree) == {}


def test_what_the_host_uses_itself_is_foreign(tree):
    for minor, name in enumerate(("sda", "sdb", "sdc", "sdd", "sde", "sdf")):
        tree.disk(name, f"8:{minor}", session=None, wwid=f"3600{minor}")
    tree.write("proc/self/mountinfo", "20 1 8:0 / /srv rw - ext4 /dev/sda rw")
    tree.write("proc/swaps", "Filename Type Size Used Priority\n/dev/sdb partition 1 0 -2")
    tree.write("sys/block/sdc/sdc1/partition", "1")
    tree.hold("sdd", "md0")
    tree.hold("sde", "dm-1", "LVM-abc", "vg0-root")
    tree.hold("sdf", "dm-2", "LVM-def", f"{DOMAIN}-metadata")
    assert [device.foreign for device in seen(tree).values()] == [True, True, True, True, True, False]


def test_a_map_that_is_smaller_than_all_its_disks_has_been_outgrown(tree):
    tree.disk("sda", "8:0", sectors=4096)
    tree.disk("sdb", "8:16", sectors=2048)
    tree.map("dm-0", "254:0", "sda", "sdb")
    assert reading.outgrown(scan_devices(str(tree.root))) == []
    tree.write("sys/block/sdb/size", "4096")
    assert reading.outgrown(scan_devices(str(tree.root))) == [WWID]


def test_only_adapters_of_disk_networks_are_asked_for_disks(tree):
    for kind, host in (("fc_host", "host1"), ("scsi_host", "host1"), ("scsi_host", "host2")):
        tree.write(f"sys/class/{kind}/{host}/scan", "")
    tree.write("sys/class/sas_host/host9/x", "")
    assert scan_hosts(str(tree.root)) == ["host9"]
    assert (tree.root / "sys/class/scsi_host/host1/scan").read_text() == "- - -"
    assert (tree.root / "sys/class/scsi_host/host2/scan").read_text() == "\n"


def test_the_states_of_paths_are_read_from_the_device_mapper():
    told = (
        "3600a: 0 25165824 multipath 2 0 0 0 2 1 A 0 1 2 8:0 A 0 0 1 E 0 1 2 8:32 F 1 0 1 \n"
        "3600b: 0 2097152 multipath 2 0 0 0 1 1 A 0 1 2 8:64 A 0 0 1"
    )
    assert reading.map_states(told) == {"3600a": {"8:0": True, "8:32": False}, "3600b": {"8:64": True}}
    assert reading.map_states("No devices found\n") == {}


@given(some.text())
def test_any_output_of_the_device_mapper_can_be_read(text):
    for states in reading.map_states(text).values():
        assert all(isinstance(active, bool) for active in states.values())


@given(some.text())
def test_an_id_never_leaves_its_folder(text):
    if reading.is_guid(text):
        assert "/" not in text and text.strip(".") and not set(text) & set(" \n\0'\"")


@pytest.mark.parametrize("value", [None, 3, "", ".", "..", "a/b", "a b", "a\n", "é", "x" * 257])
def test_what_is_no_id_is_refused(value):
    assert not reading.is_guid(value)
