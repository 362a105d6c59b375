"""Metadata: typed leaves, nested values, unknown elements, JSON that XML can carry."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from virgate.domxml import metadata
from virgate.domxml.errors import CannotCreate
from virgate.domxml.metadata import DeviceMetadata, VmMetadata
from virgate.domxml.tree import clean, element, one_line

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
SPECIAL = {"device", "custom", "specParams", "volumeInfo", "diskReplicate", "payload", "volumeChain", "portMirroring"}

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True).filter(lambda name: name not in SPECIAL)
texts = st.text(max_size=30).map(clean)
leaves = st.one_of(texts, st.integers(), st.booleans(), st.floats(allow_nan=False))
structs = st.recursive(
    st.dictionaries(names, leaves, min_size=1, max_size=4),
    lambda inner: st.dictionaries(names, st.one_of(leaves, inner), min_size=1, max_size=4),
    max_leaves=12,
)
lists = st.lists(leaves, min_size=2, max_size=4)
values = st.dictionaries(names, st.one_of(leaves, structs, lists), max_size=6)
devices = st.builds(
    DeviceMetadata, st.dictionaries(names, texts.map(lambda text: " ".join(text.split())), max_size=3), values
)


def same(one, other):
    """Equal in type too: 1, 1.0 and True are different leaves."""
    return repr(one) == repr(other)


def through_text(vm):
    return etree.fromstring(etree.tostring(vm))


@given(st.builds(VmMetadata, values, st.lists(devices, max_size=3).map(tuple)))
def test_what_is_written_is_read(kept):
    read = metadata.decode(through_text(metadata.encode(kept)))
    assert same(read, kept)


@given(values, values)
def test_an_update_sets_what_it_names_and_keeps_the_rest(old, new):
    vm = metadata.encode(VmMetadata(old, (DeviceMetadata({"devtype": "disk"}, {"a": 1}),)))
    metadata.update(vm, new)
    read = metadata.decode(through_text(vm))
    expected = {**old, **new}
    assert same(dict(sorted(read.values.items())), dict(sorted(expected.items())))
    assert len(read.devices) == 1


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=20)))
def test_a_conf_survives_whatever_its_text(custom):
    conf = {"vmId": ID, "custom": custom, "devices": [{"type": "disk", "index": 0, "shared": False, "x": 1.5}]}
    root = element("domain", element("metadata", metadata.conf_element(conf)))
    assert metadata.read_conf(through_text(root)) == conf


def test_leaves_tell_their_type():
    vm = metadata.encode(VmMetadata({"i": 1, "f": 1.5, "b": True, "n": False, "s": "1", "e": ""}))
    assert {child.tag.split("}")[1]: (child.get("type"), child.text) for child in vm} == {
        "i": ("int", "1"),
        "f": ("float", "1.5"),
        "b": ("bool", "True"),
        "n": ("bool", "False"),
        "s": (None, "1"),
        "e": (None, None),
    }


def read(inner):
    vm = f'<ovirt-vm:vm xmlns:ovirt-vm="{metadata.VM}">{inner}</ovirt-vm:vm>'
    return metadata.decode(etree.fromstring(vm))


def test_the_prefix_of_others_does_not_matter():
    assert metadata.decode(etree.fromstring(f'<vm xmlns="{metadata.VM}"><x type="int">5</x></vm>')).values == {"x": 5}


def test_booleans_are_words_in_any_case():
    inner = "".join(
        f'<ovirt-vm:k{n} type="bool">{word}</ovirt-vm:k{n}>'
        for n, word in enumerate(("True", "true", "False", "no", ""))
    )
    assert list(read(inner).values.values()) == [True, True, False, False, False]


def test_a_leaf_that_is_not_of_its_type_is_refused_with_a_code():
    for kind, text in (("int", "x"), ("float", ""), ("int", "1.5")):
        with pytest.raises(CannotCreate) as caught:
            read(f'<ovirt-vm:k type="{kind}">{text}</ovirt-vm:k>')
        assert caught.value.code == 9


def test_an_unknown_type_is_text():
    assert read('<ovirt-vm:k type="date">1</ovirt-vm:k>').values == {"k": "1"}


def test_comments_are_no_values():
    assert read("<!-- x --><ovirt-vm:k>1</ovirt-vm:k>").values == {"k": "1"}


def test_an_empty_custom_is_a_struct_without_properties():
    kept = read('<ovirt-vm:custom/><ovirt-vm:device mac_address="m"><ovirt-vm:custom/></ovirt-vm:device>')
    assert kept.values == {"custom": {}}
    assert kept.devices[0].values == {"custom": {}}
    assert kept.custom == {}


def test_properties_for_scripts_are_text_even_with_a_type():
    kept = read('<ovirt-vm:custom><ovirt-vm:n type="int">5</ovirt-vm:n><ovirt-vm:e/></ovirt-vm:custom>')
    assert kept.values["custom"] == {"n": 5, "e": ""}
    assert kept.custom == {"n": "5", "e": ""}


def test_a_name_that_comes_twice_is_a_list_and_stays_one():
    kept = read("<ovirt-vm:k>1</ovirt-vm:k><ovirt-vm:k>2</ovirt-vm:k><ovirt-vm:k>3</ovirt-vm:k>")
    assert kept.values == {"k": ["1", "2", "3"]}
    assert metadata.decode(metadata.encode(kept)) == kept


def test_chains_mirrors_and_payloads_have_shapes_of_their_own():
    values = {
        "volumeChain": [{"domainID": "d", "leaseOffset": 0}, {"domainID": "d", "leaseOffset": 512}],
        "portMirroring": ["red", "blue"],
        "payload": {"volId": "config-2", "file": {"openstack/latest/user_data": "eA==", "b": ""}},
    }
    kept = VmMetadata({}, (DeviceMetadata({"devtype": "disk", "name": "vda"}, values),))
    vm = metadata.encode(kept)
    assert len(vm.findall(f".//{{{metadata.VM}}}volumeChainNode")) == 2
    assert [one.text for one in vm.iterfind(f".//{{{metadata.VM}}}network")] == ["red", "blue"]
    assert vm.find(f".//{{{metadata.VM}}}file").get("path") == "openstack/latest/user_data"
    assert metadata.decode(through_text(vm)) == kept


def test_lists_of_one_and_of_none_keep_their_shape_where_they_have_one():
    for mirrors in ([], ["red"]):
        assert metadata.decode(through_text(metadata.encode(VmMetadata({"portMirroring": mirrors})))).values == {
            "portMirroring": mirrors
        }


@pytest.mark.parametrize("name", ["a b", "", "1", "x:y", "<x>"])
def test_a_name_that_xml_cannot_carry_is_refused(name):
    with pytest.raises(CannotCreate):
        metadata.encode(VmMetadata({name: "x"}))


def test_nothing_is_no_value():
    with pytest.raises(CannotCreate, match="has no value"):
        metadata.encode(VmMetadata({"a": None}))


def test_a_device_is_found_by_its_attributes():
    kept = VmMetadata(
        {}, (DeviceMetadata({"devtype": "disk", "name": "vda"}), DeviceMetadata({"devtype": "disk", "name": "vdb"}))
    )
    assert kept.device(devtype="disk", name="vdb") is kept.devices[1]
    assert kept.device(name="vdc") is None


def test_a_domain_without_metadata_says_nothing():
    root = element("domain")
    assert metadata.read(root) == VmMetadata()
    assert metadata.read_conf(root) == {}
    assert metadata.vm_element(root) is None


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "nonsense"])
def test_a_conf_that_cannot_be_understood_is_none(text):
    machine = metadata.conf_element({})
    machine.text = text
    assert metadata.read_conf(element("domain", element("metadata", machine))) == {}


def test_a_conf_of_a_later_version_is_none():
    machine = metadata.conf_element({"vmId": ID})
    machine.set("version", "2")
    assert metadata.read_conf(element("domain", element("metadata", machine))) == {}


def test_private_keys_stay_out_of_the_conf():
    assert json.loads(metadata.conf_element({"_secret": 1, "vmId": ID}).text) == {"vmId": ID}


def test_placing_replaces_and_makes_room():
    root = element("domain")
    metadata.place(root, [metadata.empty(metadata.VM, "vm")])
    metadata.place(root, [metadata.encode(VmMetadata({"a": 1})), metadata.empty(metadata.TUNE, "qos")])
    assert [child.tag for child in root.find("metadata")] == [f"{{{metadata.VM}}}vm", f"{{{metadata.TUNE}}}qos"]
    assert metadata.read(root).values == {"a": 1}


def test_texts_for_libvirt_leave_the_namespace_to_its_call():
    kept = VmMetadata({"a": 1}, (DeviceMetadata({"name": "vda"}, {"b": ""}),))
    assert metadata.vm_xml(kept) == '<vm><a type="int">1</a><device name="vda"><b/></device></vm>'
    assert metadata.vm_xml(VmMetadata()) == "<vm/>"
    assert metadata.conf_xml({}) == '<machine version="1">{}</machine>'


def test_a_machine_carries_what_other_daemons_look_for(build, valid):
    devices = [
        {
            "type": "disk",
            "iface": "virtio",
            "poolID": "p",
            "domainID": "d",
            "imageID": "i",
            "volumeID": "v",
            "custom": {"a": "b"},
        },
        {
            "type": "interface",
            "device": "bridge",
            "macAddr": "00:00:00:00:00:01",
            "network": "red",
            "custom": {"q": "1"},
        },
        {"type": "interface", "device": "bridge", "network": "red"},
        {"type": "sound", "device": "ich6"},
    ]
    root = build(devices=devices, custom={"plain": "1", "not a name": "2"}, memGuaranteedSize="64", launchPaused="")
    kept = metadata.read(root)
    assert kept.values == {"custom": {"plain": "1"}, "minGuaranteedMemoryMb": 64, "launchPaused": True}
    assert kept.device(devtype="disk", name="vda").values == {
        "poolID": "p",
        "domainID": "d",
        "imageID": "i",
        "volumeID": "v",
        "custom": {"a": "b"},
    }
    assert kept.device(mac_address="00:00:00:00:00:01").values == {"network": "red", "custom": {"q": "1"}}
    assert len(kept.devices) == 2


def test_the_conf_in_a_machine_is_that_of_the_request(request_of):
    nic = {"type": "interface", "device": "bridge", "network": "red", "portMirroring": ["red"]}
    request = request_of(devices=[nic], custom={"not a name": "2"}, unheard={"of": "\x01\u20ac"})
    root = etree.fromstring(one_line(request.domain({})))
    assert metadata.read_conf(root) == request.conf


def test_policy_has_an_element_of_its_own_under_the_old_prefix(build):
    root = build()
    assert root.nsmap["ovirt"] == metadata.TUNE
    assert metadata.find(root, metadata.TUNE, "qos").prefix == "ovirt"


def test_the_contents_of_payloads_are_nothing_for_everybody_who_reads_metadata():
    payload = {"volId": "config-2", "file": {"openstack/latest/user_data": "cGFzc3dvcmQ="}}
    conf = {"vmId": ID, "devices": [{"type": "disk", "device": "cdrom", "specParams": {"vmPayload": payload}}]}
    kept = metadata.conf_element(conf).text
    assert "cGFzc3dvcmQ=" not in kept
    (device,) = json.loads(kept)["devices"]
    assert device["specParams"]["vmPayload"] == {"volId": "config-2", "file": {"openstack/latest/user_data": ""}}
    assert payload["file"] == {"openstack/latest/user_data": "cGFzc3dvcmQ="}, "the machine itself still knows"
