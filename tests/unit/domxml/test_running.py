"""Live documents: devices with what libvirt decided, screens, whose machine it is, all of it after a restart."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from virgate.domxml import running
from virgate.domxml.errors import UnsafeXml
from virgate.domxml.metadata import VM
from virgate.domxml.request import HostFacts, read_request
from virgate.units import Size

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
MAC = "00:1a:4a:00:00:01"
DEVICES = [
    {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/a", "format": "cow", "poolID": "p"},
    {"type": "disk", "device": "cdrom", "iface": "ide", "index": 2, "path": "", "readonly": "true"},
    {"type": "interface", "device": "bridge", "network": "red", "macAddr": MAC, "nicModel": "pv", "deviceId": "n1"},
    {"type": "controller", "device": "usb", "index": 0, "model": "ich9-ehci1"},
    {"type": "controller", "device": "usb", "index": 0, "model": "ich9-uhci1", "master": {"startport": 0}},
    {"type": "video", "device": "qxl", "deviceId": "v1"},
    {"type": "video", "device": "qxl", "deviceId": "v2"},
    {"type": "graphics", "device": "spice", "specParams": {"keyMap": "de"}},
    {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
]
PARAMS = {
    "vmId": ID,
    "vmName": "vmα",
    "memSize": "256",
    "custom": {"not a name": "1"},
    "unheard": "of",
    "devices": DEVICES,
}
PCI = '<address type="pci" domain="0x0000" bus="0x00" slot="0x0{}" function="0x0"/>'


def lived(root):
    """The document as libvirt shows it once the machine runs: places, aliases, ports, and controllers of its own."""
    root = copy.deepcopy(root)
    root.set("id", "1")
    slot = 1
    for number, one in enumerate(root.find("devices")):
        if one.tag in ("console", "serial", "input"):
            one.append(etree.fromstring('<source path="/dev/pts/7"/>'))
        elif one.tag != "graphics" and one.find("address") is None:
            one.append(etree.fromstring(PCI.format(slot % 10)))
            slot += 1
        one.append(etree.fromstring(f'<alias name="{one.tag}{number}"/>'))
        if one.tag == "interface":
            one.append(etree.fromstring('<target dev="vnet0"/>'))
        if one.tag == "graphics":
            one.set("port", "5900")
            one.append(etree.fromstring('<listen type="address" address="192.0.2.1"/>'))
    root.find("devices").append(etree.fromstring('<controller type="pci" index="0" model="pci-root"/>'))
    root.find("devices").append(
        etree.fromstring(f'<controller type="ide" index="0"><alias name="ide"/>{PCI.format(9)}</controller>')
    )
    return root


@pytest.fixture
def request_():
    return read_request(PARAMS, HostFacts(), ())


@pytest.fixture
def live(request_):
    return lived(request_.domain({}))


def test_devices_keep_their_order_and_keys_and_learn_their_place(request_, live):
    found = running.devices(live, request_.conf["devices"])
    assert [(one["type"], one["device"]) for one in found[:10]] == [
        (one["type"], one["device"]) for one in request_.conf["devices"]
    ]
    disk, cdrom, nic = found[:3]
    assert (disk["name"], disk["path"], disk["readonly"], disk["poolID"]) == ("vda", "/images/a", "False", "p")
    assert (cdrom["name"], cdrom["path"], cdrom["readonly"]) == ("hdc", "", "True")
    assert (nic["name"], nic["linkActive"], nic["deviceId"]) == ("vnet0", True, "n1")
    assert nic["address"]["type"] == "pci" and nic["alias"].startswith("interface")


def test_devices_of_one_kind_are_told_apart_by_their_order(request_, live):
    found = running.devices(live, request_.conf["devices"])
    cards = {one["deviceId"]: one["alias"] for one in found if one["type"] == "video"}
    shown = [one.find("alias").get("name") for one in live.iterfind("devices/video")]
    assert [cards["v1"], cards["v2"]] == shown


def test_controllers_of_one_number_are_told_apart_by_model(request_, live):
    devices = live.find("devices")
    first, second = [one for one in devices.iterfind("controller") if one.get("type") == "usb"]
    devices.insert(0, second)
    found = {
        one["model"]: one["alias"] for one in running.devices(live, request_.conf["devices"]) if one["device"] == "usb"
    }
    assert found["ich9-ehci1"] == first.find("alias").get("name")
    assert found["ich9-uhci1"] == second.find("alias").get("name")


def test_what_nobody_listed_follows_when_it_has_a_place(request_, live):
    more = running.devices(live, request_.conf["devices"])[len(request_.conf["devices"]) :]
    assert [(one["type"], one["device"]) for one in more] == [
        ("channel", "unix"),
        ("channel", "unix"),
        ("channel", "spicevmc"),
        ("controller", "ide"),
    ]
    assert more[-1]["alias"] == "ide"


def test_reading_back_twice_changes_nothing(request_, live):
    once = running.devices(live, request_.conf["devices"])
    assert running.devices(live, once) == once


def test_a_machine_that_moved_its_device_says_so(request_, live):
    before = running.devices(live, request_.conf["devices"])
    live.find("devices/interface/address").set("slot", "0x1f")
    live.find("devices/interface/link").set("state", "down")
    nic = next(one for one in running.devices(live, before) if one["type"] == "interface")
    assert (nic["address"]["slot"], nic["linkActive"]) == ("0x1f", False)


def test_the_given_devices_are_left_as_they_were(request_, live):
    before = copy.deepcopy(request_.conf["devices"])
    running.devices(live, request_.conf["devices"])
    assert request_.conf["devices"] == before


def test_a_machine_is_found_again_with_all_its_properties(request_, live):
    found = running.read(etree.tostring(live, encoding="unicode"))
    assert (found.id, found.name, found.memory) == (ID, "vmα", Size.mib(256))
    assert (found.ours, found.xml_form, found.custom) == (True, False, {"not a name": "1"})
    expected = {
        name: value for name, value in request_.conf.items() if name != "devices" and not name.startswith("display")
    }
    assert {name: found.conf[name] for name in expected} == expected
    assert found.conf["devices"] == running.devices(live, request_.conf["devices"])
    assert (found.conf["displayPort"], found.conf["displaySecurePort"], found.conf["displayIp"]) == (
        "5900",
        "-1",
        "192.0.2.1",
    )


def test_a_foreign_machine_is_described_by_its_document():
    found = running.read(
        f"<domain type='qemu'><name>x</name><uuid>{ID}</uuid><memory unit='GiB'>1</memory><vcpu current='1'>4</vcpu>"
        "<os><type machine='pc'>hvm</type><boot dev='network'/><boot dev='hd'/></os><devices>"
        "<disk type='block' device='disk'><source dev='/dev/a'/><target dev='sda' bus='scsi'/></disk>"
        f"<interface type='network'><mac address='{MAC}'/><source network='default'/><model type='virtio'/></interface>"
        "<memballoon model='virtio'/><redirdev type='spicevmc' bus='usb'/>"
        "<controller type='scsi' index='0' model='lsi'/>"
        "<video><model type='vga'/></video><sound model='ich6'/><emulator>/x</emulator></devices></domain>"
    )
    assert (found.ours, found.xml_form, found.custom) == (False, True, {})
    assert (found.conf["memSize"], found.conf["smp"], found.conf["maxVCpus"], found.conf["boot"]) == (
        1024,
        "1",
        "4",
        "nc",
    )
    assert found.conf["kvmEnable"] == "false"
    assert [(one["type"], one["device"]) for one in found.conf["devices"]] == [
        ("disk", "disk"),
        ("interface", "network"),
        ("balloon", "memballoon"),
        ("redir", "spicevmc"),
        ("controller", "scsi"),
        ("video", "vga"),
        ("sound", "ich6"),
    ]
    disk, nic, *_ = found.conf["devices"]
    assert (disk["path"], disk["iface"], disk["name"]) == ("/dev/a", "scsi", "sda")
    assert (nic["macAddr"], nic["network"], nic["nicModel"]) == (MAC, "default", "virtio")


@pytest.mark.parametrize(
    ("inside", "ours"),
    [
        ("", False),
        (f'<metadata><v:vm xmlns:v="{VM}"/></metadata>', True),
        ('<devices><channel><target name="com.redhat.rhevm.vdsm"/></channel></devices>', True),
        ('<devices><channel><target name="org.qemu.guest_agent.0"/></channel></devices>', False),
    ],
)
def test_a_machine_is_ours_by_metadata_or_by_channel(inside, ours):
    assert running.ours(etree.fromstring(f"<domain>{inside}</domain>")) is ours


def test_a_tools_machine_is_nobodys():
    text = '<domain><devices><channel><target name="org.libguestfs.channel.0"/></channel></devices></domain>'
    assert running.is_appliance(etree.fromstring(text))
    assert not running.is_appliance(etree.fromstring("<domain/>"))


@pytest.mark.parametrize(
    ("screen", "told"),
    [
        ('<graphics type="vnc" port="5901"/>', ("vnc", "5901", "-1", "0")),
        ('<graphics type="spice" tlsPort="5902" listen="192.0.2.7"/>', ("spice", "-1", "5902", "192.0.2.7")),
        (
            '<graphics type="vnc" port="1" listen="0"><listen type="network" address="10.0.0.1"/></graphics>',
            ("vnc", "1", "-1", "10.0.0.1"),
        ),
    ],
)
def test_screens_say_where_they_listen(screen, told):
    (found,) = running.displays(etree.fromstring(f"<domain><devices>{screen}</devices></domain>"))
    assert (found["type"], found["port"], found["tlsPort"], found["ipAddress"]) == told


def test_the_hash_changes_with_devices_and_with_the_guests_disks(live):
    first = running.hash_text(live)
    assert running.hash_text(copy.deepcopy(live)) == first
    assert running.hash_text(live, {"serial": "vda"}) != first
    live.find("devices/interface/alias").set("name", "net9")
    assert running.hash_text(live) != first


def test_the_hash_does_not_change_with_passwords_layout_or_metadata(live):
    first = running.hash_text(live)
    live.find("devices/graphics").set("passwd", "new")
    live.find("metadata").clear()
    etree.indent(live, "    ")
    live.find("devices").insert(0, etree.Comment("x"))
    assert running.hash_text(live) == first


def test_a_machine_without_devices_has_a_hash():
    assert running.hash_text(etree.fromstring("<domain/>"))


@pytest.mark.parametrize("text", ["", "<domain>", "<!DOCTYPE domain><domain/>"])
def test_what_is_no_document_is_refused(text):
    with pytest.raises(UnsafeXml):
        running.read(text)


KINDS = st.sampled_from(
    [
        {"type": "video", "device": "qxl"},
        {"type": "video", "device": "vga"},
        {"type": "sound", "device": "ich6"},
        {"type": "rng", "device": "virtio"},
        {"type": "interface", "device": "bridge", "network": "red"},
        {"type": "controller", "device": "scsi", "index": 0},
        {"type": "controller", "device": "usb"},
        {"type": "redir", "device": "spicevmc"},
        {"type": "hostdev", "device": "pci_0000_05_00_0"},
        {"type": "memory", "device": "memory", "size": 1},
        {"type": "disk", "device": "disk", "iface": "virtio", "path": "/a"},
        {"type": "disk", "device": "cdrom", "iface": "ide"},
    ]
)


@given(st.lists(KINDS, max_size=8))
def test_every_built_device_finds_its_own_element_again(kinds):
    devices = [dict(kind, deviceId=str(number)) for number, kind in enumerate(kinds)]
    request = read_request({"vmId": ID, "memSize": 64, "devices": devices}, HostFacts(), ())
    if not kinds:
        return
    found = running.devices(lived(request.domain({})), request.conf["devices"])
    listed = [one for one in found if "deviceId" in one]
    aliases = [one["alias"] for one in listed]
    assert len(listed) == len(devices)
    assert len(set(aliases)) == len(devices)
    for tag in {one["type"] for one in listed}:
        order = [int("".join(filter(str.isdigit, one["alias"]))) for one in listed if one["type"] == tag]
        assert order == sorted(order)
