"""Where the metadata of volumes lie in block domains of version 0."""

import pytest
from attrs import evolve
from contract.storage.light import now
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.block import first_version, tags
from virgate.node.storage.block.slots import Slots
from virgate.node.storage.errors import CannotCreateVolume
from virgate.node.storage.formats import physical_volumes
from virgate.node.storage.formats.physical_volumes import FIRST_SLOT, PhysicalVolume, refresh, slot
from virgate.node.storage.lvm import reports

DISK = reports.PhysicalVolume("/dev/mapper/a", "uuid-a", 1 << 40, "vg", "u", 0, 100, 50, 2, 2, 1 << 40)
PHYSICAL = {DISK.name: DISK, "/dev/mapper/b": evolve(DISK, name="/dev/mapper/b", uuid="uuid-b", mda_used_count=0)}
VALUES = physical_volumes.encode(refresh({}, [PhysicalVolume("a", "uuid-a", 100), PhysicalVolume("b", "uuid-b", 50)]))


def a_volume(name, device="/dev/mapper/b", extent=7, *marks):
    marked = frozenset(marks or ("IU_image", "PU_parent"))
    return reports.LogicalVolume(name, "vg", "u", 1 << 27, marked, "-wi-------", device, extent)


def placed(*volumes, values=VALUES, physical=PHYSICAL):
    found = {volume.name: volume for volume in volumes}
    return first_version.placed(tags.entries(found), found, physical, values)


def test_a_slot_is_the_number_of_the_first_extent_counted_through_all_disks():
    found = placed(a_volume("near", "/dev/mapper/a", 9), a_volume("far"))
    assert [(entry.name, entry.slot, entry.place) for entry in found.values()] == [("near", 9, 9), ("far", 107, 107)]


def test_a_slot_that_a_tag_names_counts():
    found = placed(a_volume("moved", "/dev/mapper/b", 7, "IU_image", "PU_parent", "MD_30"))
    assert (found["moved"].slot, found["moved"].place) == (30, 107)


def test_a_volume_that_is_being_made_has_a_place_and_no_slot():
    found = placed(a_volume("half", "/dev/mapper/b", 7, tags.INITIALIZING))
    assert (found["half"].slot, found["half"].place) == (None, 107)


@pytest.mark.parametrize("device, extent", [("/dev/mapper/a", 3), ("/dev/mapper/b", 50), ("/dev/c", 7), ("", 0)])
def test_what_the_map_does_not_know_has_no_slot(device, extent):
    assert placed(a_volume("lost", device, extent))["lost"].slot is None


def test_a_disk_that_has_another_name_here_is_known_by_its_id():
    """And by its name where LVM does not see it."""
    other = {"/dev/sdx": evolve(DISK, name="/dev/sdx", uuid="uuid-b")}
    assert placed(a_volume("v", "/dev/sdx"), physical=other)["v"].slot == 107
    assert placed(a_volume("v"), physical={})["v"].slot == 107


def test_metadata_are_never_written_where_those_of_another_volume_are():
    """Its data were moved away from there, and a new volume was made in their place."""
    found = placed(
        a_volume("moved", "/dev/mapper/a", 20, "IU_image", "PU_parent", "MD_107"),
        a_volume("new", "/dev/mapper/b", 7, tags.INITIALIZING),
        a_volume("lost", "/dev/c", 7, tags.INITIALIZING),
        a_volume("fine", "/dev/mapper/b", 8, tags.INITIALIZING),
    )
    slots = Slots("vg", None, None, 0)
    with pytest.raises(CannotCreateVolume, match=r"\(107\)"):
        slots.reserve(found, "new")
    with pytest.raises(CannotCreateVolume, match=r"\(None\)"):
        slots.reserve(found, "lost")
    assert slots.reserve(found, "fine") == 108


class Report:
    """LVM that is asked once more."""

    def __init__(self, *volumes):
        self.told = {volume.name: volume for volume in volumes}

    async def volumes(self, group, fresh=False):
        return self.told

    async def physical(self):
        return PHYSICAL


def test_lvm_is_asked_again_where_a_new_volume_is():
    made = a_volume("new", "", 0, tags.INITIALIZING)
    entries = first_version.entries(Report(a_volume("new")), "vg", VALUES, {"new": made})
    assert now(entries)["new"].place == 107
    assert now(first_version.entries(Report(), "vg", VALUES, {})) == {}


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)


@given(lengths)
def test_every_extent_has_a_slot_of_its_own_and_they_have_no_gaps(sizes):
    disks = [PhysicalVolume(f"d{number}", f"u{number}", size) for number, size in enumerate(sizes)]
    known = physical_volumes.decode(physical_volumes.encode(refresh({}, disks)))
    slots = [slot(known, disk.uuid, "", extent) for disk in disks for extent in range(disk.extents)]
    assert slots[FIRST_SLOT:] == list(range(FIRST_SLOT, sum(sizes)))
    assert set(slots[:FIRST_SLOT]) <= {None}


@given(lengths, lengths, st.data())
def test_a_new_disk_moves_no_slot_and_no_slot_is_outside_of_the_map(sizes, more, data):
    old = refresh({}, [PhysicalVolume(f"d{number}", f"u{number}", size) for number, size in enumerate(sizes)])
    added = [PhysicalVolume(f"n{number}", f"v{number}", size) for number, size in enumerate(more)]
    present = data.draw(st.permutations([*old.values(), *added]))
    known = refresh(old, present)
    uuid = data.draw(st.sampled_from([pv.uuid for pv in known.values()] + ["nobody's"]))
    extent = data.draw(st.integers(-1, 80))
    found = slot(known, uuid, "", extent)
    if uuid in {pv.uuid for pv in old.values()}:
        assert found == slot(old, uuid, "", extent)
    assert found is None or FIRST_SLOT <= found < sum(sizes) + sum(more)
