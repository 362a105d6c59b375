"""Devices for running machines: completed beside those that are there, built as at the start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml import plugging
from virgate.domxml.errors import BadDevice, CannotCreate
from virgate.domxml.names import disk_name
from virgate.domxml.request import DiskSource, HostFacts, LeaseSource
from virgate.errors import InvalidParameter

FACTS = HostFacts()


def conf(*devices, **more):
    return {"vmId": "m", "custom": {}, "devices": list(devices), **more}


def there(name):
    return {"type": "disk", "device": "disk", "name": name}


@pytest.mark.parametrize(
    ("names", "iface", "given_index", "name"),
    [
        ((), "virtio", None, "vda"),
        (("vda", "vdc"), "virtio", None, "vdb"),
        (("vda",), "virtio", 7, "vdb"),
        (("sda", "vda"), "scsi", None, "sdb"),
        (("hdc",), "ide", 2, "hda"),
        (("vda1", "strange"), "virtio", None, "vda"),
    ],
)
def test_a_disk_gets_the_next_free_index_of_its_bus_whatever_was_asked(names, iface, given_index, name):
    asked = {"type": "disk", "device": "disk", "iface": iface, "path": "/a", "index": given_index}
    before = dict(asked)
    done = plugging.placed(conf(*map(there, names)), asked)
    assert (done["name"], disk_name(iface, done["index"])) == (name, name)
    assert asked == before


@given(st.sets(st.integers(0, 800), max_size=40))
def test_no_two_disks_share_a_name(taken):
    names = {disk_name("virtio", index) for index in taken}
    done = plugging.placed(conf(*map(there, names)), {"type": "disk", "device": "disk", "iface": "virtio"})
    assert done["name"] not in names


def test_a_struct_without_type_is_refused_and_a_path_that_climbs_too():
    with pytest.raises(InvalidParameter):
        plugging.placed(conf(), {"device": "disk"})
    with pytest.raises(CannotCreate):
        plugging.placed(conf(), {"type": "disk", "path": "/rhev/../etc/shadow"})
    with pytest.raises(CannotCreate):
        plugging.placed(conf(), {"type": "lease", "path": "../x"})


def test_an_unnamed_device_is_called_as_its_type_and_nothing_is_left_out():
    assert plugging.placed(conf(), {"type": "memory", "size": 128, "node": None}) == {
        "type": "memory",
        "device": "memory",
        "size": 128,
    }


def test_a_disk_is_built_from_what_storage_prepared():
    device = plugging.placed(conf(), {"type": "disk", "iface": "virtio", "imageID": "i", "serial": "S"})
    made = plugging.disk(conf(), FACTS, device, DiskSource("/dev/vg/lv", "qcow2", "block"))
    assert made.find("source").get("dev") == "/dev/vg/lv"
    assert (made.find("target").get("dev"), made.find("driver").get("type"), made.findtext("serial")) == (
        "vda",
        "qcow2",
        "S",
    )


def test_properties_of_the_machine_count_for_its_new_devices():
    custom = {"viodiskcache": "writeback", "sndbuf": "7"}
    device = plugging.placed(conf(), {"type": "disk", "iface": "virtio", "path": "/a"})
    assert plugging.disk(conf(custom=custom), FACTS, device, None).find("driver").get("cache") == "writeback"
    nic = plugging.placed(conf(), {"type": "interface", "device": "bridge", "network": "red", "nicModel": "pv"})
    made = plugging.interface(conf(custom=custom), FACTS, nic)
    assert (made.find("source").get("bridge"), made.findtext("tune/sndbuf")) == ("red", "7")


def test_memory_lease_and_host_device_are_built_too():
    module = plugging.memory(conf(), FACTS, plugging.placed(conf(), {"type": "memory", "size": 128, "node": 1}))
    assert (module.findtext("target/size"), module.findtext("target/node")) == ("131072", "1")
    asked = plugging.placed(conf(), {"type": "lease", "lease_id": "l", "sd_id": "d"})
    made = plugging.lease(conf(), FACTS, asked, LeaseSource("/leases", 3))
    assert dict(made.find("target").attrib) == {"path": "/leases", "offset": "3"}
    with pytest.raises(BadDevice):
        plugging.lease(conf(), FACTS, asked)
    given_away = plugging.placed(conf(), {"type": "hostdev", "device": "pci_0000_00_1f_2"})
    assert plugging.hostdev(conf(), FACTS, given_away).find("source/address").get("slot") == "0x1f"
    with pytest.raises(BadDevice):
        plugging.hostdev(conf(), FACTS, {"type": "hostdev", "device": "toaster"})
