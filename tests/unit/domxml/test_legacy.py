"""Machines without a device list, and hosts of another architecture."""

import pytest

from virgate.domxml.errors import BadDevice
from virgate.domxml.request import HostFacts

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
MACS = "00:1a:4a:00:00:01,00:1a:4a:00:00:02"


def kinds(request):
    return [(device["type"], device["device"]) for device in request.conf["devices"]]


def test_a_bare_machine_has_a_cd_drive_a_serial_bus_and_no_balloon(request_of):
    request = request_of()
    assert kinds(request) == [("disk", "cdrom"), ("controller", "virtio-serial"), ("balloon", "memballoon")]
    assert [(disk.target, disk.is_empty) for disk in request.disks] == [("hdc", True)]


def test_drives_take_the_place_of_the_named_disks(request_of):
    drives = [
        {"path": "/a", "if": "virtio", "format": "cow", "propagateErrors": "on", "readonly": "true", "shared": "true"}
    ]
    request = request_of(drives=drives, hda="/b")
    disk = request.conf["devices"][0]
    assert [one.target for one in request.disks] == ["vda", "hdc"]
    assert (disk["format"], disk["propagateErrors"]) == ("cow", "on")
    assert (disk["readonly"], disk["shared"]) == (False, False)


def test_named_disks_are_raw_and_stand_where_their_name_says(request_of):
    request = request_of(hda="/a", hdd="/d")
    assert [(one.target, one.path, one.format) for one in request.disks] == [
        ("hda", "/a", "raw"),
        ("hdd", "/d", "raw"),
        ("hdc", "", "raw"),
    ]


def test_a_hard_disk_in_the_third_place_keeps_it_before_the_cd_drive(request_of):
    disks = request_of(hda="/a", hdc="/c", cdrom="/x.iso").disks
    assert [(one.target, one.device, one.path) for one in disks] == [
        ("hda", "disk", "/a"),
        ("hdc", "disk", "/c"),
        ("hdb", "cdrom", "/x.iso"),
    ]


def test_a_medium_may_be_an_image_of_storage(request_of):
    (disk,) = request_of(cdrom={"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}).disks
    assert (disk.device, disk.image_id, disk.is_image) == ("cdrom", "i", True)


def test_lists_of_nics_repeat_their_last_item(build):
    root = build(nicModel="pv,e1000,rtl8139", macAddr=MACS, bridge="red,blue")
    told = [
        (one.find("model").get("type"), one.find("mac").get("address")[-1], one.find("source").get("bridge"))
        for one in root.iterfind("devices/interface")
    ]
    assert told == [("virtio", "1", "red"), ("e1000", "2", "blue"), ("rtl8139", "2", "blue")]


@pytest.mark.parametrize(
    "lists",
    [{"nicModel": "pv", "macAddr": MACS}, {"nicModel": "pv", "macAddr": MACS[:17], "bridge": "red,blue"}],
)
def test_nics_that_do_not_fit_end_the_start_not_the_request(request_of, lists):
    request = request_of(**lists)
    with pytest.raises(BadDevice, match="Bad nic specification"):
        request.domain({})


@pytest.mark.parametrize(
    "lists", [{"macAddr": ""}, {"macAddr": MACS, "nicModel": ","}, {"macAddr": MACS, "bridge": ","}]
)
def test_an_empty_list_is_no_nic(request_of, lists):
    assert "interface" not in {kind for kind, _ in kinds(request_of(**lists))}


@pytest.mark.parametrize(
    ("params", "cards"),
    [
        ({}, []),
        ({"display": "vnc"}, [("cirrus", "32768")]),
        ({"display": "qxl"}, [("qxl", "65536")]),
        ({"display": "qxl", "spiceMonitors": "2"}, [("qxl", "65536")] * 2),
        ({"display": "qxl", "spiceMonitors": 4}, [("qxl", "32768")] * 4),
        ({"display": "qxlnc"}, []),
    ],
)
def test_the_display_chooses_the_cards(build, params, cards):
    models = [one.find("model") for one in build(**params).iterfind("devices/video")]
    assert [(model.get("type"), model.get("vram")) for model in models] == cards


def test_a_thousand_monitors_are_not_built(request_of):
    assert len([one for one in kinds(request_of(display="qxl", spiceMonitors="99999")) if one[0] == "video"]) == 16


@pytest.mark.parametrize(
    ("params", "display"),
    [
        ({"display": "vnc"}, "vnc"),
        ({"display": "qxl"}, "qxl"),
        ({"display": "qxlnc"}, "qxlnc"),
        ({"devices": [{"type": "graphics", "device": "spice"}]}, "qxl"),
        ({"devices": [{"type": "graphics", "device": "vnc"}], "display": "qxl"}, "vnc"),
    ],
)
def test_old_keys_mirror_the_first_screen(request_of, params, display):
    conf = request_of(**params).conf
    assert (conf["display"], conf["displayPort"], conf["displaySecurePort"], conf["displayIp"]) == (
        display,
        "-1",
        "-1",
        "0",
    )


def test_a_machine_without_a_screen_has_no_old_keys(request_of):
    assert not request_of().conf.keys() & {"display", "displayPort", "displayIp"}


def test_keys_of_the_first_days_become_wishes_of_the_screen(request_of):
    keys = {
        "keyboardLayout": "de",
        "spiceDisableTicketing": "true",
        "displayNetwork": "red",
        "spiceSecureChannels": "smain",
    }
    (screen,) = [one for one in request_of(display="qxl", **keys).conf["devices"] if one["type"] == "graphics"]
    assert screen["specParams"] == {
        "keyMap": "de",
        "disableTicketing": "true",
        "displayNetwork": "red",
        "spiceSecureChannels": "smain",
    }


def test_a_power_machine_is_a_power_machine(request_of, valid):
    facts = HostFacts(arch="ppc64le", virt_type="qemu")
    root = valid(request_of(facts=facts, display="vnc", cdrom="/a.iso").domain({}))
    assert root.find("os/type").get("machine") == "pseries"
    assert root.find("os/smbios") is None and root.find("sysinfo") is None and root.find("features") is None
    assert (root.find("cpu/model").text, root.find("cpu").get("match")) == ("POWER8", None)
    assert root.find("devices/emulator").text == "/usr/bin/qemu-system-ppc64le"
    assert root.find("devices/input").get("bus") == "usb"
    assert root.find("devices/video/model").get("type") == "vga"
    assert root.find("devices/disk/target").get("dev") == "sdc"
    assert root.find("clock/timer[@name='hpet']") is None


def test_another_architecture_gets_no_model_of_ours(request_of):
    root = request_of(facts=HostFacts(arch="aarch64", virt_type="qemu")).domain({})
    assert root.find("cpu/model") is None
    assert root.find("os/type").get("machine") == "virt"


def test_an_emulator_of_choice_is_named(request_of, valid):
    root = valid(request_of(facts=HostFacts(emulator="/opt/qemu")).domain({}))
    assert root.find("devices/emulator").text == "/opt/qemu"


@pytest.mark.parametrize("virt_type", ["kvm", "qemu"])
def test_the_host_chooses_how_to_run_unless_told_not_to_use_kvm(request_of, virt_type):
    facts = HostFacts(virt_type=virt_type)
    assert request_of(facts=facts).domain({}).get("type") == virt_type
    assert request_of(facts=facts, kvmEnable="false").domain({}).get("type") == "qemu"


@pytest.mark.parametrize(
    "params", [{"boot": "x", "hda": "/a"}, {"cpuType": "Nehalem,vmx"}, {"smpCoresPerSocket": 0, "smp": 2}]
)
def test_nonsense_about_the_board_ends_the_start(request_of, params):
    with pytest.raises(BadDevice):
        request_of(**params).domain({})


@pytest.mark.parametrize(
    ("kind", "features"),
    [
        ("qemu64", [("svm", "disable")]),
        ("qemu64,+svm", [("svm", "require")]),
        ("qemu64,-svm", [("svm", "disable")]),
        ("Nehalem", []),
        ("Nehalem,", []),
    ],
)
def test_the_basic_processor_has_no_nested_machines_unless_asked(build, kind, features):
    found = build(cpuType=kind).findall("cpu/feature")
    assert [(one.get("name"), one.get("policy")) for one in found] == features
