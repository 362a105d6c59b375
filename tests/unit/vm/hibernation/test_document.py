"""The document of a saved guest on another host: what the guest saw stays, what the host sees is the host's."""

import pytest
from lxml import etree

from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import parse
from virgate.node.vm.errors import ForeignDocument
from virgate.node.vm.hibernation.document import adapt

DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' queues='2'/>
<source file='/old/raw' index='1'/><backingStore type='file'><source file='/old/base'/></backingStore>
<target dev='vda' bus='virtio'/><serial>s1</serial><alias name='virtio-disk0'/>
<address type='pci' slot='0x05'/></disk>"""
SAVED = f"""<domain type='qemu' id='7'><name>n</name><uuid>u</uuid><vcpu cpuset='0-3'>2</vcpu>
<cputune><shares>512</shares><vcpupin vcpu='0' cpuset='3'/></cputune><metadata><old/></metadata><devices>{DISK}
<disk type='file' device='cdrom'><source file='/old/iso'/><target dev='hdc' bus='ide'/><readonly/></disk>
<graphics type='vnc' port='5907' autoport='yes' passwd='known' listen='10.0.0.1'/>
<channel type='unix'><source mode='bind' path='/old/agent'/><target type='virtio' name='agent.0'/></channel>
<lease><key>old</key></lease></devices></domain>"""
FRESH = """<domain type='qemu'><name>n</name><uuid>u</uuid><vcpu cpuset='1'>2</vcpu>
<cputune><vcpupin vcpu='1' cpuset='1'/></cputune><metadata><new/></metadata><devices>
<disk type='block' device='disk'><driver name='qemu' type='qcow2' io='native' cache='none'/><source dev='/dev/new'/>
<target dev='vdb' bus='virtio'/><serial>s1</serial></disk>
<disk type='file' device='cdrom'><source file='/new/iso'/><target dev='hdc' bus='ide'/></disk>
<graphics type='vnc' port='-1' autoport='yes' passwd='*****' passwdValidTo='1970-01-01T00:00:01' listen='0'/>
<channel type='unix'><source mode='bind' path='/new/agent'/><target type='virtio' name='agent.0'/></channel>
<lease><key>new</key></lease></devices></domain>"""


@pytest.fixture
def adapted():
    return adapt(SAVED, parse(FRESH))


def attributes(root, path):
    return dict(root.find(path).attrib)


def test_a_disk_is_found_by_its_serial_and_keeps_what_the_guest_saw(adapted):
    disk = adapted.find("devices/disk")
    assert disk.get("type") == "block"
    assert attributes(disk, "source") == {"dev": "/dev/new"}
    assert attributes(disk, "target") == {"dev": "vda", "bus": "virtio"}
    assert attributes(disk, "address") == {"type": "pci", "slot": "0x05"}
    expected = {"name": "qemu", "type": "qcow2", "io": "native", "cache": "none", "queues": "2"}
    assert attributes(disk, "driver") == expected
    assert disk.find("backingStore") is None


def test_a_drive_without_serial_is_found_by_its_name(adapted):
    assert attributes(adapted.findall("devices/disk")[1], "source") == {"file": "/new/iso"}


def test_metadata_leases_sockets_screens_and_pins_are_this_host_s(adapted):
    assert [child.tag for child in adapted.find("metadata")] == ["new"]
    assert [key.text for key in adapted.iterfind("devices/lease/key")] == ["new"]
    assert attributes(adapted, "devices/channel/source")["path"] == "/new/agent"
    assert attributes(adapted, "devices/graphics")["passwd"] == "*****"
    assert attributes(adapted, "devices/graphics")["listen"] == "0"
    assert adapted.find("vcpu").get("cpuset") == "1"
    assert [pin.get("vcpu") for pin in adapted.iterfind("cputune/vcpupin")] == ["1"]
    assert adapted.findtext("cputune/shares") == "512"
    assert "id" not in adapted.attrib


def test_pins_go_when_the_request_has_none_and_come_when_the_saved_has_none():
    fresh = parse(FRESH.replace(" cpuset='1'>2<", ">2<").replace("<vcpupin vcpu='1' cpuset='1'/>", ""))
    root = adapt(SAVED, fresh)
    assert root.find("cputune/vcpupin") is None
    assert "cpuset" not in root.find("vcpu").attrib
    saved = SAVED.replace("<cputune><shares>512</shares><vcpupin vcpu='0' cpuset='3'/></cputune>", "")
    assert [pin.get("vcpu") for pin in adapt(saved, parse(FRESH)).iterfind("cputune/vcpupin")] == ["1"]


def test_a_disk_that_the_request_does_not_name_is_refused_and_a_medium_is_taken_out():
    fresh = parse(FRESH)
    devices = fresh.find("devices")
    devices.remove(devices.findall("disk")[1])
    assert adapt(SAVED, fresh).findall("devices/disk")[1].find("source") is None
    devices.remove(devices.find("disk"))
    with pytest.raises(BadDevice):
        adapt(SAVED, fresh)


def test_a_file_of_this_host_in_another_s_document_is_never_opened():
    """A disk must be one that the client named; the name alone, with another image behind it, is not enough."""
    saved = SAVED.replace("<serial>s1</serial>", "<serial>other</serial>").replace("/old/raw", "/etc/shadow")
    with pytest.raises(BadDevice):
        adapt(saved, parse(FRESH))


def test_an_empty_drive_of_now_is_empty():
    fresh = parse(FRESH.replace("<source file='/new/iso'/>", ""))
    assert adapt(SAVED, fresh).findall("devices/disk")[1].find("source") is None


def test_another_machine_s_document_is_refused():
    with pytest.raises(ForeignDocument):
        adapt(SAVED.replace("<uuid>u", "<uuid>w"), parse(FRESH))


def test_neither_document_given_is_changed():
    fresh = parse(FRESH)
    before = etree.tostring(fresh)
    adapt(SAVED, fresh)
    assert etree.tostring(fresh) == before
