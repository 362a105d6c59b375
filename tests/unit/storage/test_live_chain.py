"""What a merge on a host lets the metadata of an image say."""

import pytest
from attrs import evolve

from virgate.node.storage.formats.volume_metadata import (
    BLANK_UUID,
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.live_chain import agreed
from virgate.units import Size


def member(parent=BLANK_UUID, role=VolumeRole.INTERNAL, capacity=10, **more):
    made = {"domain": "d", "image": "i", "capacity": Size(capacity), "format": VolumeFormat.COW}
    return VolumeMetadata(**{**made, "allocation": Allocation.SPARSE, "parent": parent, "role": role, **more})


def image(**members):
    members = members or {"a": member(), "b": member("a"), "c": member("b", VolumeRole.LEAF)}
    return Image("d", "i", {name: Volume(name, one, 0, 0) for name, one in members.items()})


def after(survey, changes):
    return image(**{name: changes.get(name, one.metadata) for name, one in survey.volumes.items()})


def test_a_volume_in_the_middle_leaves_its_child_to_its_parent():
    assert agreed(image(), ["a", "c"], ["b"]) == {"c": member("a", VolumeRole.LEAF)}


def test_a_leaf_that_is_merged_away_is_illegal_and_the_parent_of_nobody():
    wrong = member("b", VolumeRole.LEAF, legality=Legality.ILLEGAL)
    assert agreed(image(), ["a", "b"], ["c"]) == {"c": wrong}


def test_a_leaf_that_was_not_left_is_legal_again():
    survey = after(image(), agreed(image(), ["a", "b"], ["c"]))
    assert agreed(survey, ["a", "b", "c"], []) == {"c": member("b", VolumeRole.LEAF)}


def test_the_base_is_as_large_as_what_came_into_it():
    survey = image(a=member(), b=member("a", capacity=20), c=member("b", VolumeRole.LEAF, 20))
    assert agreed(survey, ["a", "c"], ["b"])["a"].capacity == Size(20)


@pytest.mark.parametrize(("actual", "gone"), [(["a", "c"], ["b"]), (["a", "b"], ["c"]), (["a"], ["b", "c"])])
def test_agreeing_twice_is_agreeing_once(actual, gone):
    survey = after(image(), agreed(image(), actual, gone))
    assert agreed(survey, actual, gone) == {}


def test_a_template_is_nobodys_to_change():
    survey = image(a=member(role=VolumeRole.SHARED, image="t"), b=member("a"), c=member("b", VolumeRole.LEAF, 20))
    assert set(agreed(survey, ["a", "c"], ["b"])) == {"c"}


def test_what_was_deleted_meanwhile_is_not_looked_for():
    survey = image(a=member(), c=member("b", VolumeRole.LEAF))
    assert agreed(survey, ["a", "c"], ["b"]) == {"c": evolve(member("a"), role=VolumeRole.LEAF)}
