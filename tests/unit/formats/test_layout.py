"""Offsets, slots, block volume sizes and the map of physical volumes."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.formats import layout, physical_volumes, sizes
from virgate.node.storage.formats.errors import InvalidMetadata
from virgate.node.storage.formats.physical_volumes import PhysicalVolume
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat
from virgate.units import MiB, Size

versions = st.sampled_from([2, 3, 4, 5])


@given(st.sets(st.integers(0, layout.MAX_SLOT)), versions)
def test_a_free_slot_is_the_lowest_one_that_is_free(occupied, version):
    free = layout.free_slot(occupied, version)
    assert free not in occupied
    assert set(range(layout.first_slot(version), free)) <= occupied


@given(versions)
def test_the_last_slot_has_the_last_lease(version):
    assert layout.free_slot(range(layout.MAX_SLOT), version) == layout.MAX_SLOT
    assert layout.free_slot(range(layout.MAX_SLOT + 1), version) is None
    volume = layout.special_volumes_mib(version, MiB)["leases"] * MiB
    assert layout.lease_offset(layout.MAX_SLOT, MiB) == volume - MiB


def test_metadata_slots_fit_in_their_volume():
    size = layout.special_volumes_mib(5, MiB)["metadata"] * MiB
    assert layout.metadata_offset(layout.MAX_SLOT, 5) + layout.SLOT_TEXT <= size


def test_old_versions_have_no_lease_index():
    assert "xleases" not in layout.special_volumes_mib(3, MiB)


@pytest.mark.parametrize(("size", "leases"), [(0, 0), (layout.xleases_file(MiB), 0), (4 * MiB, 1), (1024 * MiB, 1021)])
def test_leases_that_fit_in_a_volume(size, leases):
    assert layout.vm_leases(size, MiB) == leases


def test_the_spm_lease_follows_the_first_slot():
    assert layout.sdm_offset(2 * MiB) == 2 * MiB


capacities = st.integers(1, 1 << 45).map(Size)


@given(capacities, capacities, st.booleans())
def test_a_thin_volume_never_exceeds_what_it_can_use(capacity, used, leaf):
    size = sizes.optimal_cow(capacity, used, leaf=leaf)
    assert size <= sizes.largest_cow(capacity)
    assert size.bytes % sizes.EXTENT.bytes == 0
    assert size >= min(used, sizes.largest_cow(capacity))


@given(capacities)
def test_the_overhead_is_a_tenth_as_the_reference_rounds_it(size):
    assert sizes.with_overhead(size).bytes == int(size.bytes * 1.1)


@given(capacities)
def test_lvm_makes_at_least_what_is_asked_for(size):
    assert sizes.in_mib(size) * MiB >= size.bytes > (sizes.in_mib(size) - 1) * MiB
    assert sizes.extents(size) * sizes.EXTENT.bytes >= size.bytes


COW, RAW = VolumeFormat.COW, VolumeFormat.RAW
SPARSE, FULL = Allocation.SPARSE, Allocation.PREALLOCATED


@pytest.mark.parametrize(
    ("form", "allocation", "initial"),
    [(RAW, SPARSE, None), (RAW, FULL, Size.mib(1)), (COW, SPARSE, Size.gib(2))],
)
def test_what_block_domains_refuse(form, allocation, initial):
    with pytest.raises(InvalidParameter):
        sizes.first_size(Size.gib(1), form, allocation, initial)


@given(capacities)
def test_a_preallocated_volume_gets_its_capacity(capacity):
    assert sizes.first_size(capacity, COW, FULL) == capacity


words = st.text("abcdefABCDEF0123456789-", min_size=1, max_size=20)
pvs = st.builds(PhysicalVolume, words, words, st.integers(1, 10000))


@given(st.lists(pvs, unique_by=lambda pv: pv.uuid, max_size=12))
def test_the_map_is_read_as_it_was_written(present):
    made = physical_volumes.refresh({}, present)
    assert physical_volumes.decode(physical_volumes.encode(made) | {"PVX": "not ours", "VERSION": "5"}) == made


@given(st.lists(pvs, unique_by=lambda pv: pv.uuid, max_size=8))
def test_extents_follow_each_other_in_number_order(present):
    first = 0
    for _, pv in sorted(physical_volumes.refresh({}, present).items()):
        assert pv.first == first
        first += pv.extents


A, B, C = (PhysicalVolume(name, f"uuid-{name}", 10) for name in "abc")


def test_known_volumes_keep_their_number_and_new_ones_follow():
    old = physical_volumes.refresh({}, [B])
    assert {number: pv.guid for number, pv in physical_volumes.refresh(old, [A, B, C]).items()} == {
        0: "b",
        1: "a",
        2: "c",
    }


def test_a_grown_volume_moves_those_behind_it_and_a_removed_one_is_dropped():
    old = physical_volumes.refresh({}, [A, B, C])
    made = physical_volumes.refresh(old, [evolve(A, extents=25), C])
    assert {number: (pv.guid, pv.first) for number, pv in made.items()} == {0: ("a", 0), 2: ("c", 25)}


def test_a_new_volume_takes_no_number_of_another_one():
    old = physical_volumes.refresh(physical_volumes.refresh({}, [A, B, C]), [A, C])
    assert {number: pv.guid for number, pv in physical_volumes.refresh(old, [A, C, B]).items()} == {
        0: "a",
        2: "c",
        3: "b",
    }


@pytest.mark.parametrize("text", ["", "pv:a", "pv:a,uuid:b,pestart:0,pecount:many,mapoffset:0"])
def test_a_broken_entry_is_named(text):
    with pytest.raises(InvalidMetadata, match="PV3"):
        physical_volumes.decode({"PV3": text})
