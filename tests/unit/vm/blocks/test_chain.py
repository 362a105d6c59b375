"""Chains as documents tell them, and what follows them."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from unit.vm.blocks.conftest import BASE, DOMAIN, FOLDER, IMAGE, MIDDLE, NEW, POOL, TOP, disk_xml

from virgate.domxml import tree
from virgate.domxml.facts import DiskRequest
from virgate.node.vm.blocks import chain
from virgate.node.vm.record import Record

DISK = DiskRequest("vda", pool_id=POOL, domain_id=DOMAIN, image_id=IMAGE, volume_id=TOP)


def read(*volumes, **how):
    return chain.read(tree.parse(f"<domain><devices>{disk_xml(volumes, **how)}</devices></domain>"))["vda"]


def test_a_chain_is_read_from_its_base_up_with_the_names_that_calls_take():
    found = read(BASE, MIDDLE, TOP, base="raw")
    assert found.volumes == (BASE, MIDDLE, TOP)
    assert [layer.format for layer in found.layers] == ["raw", "qcow2", "qcow2"]
    assert [found.name(place) for place in range(3)] == ["vda[1]", "vda[2]", "vda[9]"]
    assert (found.find(MIDDLE), found.find(NEW), found.whole, found.mirror) == (1, None, True, None)


def test_a_mirror_tells_its_job_and_whether_it_is_ready():
    mirror = f"<mirror type='file' job='active-commit' ready='yes'><source file='{FOLDER}/{BASE}'/></mirror>"
    assert read(BASE, TOP, mirror=mirror).mirror == chain.Mirror("active-commit", "yes", f"{FOLDER}/{BASE}")


def test_a_document_that_does_not_say_what_is_below_is_not_whole():
    text = disk_xml([TOP]).replace("<backingStore/>", "")
    found = chain.read(tree.parse(f"<domain><devices>{text}</devices></domain>"))["vda"]
    assert not found.whole


def test_drives_without_a_medium_have_no_chain():
    text = "<domain><devices><disk type='file' device='cdrom'><target dev='hdc'/></disk></devices></domain>"
    assert chain.read(tree.parse(text)) == {}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (f"{FOLDER}/{TOP}", (DOMAIN, TOP)),
        (f"/run/storage/{DOMAIN}/{IMAGE}/{TOP}", (DOMAIN, TOP)),
        (f"/run/storage/{DOMAIN}/{IMAGE}/disk.img", None),
        (f"/var/lib/{IMAGE}/{TOP}", None),
        (f"/run/{DOMAIN}/{DOMAIN}/{TOP}", None),
        ("", None),
    ],
)
def test_a_path_of_the_repository_says_domain_and_volume(path, place):
    assert chain.place_of(path, IMAGE) == place


def record(disk=DISK, **device):
    conf = {"devices": [{"type": "disk", "name": "vda", "format": "raw", **device}]}
    return Record("vm", "name", conf=conf, disks=(disk,))


def follow(found, *volumes, **how):
    chain.follow(found, tree.parse(f"<domain><devices>{disk_xml(volumes, **how)}</devices></domain>"))
    return found.disks[0], found.conf["devices"][0]


def test_a_record_follows_the_volumes_that_its_disk_is_on():
    disk, device = follow(record(), BASE, TOP, NEW)
    assert disk == evolve(DISK, volume_id=NEW, format="cow")
    assert [one["volumeID"] for one in device["volumeChain"]] == [BASE, TOP, NEW]
    assert device["volumeInfo"] == device["volumeChain"][-1]
    assert device["volumeInfo"]["path"] == f"{FOLDER}/{NEW}"
    assert device["format"] == "cow"


def test_what_storage_told_of_a_volume_is_kept():
    known = {"domainID": DOMAIN, "imageID": IMAGE, "volumeID": BASE, "path": "p", "leasePath": "l"}
    _, device = follow(record(volumeChain=[known]), BASE, NEW)
    assert device["volumeChain"][0] == known


def test_volumes_of_the_domain_that_a_disk_has_left_are_told_no_more():
    known = {"domainID": "another", "imageID": IMAGE, "volumeID": BASE}
    _, device = follow(record(volumeChain=[known]), BASE, NEW)
    assert {one["domainID"] for one in device["volumeChain"]} == {DOMAIN}


def test_a_disk_that_a_script_put_elsewhere_keeps_its_volume():
    found = record()
    text = disk_xml([TOP]).replace(FOLDER, "/elsewhere")
    chain.follow(found, tree.parse(f"<domain><devices>{text}</devices></domain>"))
    assert found.disks == (DISK,)
    assert "volumeChain" not in found.conf["devices"][0]


@given(st.lists(st.uuids().map(str), min_size=1, max_size=6, unique=True))
def test_following_twice_is_following_once(volumes):
    found = record()
    follow(found, *volumes)
    before = (found.disks, repr(found.conf))
    follow(found, *volumes)
    assert (found.disks, repr(found.conf)) == before
    assert found.disks[0].volume_id == volumes[-1]
