"""Volume metadata of every version."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.formats import volume_metadata as vm
from virgate.node.storage.formats.errors import InvalidMetadata, MetadataKeyMissing, MetadataOverflow
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.units import Size

uuids = st.uuids().map(str)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=300)

volumes = st.builds(
    VolumeMetadata,
    domain=uuids,
    image=uuids,
    parent=uuids,
    capacity=st.integers(0, 1 << 50).map(lambda blocks: Size(blocks * 512)),
    format=st.sampled_from(VolumeFormat),
    allocation=st.sampled_from(Allocation),
    role=st.sampled_from(VolumeRole),
    legality=st.sampled_from(Legality),
    disk_type=st.sampled_from(["DATA", "ISOF", "MEMD", "MEMM", "OVFS", "HEVD", "SCRD", "2", "1"]),
    description=words.map(lambda text: text[: vm.DESCRIPTION_LIMIT].strip()),
    created=st.integers(0, 1 << 33),
    generation=st.integers(0, vm.MAX_GENERATION),
    sequence=st.integers(0, (1 << 32) - 1),
)


@pytest.fixture
def volume():
    return VolumeMetadata(
        domain="3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f",
        image="5c9d8e7f-0a1b-4c2d-9e3f-4a5b6c7d8e9f",
        capacity=Size.gib(1),
        format=VolumeFormat.COW,
        allocation=Allocation.SPARSE,
    )


def encoded(meta, version, **more):
    try:
        return vm.encode(meta, version, **more)
    except MetadataOverflow as problem:
        assert problem.size > 512
        assert not meta.description.isascii()
        return None


@given(volumes)
def test_version_5_gives_back_everything(meta):
    if data := encoded(meta, 5):
        assert vm.decode(data) == meta
        assert vm.decode(data.ljust(512, b"\0")) == meta


@given(volumes, st.sampled_from([0, 2, 3, 4]))
def test_older_versions_give_back_all_but_the_sequence(meta, version):
    if data := encoded(meta, version):
        assert vm.decode(data) == evolve(meta, sequence=0)


@given(volumes)
def test_a_file_in_the_middle_of_an_upgrade_is_read_like_either(meta):
    if data := encoded(meta, 4, converting=True):
        assert b"CAP=" in data and b"SIZE=" in data
        assert vm.decode(data) == evolve(meta, sequence=0)


@given(volumes)
def test_lines_are_sorted_and_a_text_never_exceeds_its_slot(meta):
    for version in (4, 5):
        if data := encoded(meta, version):
            assert len(data) <= 512 == len(vm.encode_slot(meta, version))
            keys = [line.partition(b"=")[0] for line in data.split(b"\n")[:-2]]
            assert keys == sorted(keys)


@pytest.mark.parametrize("version", [4, 5])
def test_the_longest_values_fit_beside_a_full_ascii_description(volume, version):
    huge = evolve(
        volume,
        parent=volume.image,
        allocation=Allocation.PREALLOCATED,
        role=VolumeRole.INTERNAL,
        legality=Legality.ILLEGAL,
        capacity=Size(1 << 60),
        created=17000000000,
        generation=vm.MAX_GENERATION,
        sequence=4294967295,
        description="d" * 300,
    )
    assert len(vm.encode(huge, version)) <= 512


def test_a_description_is_cut_to_210_characters(volume):
    assert vm.decode(vm.encode(evolve(volume, description="x" * 300))).description == "x" * 210


def test_a_long_description_of_wide_characters_overflows(volume):
    with pytest.raises(MetadataOverflow) as refused:
        vm.encode(evolve(volume, description="א" * 210))
    assert refused.value.code == 756


@pytest.mark.parametrize("description", ["a\nb", "a\rEOF", "a\0", "\ud800"])
def test_a_description_of_several_lines_is_refused(volume, description):
    with pytest.raises(InvalidParameter):
        vm.encode(evolve(volume, description=description))


REQUIRED = [
    "CAP",
    "CTIME",
    "DESCRIPTION",
    "DISKTYPE",
    "DOMAIN",
    "FORMAT",
    "IMAGE",
    "LEGALITY",
    "PUUID",
    "TYPE",
    "VOLTYPE",
]


@pytest.mark.parametrize("key", REQUIRED)
def test_each_required_key_is_missed(volume, key):
    kept = [line for line in vm.encode(volume).splitlines(keepends=True) if not line.startswith(key.encode() + b"=")]
    with pytest.raises(MetadataKeyMissing) as refused:
        vm.decode(b"".join(kept))
    assert refused.value.key == ("SIZE" if key == "CAP" else key)
    assert refused.value.code == 751


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CAP", "many"),
        ("CAP", "-1"),
        ("CTIME", ""),
        ("GEN", "x"),
        ("FORMAT", "qcow2"),
        ("TYPE", ""),
        ("LEGALITY", "MAYBE"),
    ],
)
def test_a_value_that_means_nothing_is_named(volume, key, value):
    lines = [line for line in vm.encode(volume).decode().splitlines() if not line.startswith(key + "=")]
    with pytest.raises(InvalidMetadata) as refused:
        vm.decode("\n".join([f"{key}={value}", *lines]).encode())
    assert (refused.value.key, refused.value.value, refused.value.code) == (key, value, 753)


def test_an_undecodable_line_hides_only_its_own_key(volume):
    with pytest.raises(MetadataKeyMissing, match="DESCRIPTION"):
        vm.decode(vm.encode(volume).replace(b"DESCRIPTION=", b"DESCRIPTION=\xff"))
    assert vm.decode(b"UNKNOWN=\xff\n" + vm.encode(volume)) == volume


def test_spaces_around_keys_and_values_do_not_count(volume):
    assert vm.decode(vm.encode(volume).replace(b"=", b" = ")) == volume


@given(st.binary(max_size=600))
def test_noise_is_refused_with_a_code(data):
    with pytest.raises(VirgateError):
        vm.decode(data)


@given(volumes, st.integers(0, 511))
def test_a_truncated_file_is_refused_or_loses_no_required_key(meta, length):
    if data := encoded(meta, 5):
        try:
            read = vm.decode(data[:length])
        except (MetadataKeyMissing, InvalidMetadata):
            return
        assert (read.domain, read.image, read.capacity) == (meta.domain, meta.image, meta.capacity)


def test_a_finished_operation_makes_a_volume_legal_one_generation_later(volume):
    after = evolve(volume, legality=Legality.ILLEGAL, generation=7).next_generation()
    assert (after.legality, after.generation) == (Legality.LEGAL, 8)


def test_a_cleared_slot_is_one_block():
    assert len(vm.CLEARED) == 512
