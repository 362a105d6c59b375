"""Chains of volumes, without any storage."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.errors import IllegalChain, NoSuchImage, VolumeDoesNotExist
from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.errors import MetadataKeyMissing
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.chain import Image
from virgate.units import Size

DOMAIN, IMAGE, TEMPLATE = "domain", "image", "template"


def metadata(parent="", role=VolumeRole.INTERNAL, image=IMAGE, **changes):
    made = VolumeMetadata(
        domain=DOMAIN,
        image=image,
        capacity=Size.mib(1),
        format=VolumeFormat.COW,
        allocation=Allocation.SPARSE,
        role=role,
    )
    return evolve(made, **({"parent": parent} if parent else {}), **changes)


def image(**volumes):
    found = {name: (volume_metadata.encode(value), 4096, 0) for name, value in volumes.items()}
    return Image.surveyed(DOMAIN, IMAGE, found)


def ids(chain):
    return [volume.id for volume in chain]


@given(st.permutations(range(6)))
def test_a_chain_is_found_in_whatever_order_files_are_seen(order):
    volumes = {f"v{number}": metadata(f"v{number - 1}" if number else "") for number in range(6)}
    volumes["v5"] = evolve(volumes["v5"], role=VolumeRole.LEAF)
    found = image(**{f"v{number}": volumes[f"v{number}"] for number in order})
    assert ids(found.chain()) == [f"v{number}" for number in range(6)]
    assert found.leaf().id == "v5"
    assert ids(found.chain("v2")) == ["v0", "v1", "v2"]
    assert found.children("v3") == ("v4",)


def test_a_template_is_the_base_and_not_the_images_own():
    found = image(t=metadata(image=TEMPLATE, role=VolumeRole.SHARED), a=metadata("t", VolumeRole.LEAF))
    assert ids(found.chain()) == ["t", "a"]
    assert ids(found.own()) == ["a"]
    assert found.leaf().id == "a"


def test_a_template_image_ends_in_its_template():
    assert image(t=metadata(role=VolumeRole.SHARED)).leaf().id == "t"


def test_an_image_without_volumes_is_none():
    with pytest.raises(NoSuchImage):
        image().chain()


def test_a_ring_is_no_chain():
    ring = image(a=metadata("b"), b=metadata("a"))
    for look in (ring.leaf, ring.chain, lambda: ring.chain("a")):
        with pytest.raises(IllegalChain):
            look()


def test_two_ends_are_no_chain():
    with pytest.raises(IllegalChain):
        image(a=metadata(), b=metadata("a", VolumeRole.LEAF), c=metadata("a", VolumeRole.LEAF)).chain()


def test_a_missing_parent_is_no_chain():
    with pytest.raises(IllegalChain):
        image(b=metadata("a", VolumeRole.LEAF)).chain()


def test_data_without_metadata_are_no_volume_yet():
    found = Image.surveyed(DOMAIN, IMAGE, {"half": (None, 4096, 4096)})
    with pytest.raises(VolumeDoesNotExist):
        found.volume("half")


def test_a_volume_with_damaged_metadata_is_there_and_says_what_is_wrong():
    found = Image.surveyed(DOMAIN, IMAGE, {"bad": (b"CAP=1\n", 4096, 0)})
    assert not found.volume("bad").readable
    with pytest.raises(MetadataKeyMissing):
        _ = found.volume("bad").metadata
    assert found.own() == () and found.illegal() == ()


def test_what_is_not_legal_makes_an_image_unreal():
    assert image(a=metadata(role=VolumeRole.LEAF)).unreal() is False
    fake = image(a=metadata(role=VolumeRole.SHARED, legality=Legality.FAKE))
    assert (fake.unreal(), fake.illegal()) == (True, ())
    assert image(a=metadata(legality=Legality.ILLEGAL)).illegal() == ("a",)
