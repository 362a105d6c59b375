"""The handle of a saved machine: what is one, what is none, and back to the same text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.vm.hibernation.errors import BadHandle
from virgate.node.vm.hibernation.handle import Handle, VolumeId

TEXT = "d,p,i1,v1,i2,v2"
IDS = st.text(st.characters(codec="ascii", exclude_characters=",", categories=["L", "N", "Pd"]), min_size=1)


@given(st.lists(IDS, min_size=6, max_size=6))
def test_a_handle_becomes_the_text_it_was_read_from(parts):
    text = ",".join(parts)
    assert str(Handle.parse(text)) == text


def test_blanks_around_ids_do_not_matter():
    assert str(Handle.parse("d, p,i1 ,v1,i2,v2")) == TEXT


@pytest.mark.parametrize(
    "given_", ["", "d", "d,p,i1,v1,i2", f"{TEXT},", f"{TEXT},x", "d,,i1,v1,i2,v2", None, 7, [TEXT]]
)
def test_what_does_not_have_six_parts_is_no_handle(given_):
    with pytest.raises(BadHandle) as refused:
        Handle.parse(given_)
    assert refused.value.code == 1000


def test_a_machine_without_a_handle_starts_afresh():
    for params in ({}, {"hiberVolHandle": ""}, {"hiberVolHandle": None, "memoryDumpVolume": {}}):
        assert Handle.of_params(params) is None


MAP = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}


@pytest.mark.parametrize("missing", MAP)
def test_a_map_needs_all_four_ids(missing):
    half = {name: value for name, value in MAP.items() if name != missing}
    for params in (
        {"memoryDumpVolume": half, "memoryConfVolume": MAP},
        {"memoryDumpVolume": MAP, "memoryConfVolume": half},
        {"memoryDumpVolume": MAP},
        {"memoryDumpVolume": MAP, "memoryConfVolume": {**MAP, missing: 1}},
    ):
        with pytest.raises(BadHandle):
            Handle.of_params(params)


def test_storage_is_asked_for_an_image():
    disk = VolumeId("d", "p", "i", "v").disk
    assert disk.is_image
    assert (disk.pool_id, disk.domain_id, disk.image_id, disk.volume_id) == ("p", "d", "i", "v")
