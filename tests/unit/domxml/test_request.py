"""What `create` refuses at once, in which order, and what it completes."""

import base64

import pytest

from virgate.domxml.errors import CannotCreate, MachineExists, MissingParameter
from virgate.domxml.request import HostFacts, read_request
from virgate.errors import InvalidParameter
from virgate.units import Size

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
DISK = {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/a"}
IMAGE = {
    "type": "disk",
    "device": "disk",
    "iface": "virtio",
    "format": "cow",
    "poolID": "p",
    "domainID": "d",
    "imageID": "i",
    "volumeID": "v",
}


def read(params, taken=(), facts=None):
    return read_request(params, facts or HostFacts(), taken)


def test_a_machine_that_exists_is_refused_before_anything_else():
    with pytest.raises(MachineExists) as caught:
        read({"vmId": ID}, taken={ID})
    assert (caught.value.code, str(caught.value)) == (4, "Virtual machine already exists")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"memSize": "0", "boot": "c"}, "Missing required parameter vmId"),
        ({"vmId": "x"}, "Missing required parameter memSize"),
        ({"vmId": "x", "memSize": 0}, "vmId must be a valid UUID"),
        ({"vmId": ID.upper(), "memSize": 1}, "vmId must be a valid UUID"),
        ({"vmId": ["x"], "memSize": 1}, "vmId must be a valid UUID"),
        ({"vmId": 5, "memSize": 1}, "vmId must be a valid UUID"),
        ({"vmId": ID, "memSize": 0, "boot": "c"}, "Must specify nonzero memSize"),
        ({"vmId": ID, "memSize": "0"}, "Must specify nonzero memSize"),
        ({"vmId": ID, "memSize": "-5"}, "Must specify nonzero memSize"),
        ({"vmId": ID, "memSize": 1, "boot": "c", "display": "sdl"}, "missing boot disk"),
        ({"vmId": ID, "memSize": 1, "boot": "c", "devices": [DISK]}, "missing boot disk"),
    ],
)
def test_the_first_missing_thing_is_told(params, message):
    with pytest.raises(MissingParameter) as caught:
        read(params, taken={"other"})
    assert (caught.value.code, str(caught.value)) == (11, message)


@pytest.mark.parametrize("boot", ["cd", "d", "", "n"])
def test_only_booting_from_the_hard_disk_alone_needs_an_old_disk(boot):
    assert read({"vmId": ID, "memSize": 1, "boot": boot}).conf["boot"] == boot


def test_an_old_disk_is_a_boot_disk():
    for params in ({"hda": "/images/a"}, {"drives": [{"path": "/images/a"}]}):
        assert read({"vmId": ID, "memSize": 1, "boot": "c", **params}).disks[0].path == "/images/a"


@pytest.mark.parametrize(
    "params", [{"display": "sdl"}, {"display": ""}, {"devices": [{"type": "graphics", "device": "sdl"}]}]
)
def test_screens_nobody_can_show_are_refused(params):
    with pytest.raises(CannotCreate, match="Unknown display type") as caught:
        read({"vmId": ID, "memSize": 1, **params})
    assert caught.value.code == 9


@pytest.mark.parametrize("devices", ["disk", [1], {"type": "disk"}, ["disk"], [{"device": "disk"}], [{"type": ""}]])
def test_what_is_no_list_of_devices_is_refused(devices):
    with pytest.raises(InvalidParameter):
        read({"vmId": ID, "memSize": 1, "devices": devices})


@pytest.mark.parametrize(
    "params",
    [
        {"hda": "/images/../etc/shadow"},
        {"cdrom": "../x.iso"},
        {"kernel": "/boot/../x"},
        {"initrd": ".."},
        {"floppy": "a/../b"},
        {"devices": [DISK | {"path": "/images/../x"}]},
        {"devices": [IMAGE | {"imageID": "../../x"}]},
        {"devices": [IMAGE | {"domainID": ".."}]},
        {"devices": [DISK | {"GUID": "a/b"}]},
        {"devices": [{"type": "lease", "lease_id": "l", "sd_id": "d", "path": "/a/../b"}]},
        {"drives": [{"path": "/a/../b"}]},
    ],
)
def test_paths_that_would_leave_their_place_are_refused(params):
    with pytest.raises(CannotCreate) as caught:
        read({"vmId": ID, "memSize": 1, **params})
    assert caught.value.code == 9


def test_defaults_are_told_back():
    request = read({"vmId": ID, "memSize": "256"})
    assert request.conf["nicModel"] == "rtl8139,pv"
    assert request.conf["vmType"] == "kvm"
    assert request.conf["kvmEnable"] == "true"
    assert (request.name, request.conf["vmName"]) == (f"n{ID}", f"n{ID}")
    assert request.memory == Size.mib(256)
    assert (request.acpi, request.launch_paused, request.xml_form, request.custom) == (True, False, False, {})


def test_another_type_of_machine_does_not_turn_kvm_on():
    assert "kvmEnable" not in read({"vmId": ID, "memSize": 1, "vmType": "other"}).conf


def test_keys_that_nobody_reads_are_told_back_as_they_came():
    extra = {"transparentHugePages": "true", "pitReinjection": False, "unheard": {"of": [1, "2"]}}
    conf = read({"vmId": ID, "memSize": 1, **extra}).conf
    assert {name: conf[name] for name in extra} == extra


def test_the_caller_keeps_its_parameters():
    params = {"vmId": ID, "memSize": 1, "devices": [dict(DISK)]}
    read(params)
    assert params == {"vmId": ID, "memSize": 1, "devices": [DISK]}


def test_the_presence_of_launch_paused_counts_not_its_value():
    assert read({"vmId": ID, "memSize": 1, "launchPaused": "false"}).launch_paused
    assert read({"vmId": ID, "memSize": 1, "launchPaused": ""}).launch_paused


def test_acpi_may_be_words():
    assert not read({"vmId": ID, "memSize": 1, "acpiEnable": "false"}).acpi


def test_an_image_is_asked_of_storage_by_its_ids():
    (disk,) = read({"vmId": ID, "memSize": 1, "devices": [IMAGE]}).disks
    assert (disk.target, disk.pool_id, disk.domain_id, disk.image_id, disk.volume_id) == ("vda", "p", "d", "i", "v")
    assert (disk.format, disk.device, disk.is_image, disk.is_empty) == ("cow", "disk", True, False)


def test_a_drive_without_medium_is_empty():
    (disk,) = read({"vmId": ID, "memSize": 1, "devices": [{"type": "disk", "device": "cdrom", "iface": "ide"}]}).disks
    assert disk.is_empty and not disk.is_image


def test_a_disk_by_guid_uuid_or_type_says_so():
    devices = [{"type": "disk", "GUID": "g"}, {"type": "disk", "UUID": "u", "diskType": "block", "readonly": "true"}]
    first, second = read({"vmId": ID, "memSize": 1, "devices": devices}).disks
    assert (first.guid, first.device, first.is_empty) == ("g", "disk", False)
    assert (second.uuid, second.disk_type, second.read_only, second.is_empty) == ("u", "block", True, False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("true", "shared"),
        (True, "shared"),
        ("false", "none"),
        (False, "none"),
        ("", "none"),
        ("exclusive", "exclusive"),
        ("transient", "transient"),
    ],
)
def test_sharing_is_a_word_or_a_boolean(given, kept):
    (disk,) = read({"vmId": ID, "memSize": 1, "devices": [DISK | {"shared": given}]}).disks
    assert disk.shared == kept


def test_targets_fill_the_gaps_of_their_prefix():
    def disk(iface, **more):
        return {"type": "disk", "device": "disk", "iface": iface, "path": "/x", **more}

    devices = [disk("ide"), disk("ide", index="0"), disk("sata"), disk("virtio"), disk("ide", index=2), disk("virtio")]
    request = read({"vmId": ID, "memSize": 1, "devices": devices})
    assert [one.target for one in request.disks] == ["hdb", "hda", "hdd", "vda", "hdc", "vdb"]
    assert [one["index"] for one in request.conf["devices"] if one["type"] == "disk"] == [1, 0, 3, 0, 2, 1]


def test_a_negative_place_is_refused():
    with pytest.raises(CannotCreate, match="negative"):
        read({"vmId": ID, "memSize": 1, "devices": [DISK | {"index": -1}]})


def payload(device, **content):
    files = {name: base64.b64encode(text).decode() for name, text in content.items()}
    return {
        "type": "disk",
        "device": device,
        "iface": "ide",
        "specParams": {"vmPayload": {"volId": "config-2", "file": files}},
    }


def test_a_payload_is_decoded_and_is_no_disk_of_storage():
    request = read({"vmId": ID, "memSize": 1, "devices": [payload("cdrom", a=b"\x00\xff"), payload("floppy", b=b"y")]})
    assert request.disks == ()
    cd, floppy = request.payloads
    assert (cd.target, cd.kind, cd.label, cd.files) == ("hda", "cdrom", "config-2", {"a": b"\x00\xff"})
    assert (floppy.kind, floppy.files) == ("floppy", {"b": b"y"})


@pytest.mark.parametrize("files", [{"../x": ""}, {"/x": ""}, {"": ""}, {"a": "?"}, {"a": "a"}, "x", None, {"a\0": ""}])
def test_a_payload_that_cannot_be_laid_out_is_refused(files):
    disk = {"type": "disk", "device": "cdrom", "specParams": {"vmPayload": {"file": files}}}
    with pytest.raises(CannotCreate):
        read({"vmId": ID, "memSize": 1, "devices": [disk]})


def test_answers_for_an_installation_are_a_floppy_that_no_echo_shows():
    class Binary:
        data = b"[Unattended]"

    for given in (b"[Unattended]", Binary()):
        request = read({"vmId": ID, "memSize": 1, "sysprepInf": given, "devices": [IMAGE]})
        (floppy,) = request.payloads
        assert (floppy.target, floppy.kind, floppy.files) == ("fda", "floppy", {"sysprep.inf": b"[Unattended]"})
        assert request.conf["volatileFloppy"] is True
        assert "sysprepInf" not in request.conf
        assert [disk.target for disk in request.disks] == ["vda"]


def test_answers_go_to_the_floppy_that_is_there():
    request = read({"vmId": ID, "memSize": 1, "sysprepInf": b"x", "devices": [{"type": "disk", "device": "floppy"}]})
    assert [one.target for one in request.payloads] == ["fda"]
    assert request.disks == ()


def test_leases_without_a_path_are_asked_of_storage():
    devices = [
        {"type": "lease", "lease_id": "l", "sd_id": "d"},
        {"type": "lease", "lease_id": "m", "sd_id": "d", "path": "/leases", "offset": 5},
    ]
    (lease,) = read({"vmId": ID, "memSize": 1, "devices": devices}).leases
    assert (lease.lease_id, lease.domain_id) == ("l", "d")


def test_a_balloon_of_no_model_is_added_where_none_is_given():
    devices = read({"vmId": ID, "memSize": "2", "devices": [IMAGE]}).conf["devices"]
    assert devices[-1] == {"type": "balloon", "device": "memballoon", "specParams": {"model": "none"}, "target": 2048}


def test_custom_properties_are_text_whatever_was_sent():
    assert read({"vmId": ID, "memSize": 1, "custom": {"a": 1, "b": "", "c": True}}).custom == {
        "a": "1",
        "b": "",
        "c": "True",
    }
    assert read({"vmId": ID, "memSize": 1, "custom": ""}).custom == {}


@pytest.mark.parametrize(
    "params",
    [
        {"devices": [IMAGE, {"type": "disk", "device": "cdrom", "iface": "ide", "index": 2}], "display": "qxl"},
        {"hda": "/a", "macAddr": "00:00:00:00:00:01", "nicModel": "pv", "display": "vnc", "soundDevice": "ac97"},
        {"devices": [payload("cdrom", a=b"b")], "custom": {"x": "y"}},
    ],
)
def test_a_completed_request_read_again_is_the_same_request(params):
    first = read({"vmId": ID, "memSize": "256", **params})
    again = read(first.conf)
    assert again.conf == first.conf
    assert (again.disks, again.payloads, again.custom) == (first.disks, first.payloads, first.custom)


@pytest.mark.parametrize(
    ("params", "shares"),
    [
        ({}, None),
        ({"nice": "0"}, 1020),
        ({"nice": "30"}, 51),
        ({"nice": -5}, 1020),
        ({"nice": "0", "cpuShares": "77"}, 77),
    ],
)
def test_the_weight_of_a_machine_comes_from_shares_or_niceness(params, shares):
    assert read({"vmId": ID, "memSize": 1, **params}).cpu_shares == shares
