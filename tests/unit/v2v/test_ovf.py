"""Descriptions in OVAs, by the vectors of spec engine-logic 11.5 (O5 to O8), and hostile ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml.errors import UnsafeXml
from virgate.node.v2v.ovf import LARGEST, Unreadable, check_files, read, unit
from virgate.node.v2v.progress import COPYING, STARTING, Progress

SMALL = (Path(__file__).parent / "small.ovf").read_text()
IMAGE = "3f5e2c1a-7d54-4a0c-9a57-0c6f0a5f7c11"
OVIRT = f"""
<ovf:Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:ovirt="http://www.ovirt.org/ovf"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
<References><File ovf:href="{IMAGE}" ovf:id="{IMAGE}" ovf:size="200704"/></References>
<DiskSection><Disk ovf:diskId="d" ovf:capacity="10" ovf:capacityAllocationUnits="byte * 2^30"
 ovf:populatedSize="2000000000" ovf:fileRef="{IMAGE}"/></DiskSection>
<VirtualSystem ovf:id="v"><Name>web1</Name><VirtualHardwareSection>
<Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
<Item><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>2048</rasd:VirtualQuantity></Item>
<Item><rasd:ResourceType>10</rasd:ResourceType><rasd:ResourceSubType>3</rasd:ResourceSubType>
<rasd:Connection>ovirtmgmt</rasd:Connection><rasd:ElementName>nic1</rasd:ElementName></Item>
</VirtualHardwareSection></VirtualSystem></ovf:Envelope>"""


def test_o5_an_archive_of_this_family() -> None:
    disk = {"type": "disk", "capacity": "10737418240", "allocation": "2000000000", "alias": IMAGE}
    assert read(OVIRT, "x") == {
        "originType": 3,
        "status": "Down",
        "vmName": "web1",
        "memSize": 2048,
        "smp": 2,
        "disks": [disk],
        "networks": [{"dev": "nic1", "model": "3", "bridge": "ovirtmgmt", "type": "bridge"}],
    }


def test_o6_an_archive_of_vmware() -> None:
    found = read(SMALL, "x")
    assert found["disks"] == [{"type": "disk", "capacity": "8589934592", "allocation": "900", "alias": "disk1.vmdk"}]
    assert "originType" not in found


@pytest.mark.parametrize(
    ("text", "bytes"), [("byte", 1), ("byte * 1024", 1024), ("byte * 2^20", 1 << 20), ("byte * 4 * 2^10", 4096)]
)
def test_o7_units(text: str, bytes: int) -> None:
    assert unit(text) == bytes


@pytest.mark.parametrize("text", ["KB", "bytes * 2^10", "", "byte * 0", "byte * 999^99", "byte * 2^"])
def test_o7_no_units(text: str) -> None:
    with pytest.raises(Unreadable):
        unit(text)


def test_o8_progress_in_percent() -> None:
    progress = Progress()
    assert (progress.status, progress.percent) == (STARTING, 0)
    seen = []
    for line in ("Copying disk 1/2 to x", "    (10.00/100%)", "    (55.20/100%)", "    (100.00/100%)"):
        progress.feed(line)
        seen.append(progress.percent)
    assert (progress.status, progress.description) == (COPYING, "Copying disk 1/2")
    assert seen == [50, 55, 77, 100]


def test_progress_of_newer_converters_is_a_bar() -> None:
    progress = Progress()
    assert not progress.feed("█ 10% [***------]"), "nothing is copied yet"
    progress.feed("[  63.8] Copying disk 1/1")
    assert progress.feed("█ 42% [****-----]") and progress.percent == 42
    progress.feed("█ 12% [*--------]")
    assert progress.percent == 42, "it never goes back"


def test_an_error_for_machines_is_kept() -> None:
    progress = Progress()
    assert progress.feed('{ "message": "no root device", "timestamp": "x", "type": "error" }')
    assert not progress.feed('{ "message": "well", "type": "message" }') and not progress.feed("{ nonsense")
    assert progress.problem == "no root device"


@given(st.text(max_size=80))
def test_no_line_breaks_the_reader(line: str) -> None:
    progress = Progress()
    progress.feed("Copying disk 1/3")
    progress.feed(line)
    assert 0 <= progress.percent <= 100


def test_a_machine_without_a_name_has_its_file_s() -> None:
    assert read(SMALL.replace("<Name>small</Name>", ""), "from-file")["vmName"] == "from-file"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ovf/envelope/1", "ovf/envelope/1/"),
        ("VirtualSystem", "Other"),
        (">512<", "><"),
        (">512<", ">99999999999<"),
        ("<rasd:ResourceType>3<", "<rasd:ResourceType>99<"),
        ('"byte * 2^30"', '"GB"'),
        ('ovf:capacity="8"', 'ovf:capacity="-8"'),
        ('ovf:capacity="8"', f'ovf:capacity="{LARGEST}"'),
        ('ovf:fileRef="file1"', 'ovf:fileRef="file2"'),
        ("<rasd:ElementName>nic1</rasd:ElementName>", ""),
    ],
)
def test_what_lacks_something_is_refused(old: str, new: str) -> None:
    with pytest.raises(Unreadable):
        read(SMALL.replace(old, new), "x")


@pytest.mark.parametrize(
    "head", ['<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<"]
)
def test_entities_and_nonsense_are_refused(head: str) -> None:
    with pytest.raises(UnsafeXml):
        read(SMALL.replace("?>", f"?>{head}", 1).replace("<Name>small", "<Name>&a;"), "x")


@pytest.mark.parametrize("href", ["/etc/shadow", "../x", "a/../../x", "http://h/x"])
def test_disks_are_inside_the_archive(href: str) -> None:
    check_files(SMALL)
    with pytest.raises(Unreadable):
        check_files(SMALL.replace("disk1.vmdk", href))
