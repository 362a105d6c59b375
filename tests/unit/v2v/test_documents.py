"""Machines of other hypervisors as clients are told of them."""

import pytest

from virgate.domxml.errors import UnsafeXml
from virgate.node.v2v.documents import Foreign, Place, Unreadable, formats, places, told

XML = """
<domain type='vmware'><name>old</name><uuid>564d9bef-acd9-b4e0-c8f0-aea8b9103515</uuid>
<memory unit='{unit}'>{memory}</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os><devices>
<disk type='file' device='disk'><source file='[data] old/old.vmdk'/><target dev='sda' bus='scsi'/></disk>
<disk type='block'><driver type='qcow2'/><source dev='/dev/x'/><target dev='sdb'/></disk>
<disk type='volume' device='lun'><source pool='p' volume='v'/><target dev='sdc'/></disk>
<disk type='file' device='cdrom'><source file='x.iso'/><target dev='hda'/></disk>
<interface type='bridge'><mac address='00:0c:29:10:35:15'/><source bridge='VM Network'/>
<model type='e1000'/></interface>
<graphics type='vnc'/><video><model type='vmvga'/></video></devices></domain>"""
DOCUMENT = XML.format(unit="KiB", memory=2 << 20)
PLACES = [Place("file", "[data] old/old.vmdk"), Place("block", "/dev/x"), Place("volume", "v", "p")]
SIZES = {place: (number << 30, number << 20) for number, place in enumerate(PLACES, 1)}


def test_a_machine_is_told_whole() -> None:
    found = told(Foreign(DOCUMENT, running=True, sizes=SIZES, snapshots=False))
    disks = found.pop("disks")
    assert found == {
        "vmName": "old",
        "status": "Up",
        "vmId": "564d9bef-acd9-b4e0-c8f0-aea8b9103515",
        "memSize": 2048,
        "smp": 2,
        "arch": "x86_64",
        "has_snapshots": False,
        "networks": [
            {"type": "bridge", "macAddr": "00:0c:29:10:35:15", "bridge": "VM Network", "model": "e1000"},
        ],
        "graphics": "vnc",
        "video": "vmvga",
    }
    assert [
        (disk["dev"], disk["disktype"], disk["format"], disk["capacity"], disk["allocation"]) for disk in disks
    ] == [
        ("sda", "file", "RAW", "1073741824", "1048576"),
        ("sdb", "block", "COW", "2147483648", "2097152"),
        ("sdc", "volume", "RAW", "3221225472", "3145728"),
    ]
    assert disks[0]["alias"] == "[data] old/old.vmdk"


def test_only_hard_disks_are_disks() -> None:
    assert places(DOCUMENT) == PLACES
    assert formats(DOCUMENT) == ["raw", "qcow2", "raw"]


def test_a_driver_without_snapshots_says_nothing_of_them() -> None:
    assert "has_snapshots" not in told(Foreign(DOCUMENT, running=False, sizes=SIZES))


def test_a_machine_with_a_disk_of_unknown_size_cannot_be_told() -> None:
    with pytest.raises(Unreadable, match="/dev/x"):
        told(Foreign(DOCUMENT, running=False, sizes={PLACES[0]: (1, 1)}))


@pytest.mark.parametrize(
    ("unit", "memory", "mib"),
    [
        ("KiB", "1048576", 1024),
        ("b", "1048576", 1),
        ("MB", "1000", 953),
        ("GiB", "3", 3072),
        ("ells", "9", 0),
        ("k", "x", 0),
    ],
)
def test_memory_has_units(unit: str, memory: str, mib: int) -> None:
    assert told(Foreign(XML.format(unit=unit, memory=memory), False, SIZES))["memSize"] == mib


def test_a_document_of_a_stranger_has_no_entities() -> None:
    with pytest.raises(UnsafeXml):
        places("<!DOCTYPE d [<!ENTITY x 'y'>]>" + DOCUMENT)
