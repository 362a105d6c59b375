"""What is said of volume groups that are not as they should be."""

import pytest
from attrs import evolve

from virgate.node.storage.block.tags import entries
from virgate.node.storage.checking.findings import Severity
from virgate.node.storage.checking.groups import examine, examine_parents
from virgate.node.storage.checking.trees import Shape
from virgate.node.storage.formats.layout import MAX_SLOT, special_volumes_mib
from virgate.node.storage.formats.volume_metadata import BLANK_UUID
from virgate.node.storage.lvm.reports import LogicalVolume, VolumeGroup
from virgate.units import MiB

DOMAIN, IMAGE = "domain", "image"
SHAPE = Shape(5, MiB, True)
GROUP = VolumeGroup(
    name=DOMAIN,
    uuid="u",
    size=1 << 40,
    free=1 << 39,
    extent_size=128 * MiB,
    extent_count=8192,
    free_count=4096,
    tags=frozenset(),
    mda_size=128 * MiB,
    mda_free=100 * MiB,
    lv_count=8,
    pv_count=1,
    pvs=("/dev/mapper/a",),
    attr="wz--n-",
)


def volume(name, *tags, size=128 * MiB):
    return LogicalVolume(name, DOMAIN, "u", size, frozenset(tags), "-wi-------", "/dev/mapper/a", 0)


def member(name, slot=1, parent=BLANK_UUID):
    return volume(name, f"MD_{slot}", f"PU_{parent}", f"IU_{IMAGE}")


def group_of(*volumes, version=5):
    special = [volume(name, size=mib * MiB) for name, mib in special_volumes_mib(version, MiB).items()]
    return {one.name: one for one in (*special, *volumes)}


def examined(group, volumes, shape):
    return examine(group, volumes, shape, entries(volumes))


def found(*volumes, group=GROUP, shape=SHAPE):
    return [(one.place, one.severity, one.what) for one in examined(group, group_of(*volumes), shape)]


def test_a_sound_group_has_no_findings():
    assert found(member("base"), member("top", 2, "base")) == []


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_each_version_wants_its_own_special_volumes(version):
    shape = Shape(version, MiB, True)
    assert list(examined(GROUP, group_of(version=version), shape)) == []
    for name in special_volumes_mib(version, MiB):
        there = group_of(version=version)
        small = {**there, name: evolve(there[name], size=MiB)}
        del there[name]
        (missing,), (tight,) = examined(GROUP, there, shape), examined(GROUP, small, shape)
        assert (missing.place, missing.severity, missing.what) == (name, Severity.ERROR, "it is missing")
        assert (tight.place, tight.severity) == (name, Severity.ERROR)


@pytest.mark.parametrize(
    "changes, what, severity",
    [
        ({"attr": "wz-pn-"}, "a device of it is missing", Severity.ERROR),
        ({"away": True}, "a device of it is missing", Severity.ERROR),
        ({"attr": "wzx-n-"}, "it is exported", Severity.ERROR),
        ({"attr": "rz--n-"}, "it is read-only", Severity.WARNING),
        ({"mda_free": 25 * MiB}, "19 per cent of the room for its metadata are left", Severity.WARNING),
    ],
)
def test_what_ails_the_group_itself_is_told(changes, what, severity):
    assert found(group=evolve(GROUP, **changes)) == [("volume group", severity, what)]


@pytest.mark.parametrize(
    "one, place, what, severity",
    [
        (volume("x"), "x", "it has no tags: it belongs to no image", Severity.WARNING),
        (volume("x", "a_tag_of_somebody"), "x", "it has no tags: it belongs to no image", Severity.WARNING),
        (volume("x", "OVIRT_VOL_INITIALIZING"), "x", "its making did not end", Severity.WARNING),
        (volume("x", "MD_3", "PU_p", "IU__remove_me_i"), "i/x", "a deletion did not end", Severity.NOTE),
        (volume("x", "MD_3", "PU_p", "IU__remove_me_ZERO_i"), "i/x", "a deletion did not end", Severity.NOTE),
        (member("_remove_me_1_x", 3), f"{IMAGE}/_remove_me_1_x", "a deletion did not end", Severity.NOTE),
        (volume("x", "PU_p", "IU_i"), "i/x", "it has no tag MD_", Severity.ERROR),
        (volume("x", "MD_3", "IU_i"), "i/x", "it has no tag PU_", Severity.ERROR),
    ],
)
def test_tags_that_are_missing_or_left_over_are_told(one, place, what, severity):
    assert found(one) == [(place, severity, what)]


def test_what_an_upgrade_made_that_did_not_end_belongs_to_the_domain():
    assert list(examined(GROUP, group_of(version=5), Shape(3, MiB, True))) == []


@pytest.mark.parametrize("version, slot, fine", [
    (5, 0, False), (5, 1, True), (4, 3, False), (4, 4, True), (5, MAX_SLOT, True), (5, MAX_SLOT + 1, False),
])  # fmt: skip
def test_a_slot_is_one_that_a_volume_can_have(version, slot, fine):
    shape = Shape(version, MiB, True)
    told = list(examined(GROUP, group_of(member("x", slot), version=version), shape))
    assert [one.what for one in told] == ([] if fine else [f"its metadata slot {slot} is none"])


def test_two_volumes_with_one_slot_are_in_danger():
    assert found(member("b", 7), member("a", 7)) == [
        ("metadata slot 7", Severity.ERROR, "several volumes have it: a, b")
    ]


def test_one_that_is_being_made_occupies_no_slot():
    half = volume("half", "MD_7", "OVIRT_VOL_INITIALIZING")
    assert [place for place, _, _ in found(member("a", 7), half)] == ["half"]


def test_a_tag_behind_the_metadata_does_no_harm():
    there = entries(group_of(member("top", 2, "old"), member("same", 3, "p")))
    (one,) = examine_parents(there.values(), {"top": "new", "same": "p"})
    assert (one.place, one.severity) == (f"{IMAGE}/top", Severity.NOTE)
    assert "old" in one.what and "new" in one.what
