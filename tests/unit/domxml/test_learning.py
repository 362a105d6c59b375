"""What documents tell is put into clients' structs: the document wins where it differs, the words stay where not."""

import copy

import pytest
from hypothesis import given
from lxml import etree
from unit.domxml import catalogue

from virgate.domxml import running
from virgate.domxml.devices import READERS, channel, graphics
from virgate.domxml.learning import learn
from virgate.domxml.metadata import VM
from virgate.domxml.tree import parse


def learnt(device, /, **told):
    device = copy.deepcopy(device)
    learn(device, {"type": device["type"], **told})
    return device


@given(catalogue.ANY)
def test_learning_what_is_known_changes_nothing(device):
    assert learnt(device, **copy.deepcopy(device)) == device


@pytest.mark.parametrize(
    ("known", "told", "found"),
    [
        ({"nicModel": "pv"}, {"nicModel": "virtio"}, {"nicModel": "pv"}),
        ({"nicModel": "pv"}, {"nicModel": "e1000"}, {"nicModel": "e1000"}),
        ({"macAddr": "00:1A:4A:00:00:01"}, {"macAddr": "00:1a:4a:00:00:01"}, {"macAddr": "00:1A:4A:00:00:01"}),
        ({"network": "long-name"}, {"network": "on1a2b"}, {"network": "long-name"}),
        ({"linkActive": "true"}, {"linkActive": True}, {"linkActive": True}),
        ({"bootOrder": 2}, {"bootOrder": "2"}, {"bootOrder": 2}),
        ({}, {"nicModel": "virtio"}, {"nicModel": "virtio"}),
        (
            {"specParams": {"vlanid": 5, "mine": "x"}},
            {"specParams": {"vlanid": "6"}},
            {"specParams": {"vlanid": "6", "mine": "x"}},
        ),
        ({"address": {"slot": "0x01", "bus": "0x02"}}, {"address": {"slot": "0x03"}}, {"address": {"slot": "0x03"}}),
        ({"custom": {"queues": "2", "a": "b"}}, {"custom": {"queues": "2"}}, {"custom": {"queues": "2", "a": "b"}}),
    ],
)
def test_the_document_is_right_and_the_words_are_the_clients(known, told, found):
    assert learnt({"type": "interface", **known}, **told) == {"type": "interface", **found}


@pytest.mark.parametrize(
    ("known", "told", "found"),
    [
        ({"shared": "true"}, {"shared": "shared"}, {"shared": "true"}),
        ({"shared": "exclusive"}, {"shared": "shared"}, {"shared": "shared"}),
        ({"format": "qcow2"}, {"format": "cow"}, {"format": "qcow2"}),
        ({"format": "raw"}, {"format": "cow"}, {"format": "cow"}),
        ({"readonly": "false"}, {"readonly": "True"}, {"readonly": "True"}),
    ],
)
def test_disks_have_several_words_for_one_thing(known, told, found):
    assert learnt({"type": "disk", **known}, **told) == {"type": "disk", **found}


def test_names_that_a_document_cannot_tell_stay():
    assert learnt({"type": "hostdev", "device": "usb_1_1_2"}, device="usb")["device"] == "usb_1_1_2"
    assert learnt({"type": "lease", "lease_id": "l"}, path="/here", offset="9") == {"type": "lease", "lease_id": "l"}


def test_a_password_is_seen_by_how_long_it_holds():
    closed = parse("<graphics type='vnc' port='-1' passwdValidTo='1970-01-01T00:00:01'/>")
    assert graphics.read(closed)["specParams"]["disableTicketing"] == "false"
    assert graphics.read(parse("<graphics type='vnc'/>"))["specParams"]["disableTicketing"] == "true"


def test_channels_that_every_machine_has_are_not_built_twice():
    for echo in ({"device": "unix", "name": channel.AGENT_CHANNELS[0]}, {"device": "unix"}, {"device": "spicevmc"}):
        assert channel.build({"type": "channel", **echo}, None) == []


DOCUMENT = f"""<domain><name>n</name><uuid>5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01</uuid>
<metadata><o:vm xmlns:o="{VM}"><o:device devtype="disk" name="vda"><o:imageID>i</o:imageID>
<o:custom><o:a>b</o:a></o:custom><o:payload><o:file path="x">c2VjcmV0</o:file></o:payload></o:device>
<o:device mac_address="00:1A:4A:00:00:01"><o:network>long-name</o:network></o:device>
<o:device devtype="disk" name="gone"><o:imageID>j</o:imageID></o:device></o:vm></metadata>
<devices><disk type="file" device="disk"><source file="/a"/><target dev="vda" bus="virtio"/></disk>
<interface type="bridge"><mac address="00:1a:4a:00:00:01"/><source bridge="on1a2b"/></interface></devices></domain>"""


def test_metadata_tell_of_a_documents_devices_but_not_the_contents_of_payloads():
    disk, nic = running.read(DOCUMENT).conf["devices"]
    assert (disk["imageID"], disk["custom"], "payload" in disk) == ("i", {"a": "b"}, False)
    assert nic["network"] == "long-name"


@pytest.mark.parametrize("tag", sorted(READERS))
def test_any_element_can_be_read_without_its_parts(tag):
    (told,) = running.devices(etree.fromstring(f"<domain><devices><{tag}/></devices></domain>"))
    assert told["type"] and isinstance(told["device"], str)
