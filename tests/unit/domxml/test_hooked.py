"""Which devices scripts see, with what text, and where what they left is put."""

import pytest
from lxml import etree

from virgate.domxml import metadata
from virgate.domxml.devices import hooked_devices
from virgate.domxml.errors import UnsafeXml
from virgate.domxml.metadata import DeviceMetadata, VmMetadata

MAC = "00:1a:4a:00:00:0"


def nic(number, **custom):
    return {"type": "interface", "device": "bridge", "network": "red", "macAddr": MAC + number, "custom": custom}


def disk(index, **custom):
    return {"type": "disk", "device": "disk", "iface": "virtio", "index": index, "path": "/a", "custom": custom}


def test_devices_with_properties_are_seen_in_the_order_of_their_groups(request_of):
    sound = {"type": "sound", "device": "ich6", "custom": {"s": "1"}}
    request = request_of(devices=[sound, nic("1", p="v"), nic("2"), disk(1, d="1"), disk(0)])
    found = hooked_devices(request.domain({}), request)
    assert [(one.element.tag, one.custom) for one in found] == [
        ("disk", {"d": "1"}),
        ("interface", {"p": "v"}),
        ("sound", {"s": "1"}),
    ]
    assert found[0].element.find("target").get("dev") == "vdb"
    assert found[1].element.find("mac").get("address") == MAC + "1"


def test_devices_that_only_their_order_tells_apart_are_not_mistaken(request_of):
    cards = [
        {"type": "video", "device": "qxl", "custom": {"n": str(number)} if number == 1 else {}} for number in range(3)
    ]
    request = request_of(devices=cards)
    root = request.domain({})
    (found,) = hooked_devices(root, request)
    assert found.element is root.findall("devices/video")[1]


def test_a_placeholder_has_no_element_to_change(request_of):
    hidden = {
        "type": "hostdev",
        "device": "pci_0000_05_00_0",
        "specParams": {"iommuPlaceholder": "true"},
        "custom": {"a": "b"},
    }
    shown = {"type": "hostdev", "device": "pci_0000_06_00_0", "custom": {"c": "d"}}
    request = request_of(devices=[hidden, shown])
    assert [one.custom for one in hooked_devices(request.domain({}), request)] == [{"c": "d"}]


def test_properties_become_text(request_of):
    request = request_of(devices=[nic("1", n=5, yes=True)])
    assert hooked_devices(request.domain({}), request)[0].custom == {"n": "5", "yes": "True"}


def test_the_list_form_is_shown_as_one_line_without_declaration(request_of):
    request = request_of(devices=[nic("1", a="b")])
    text = hooked_devices(request.domain({}), request)[0].text
    assert text.startswith(f'<interface type="bridge"><mac address="{MAC}1"/>')
    assert "\n" not in text and "xmlns" not in text


def test_what_a_script_left_stands_where_the_device_stood(request_of):
    request = request_of(devices=[nic("1", a="b"), nic("2")])
    root = request.domain({})
    (found,) = hooked_devices(root, request)
    found.replace("<?xml version='1.0'?><!-- mine -->\n<interface type='user'/>")
    assert [one.get("type") for one in root.iterfind("devices/interface")] == ["user", "bridge"]
    assert found.element is root.find("devices/interface")


@pytest.mark.parametrize("text", ["", "no xml", "<!DOCTYPE a><a/>", "<a>"])
def test_what_is_no_element_is_refused_and_changes_nothing(request_of, text):
    request = request_of(devices=[nic("1", a="b")])
    root = request.domain({})
    (found,) = hooked_devices(root, request)
    with pytest.raises(UnsafeXml):
        found.replace(text)
    assert root.find("devices/interface") is found.element


def test_a_running_machine_is_matched_by_what_was_read_back(request_of):
    request = request_of(devices=[{"type": "video", "device": "qxl", "alias": "video1", "custom": {"a": "b"}}])
    root = etree.fromstring(
        "<domain><devices><video><model type='qxl'/><alias name='video0'/></video>"
        "<video><model type='qxl'/><alias name='video1'/></video></devices></domain>"
    )
    (found,) = hooked_devices(root, request.conf)
    assert found.alias == "video1"
    assert found.element is root.findall("devices/video")[1]


def test_a_document_without_devices_has_none_to_change(request_of):
    request = request_of(devices=[nic("1", a="b")])
    assert hooked_devices(etree.fromstring("<domain/>"), request) == []
    assert hooked_devices(etree.fromstring("<domain/>"), VmMetadata()) == []


DOCUMENT = etree.fromstring(
    f"""<domain><devices>
  <!-- comment -->
  <interface type="bridge"><mac address="{MAC}A"/></interface>
  <hostdev mode="subsystem"><alias name="ua-1"/></hostdev>
  <lease><key>l1</key></lease>
  <lease><key>l2</key></lease>
  <disk device="disk"><target dev="vda"/></disk>
  <rng model="virtio"/>
</devices></domain>"""
)


@pytest.mark.parametrize(
    ("match", "place"),
    [
        ({"mac_address": (MAC + "a").lower()}, 0),
        ({"alias": "ua-1", "devtype": "hostdev"}, 1),
        ({"alias": "ua-1"}, 1),
        ({"devtype": "lease", "name": "l2"}, 3),
        ({"devtype": "disk", "name": "vda"}, 4),
        ({"devtype": "rng"}, 5),
        ({"devtype": "disk", "name": "vdb"}, None),
        ({"devtype": "lease", "alias": "ua-1"}, None),
        ({"mac_address": MAC + "b"}, None),
        ({}, None),
    ],
)
def test_an_entry_of_metadata_means_the_element_its_attributes_name(match, place):
    kept = VmMetadata({}, (DeviceMetadata(match, {"custom": {"a": "b"}}),))
    elements = list(DOCUMENT.find("devices").iterchildren(etree.Element))
    assert [elements.index(one.element) for one in hooked_devices(DOCUMENT, kept)] == ([] if place is None else [place])


def test_the_document_form_is_shown_with_declaration_and_four_spaces():
    kept = VmMetadata({}, (DeviceMetadata({"mac_address": MAC + "a"}, {"custom": {}}),))
    (found,) = hooked_devices(DOCUMENT, kept)
    assert found.text == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        f'<interface type="bridge">\n    <mac address="{MAC}A"/>\n</interface>\n'
    )
    assert found.custom == {}


def test_a_request_of_the_document_form_is_read_by_its_metadata(request_of):
    xml = (
        f'<domain type="kvm" xmlns:ovirt-vm="{metadata.VM}"><name>x</name>'
        f"<uuid>5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01</uuid><memory>1</memory>"
        f'<devices><interface type="bridge"><mac address="{MAC}1"/></interface></devices>'
        f'<metadata><ovirt-vm:vm><ovirt-vm:device mac_address="{MAC}1"><ovirt-vm:custom><ovirt-vm:a>b</ovirt-vm:a>'
        "</ovirt-vm:custom></ovirt-vm:device></ovirt-vm:vm></metadata></domain>"
    )
    request = request_of(xml=xml)
    assert [one.custom for one in hooked_devices(request.domain({}), request)] == [{"a": "b"}]
