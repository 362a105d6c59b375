"""getDeviceList: the structure of the old API, and when a device is free."""

import json

import pytest
import pytest_twisted
from attrs import evolve
from contract.storage.sysfs import IQN
from hypothesis import given
from hypothesis import strategies as some

from virgate.errors import InvalidParameter
from virgate.node.storage.devices import listing as room
from virgate.node.storage.devices import report
from virgate.node.storage.devices.values import Device, DevicePath, Session
from virgate.node.storage.errors.volume_groups import CannotListDevices
from virgate.node.storage.lvm.reports import PhysicalVolume
from virgate.run.process import Finished

SESSION = Session(IQN, "10.0.0.1", "3260", "1", "default", "fred", "LOGGED_IN")
PATH = DevicePath("sda", "8:0", 1 << 40, "1", True, SESSION)
DISK = Device(
    guid="3600a",
    path="/dev/disk/by-id/scsi-3600a",
    size=1 << 40,
    vendor="V",
    product="P",
    serial="SVP",
    firmware="0001",
    logical_block=512,
    physical_block=4096,
    paths=(PATH,),
    multipath=False,
    foreign=False,
    aliases=frozenset(["/dev/sda", "/dev/disk/by-id/scsi-3600a"]),
)
OTHER = evolve(
    DISK,
    guid="3600b",
    path="/dev/sdb",
    paths=(evolve(PATH, name="sdb", session=None),),
    aliases=frozenset(["/dev/sdb"]),
)
VOLUME = PhysicalVolume("/dev/sda", "pv-uuid", 1 << 39, "vg", "vg-uuid", 0, 0, 0, 2, 2, 1 << 40)


class Seen:
    """Devices and the LVM on them; `signatures` by device name, None for one that cannot be read."""

    def __init__(self, *devices: Device, **volumes: PhysicalVolume) -> None:
        self.devices = devices
        self.volumes = {volume.name: volume for volume in volumes.values()}
        self.signatures: dict[str, list[str] | None] = {}
        self.runs = 0

    async def rescan(self):
        self.runs = 0

    async def all(self):
        return self.devices

    async def physical(self, fresh=False):
        if self.volumes is None:
            raise CannotListDevices("lvm is not installed")
        return self.volumes

    async def run(self, argv, timeout=None):
        self.runs += 1
        found = []
        for path in argv[argv.index("DEVICE,TYPE") + 1 :]:
            name = path.rpartition("/")[2]
            types = self.signatures.get(name, [])
            if types is None:
                return Finished(1, b"", b"wipefs: error")
            found += [{"device": name, "type": type} for type in types]
        return Finished(0, json.dumps({"signatures": found}).encode() if found else b"", b"")


async def statuses(monkeypatch, seen, kind=None, guids=(), check=True):
    monkeypatch.setattr(room, "run", seen.run)
    found = await room.listing(seen, seen, kind, guids, check=check)
    return {device["GUID"]: device["status"] for device in found}


def test_the_structure_is_that_of_the_old_api():
    assert report.structure(DISK, VOLUME, "used") == {
        "GUID": "3600a",
        "pvUUID": "pv-uuid",
        "pvsize": str(1 << 39),
        "vgUUID": "vg-uuid",
        "vendorID": "V",
        "productID": "P",
        "fwrev": "0001",
        "serial": "SVP",
        "capacity": str(1 << 40),
        "devtype": "iSCSI",
        "logicalblocksize": "512",
        "physicalblocksize": "4096",
        "status": "used",
        "pathstatus": [{"physdev": "sda", "state": "active", "capacity": str(1 << 40), "lun": "1", "type": "iSCSI"}],
        "pathlist": [
            {
                "connection": "10.0.0.1",
                "port": "3260",
                "iqn": IQN,
                "portal": "1",
                "initiatorname": "default",
                "user": "fred",
            }
        ],
    }


def test_a_device_without_lvm_and_sessions_has_empty_words_in_their_places():
    told = report.structure(OTHER, None, "free")
    assert (told["pvUUID"], told["pvsize"], told["vgUUID"], told["pathlist"]) == ("", "", "", [])
    assert (told["devtype"], told["pathstatus"][0]["type"]) == ("FCP", "FCP")


@pytest_twisted.ensureDeferred
async def test_what_is_on_a_device_decides(monkeypatch):
    seen = Seen(DISK, OTHER)
    assert await statuses(monkeypatch, seen) == {"3600a": "free", "3600b": "free"}
    assert seen.runs == 1
    seen.signatures = {"scsi-3600a": ["gpt"], "sdb": ["LVM2_member"]}
    assert await statuses(monkeypatch, seen) == {"3600a": "used", "3600b": "used"}
    seen.volumes = {"/dev/sdb": evolve(VOLUME, name="/dev/sdb", vg="", vg_uuid="")}
    assert await statuses(monkeypatch, seen) == {"3600a": "used", "3600b": "free"}


@pytest_twisted.ensureDeferred
async def test_a_device_that_cannot_be_read_does_not_hide_the_others(monkeypatch):
    seen = Seen(DISK, OTHER)
    seen.signatures = {"scsi-3600a": None}
    assert await statuses(monkeypatch, seen) == {"3600a": "unknown", "3600b": "free"}


@pytest_twisted.ensureDeferred
async def test_what_is_evident_is_not_read(monkeypatch):
    dead = evolve(OTHER, paths=(evolve(PATH, active=False),))
    seen = Seen(DISK, dead, evolve(OTHER, guid="3600c", foreign=True), volume=VOLUME)
    assert await statuses(monkeypatch, seen) == {"3600a": "used", "3600b": "unknown", "3600c": "used"}
    assert seen.runs == 0


@pytest_twisted.ensureDeferred
async def test_without_the_check_nothing_is_read(monkeypatch):
    seen = Seen(DISK, OTHER)
    assert set((await statuses(monkeypatch, seen, check=False)).values()) == {"unknown"}
    assert seen.runs == 0


@pytest_twisted.ensureDeferred
async def test_without_lvm_devices_are_listed_all_the_same(monkeypatch):
    seen = Seen(DISK)
    seen.volumes = None
    assert await statuses(monkeypatch, seen) == {"3600a": "free"}


@pytest.mark.parametrize(
    ("kind", "found"), [(3, {"3600a", "3600m"}), (2, {"3600b", "3600m"}), (0, None), (None, None), (1, None)]
)
@pytest_twisted.ensureDeferred
async def test_a_storage_type_asks_for_its_transport(monkeypatch, kind, found):
    mixed = evolve(DISK, guid="3600m", paths=(*DISK.paths, *OTHER.paths))
    told = await statuses(monkeypatch, Seen(DISK, OTHER, mixed), kind)
    assert set(told) == (found or {"3600a", "3600b", "3600m"})


@pytest_twisted.ensureDeferred
async def test_only_the_devices_that_were_named_are_told(monkeypatch):
    seen = Seen(DISK, OTHER)
    assert set(await statuses(monkeypatch, seen, None, ["3600b", "3600z"])) == {"3600b"}
    with pytest.raises(InvalidParameter):
        await statuses(monkeypatch, seen, None, ["../sda"])


def test_a_volume_is_found_by_any_name_of_its_device():
    assert report.on_device(DISK, {"/dev/sda": VOLUME}) is VOLUME
    assert report.on_device(OTHER, {"/dev/sda": VOLUME}) is None


@given(some.dictionaries(some.text(min_size=1), some.sets(some.text(min_size=1), min_size=1)))
def test_signatures_are_read_as_wipefs_prints_them(found):
    lines = [{"device": name, "type": type} for name, types in found.items() for type in types]
    assert report.read_signatures(json.dumps({"signatures": lines})) == found
    assert report.read_signatures("\n") == {}
