"""What block images promise, on a volume group in memory; the lab shows the same on LVM."""

import pytest
from contract.storage.light import now
from contract.storage.played_lvm import SPECIAL
from contract.storage.room import uuid

from virgate.errors import InvalidParameter
from virgate.node.storage.block import tags
from virgate.node.storage.domains.store import NewData
from virgate.node.storage.errors import (
    CannotCreateVolume,
    IncorrectFormat,
    NoSuchImage,
    VolumeDoesNotExist,
    VolumeExists,
)
from virgate.node.storage.formats import layout, volume_metadata
from virgate.node.storage.formats.volume_metadata import Allocation, Legality, VolumeFormat, VolumeRole

RAW, COW = VolumeFormat.RAW, VolumeFormat.COW
SPARSE, PREALLOCATED = Allocation.SPARSE, Allocation.PREALLOCATED
EXTENT = 128 << 20
GIB = 1 << 30


def data(form, allocation, size, **more):
    return NewData(form, allocation, size, **more)


# made


@pytest.mark.parametrize(
    "wanted, extents, capacity",
    [
        (data(COW, SPARSE, 10 * GIB), 20, 10 * GIB),
        (data(COW, SPARSE, GIB), 8, GIB),
        (data(COW, SPARSE, 10 * GIB, initial=GIB), 9, 10 * GIB),
        (data(COW, SPARSE, 4096), 1, 4096),
        (data(COW, PREALLOCATED, GIB), 8, GIB),
        (data(RAW, PREALLOCATED, 10 * GIB + 512), 81, 81 * EXTENT),
    ],
)
def test_a_volume_has_the_room_that_other_hosts_give_it(block, wanted, extents, capacity):
    assert now(block.images.create_data(uuid(3), uuid(4), wanted)) == capacity
    assert block.entry(1).size == extents * EXTENT


@pytest.mark.parametrize(
    "wanted, problem",
    [
        (data(RAW, SPARSE, GIB), IncorrectFormat),
        (data(COW, SPARSE, GIB, initial=2 * GIB), CannotCreateVolume),
        (data(RAW, PREALLOCATED, GIB, initial=GIB), CannotCreateVolume),
    ],
)
def test_what_block_storage_cannot_have_is_refused_before_anything_is_made(block, wanted, problem):
    with pytest.raises(problem):
        now(block.images.create_data(uuid(3), uuid(4), wanted))
    assert block.names() == set()


def test_a_volume_that_is_made_is_nobodys_before_its_last_step(block):
    now(block.images.create_data(uuid(3), uuid(4), data(COW, SPARSE, GIB)))
    assert block.disks.volumes[uuid(4)].tags == {tags.INITIALIZING}
    assert now(block.images.all()) == {}
    with pytest.raises(NoSuchImage):
        now(block.images.survey(uuid(3)))
    for image in (1, 2):
        with pytest.raises(VolumeExists):
            now(block.images.create_data(uuid(3, image), uuid(4), data(COW, SPARSE, GIB)))
    now(block.images.remove(uuid(3, 2), uuid(4)))  # the loser's rollback
    assert block.names() == {1}


def test_what_a_daemon_left_half_made_is_in_nobodys_way(block):
    now(block.images.create_data(uuid(3), uuid(4), data(COW, SPARSE, GIB)))
    block.again()
    block.make(1, 1)
    assert block.entry(1).known


def test_names_of_special_volumes_are_taken(block):
    with pytest.raises(VolumeExists):
        now(block.images.create_data(uuid(3), "metadata", data(COW, SPARSE, GIB)))


def test_the_tail_of_the_last_extent_is_zero(block):
    block.make(1, 1, form=RAW, size=5000)
    assert block.wiper.wiped == [uuid(4)]
    block.make(1, 2, form=RAW, size=EXTENT)
    assert block.wiper.wiped == [uuid(4)]


def test_metadata_and_lease_lie_where_the_slot_says(block):
    for number in (1, 2, 3):
        block.make(number, number)
    assert [block.entry(number).slot for number in (1, 2, 3)] == [1, 2, 3]
    slots, leases = block.disks.store / "metadata", block.disks.store / "leases"
    text = slots.read_bytes()[layout.metadata_offset(2, 5) :][:512]
    assert volume_metadata.decode(text).image == uuid(3, 2)
    with leases.open("rb") as file:
        file.seek(layout.lease_offset(2, 1 << 20))
        assert file.read(37) == uuid(4, 2).encode() + b"\0"
    path, offset = now(block.images.lease_of(uuid(3), uuid(4, 2)))
    assert (path.name, offset) == ("leases", 102 << 20)


def test_a_slot_is_free_again_when_its_volume_is_gone(block):
    for number in (1, 2, 3):
        block.make(number, number)
    now(block.images.remove(uuid(3, 2), uuid(4, 2)))
    block.make(4, 4)
    assert block.entry(4).slot == 2


def test_when_all_slots_are_taken_nothing_more_is_made(block, monkeypatch):
    monkeypatch.setattr(layout, "MAX_SLOT", 1)
    block.make(1, 1)
    with pytest.raises(CannotCreateVolume, match="slots"):
        block.make(2, 2)
    assert now(block.images.all()) == {uuid(3): [uuid(4)]}


def test_domains_without_volume_leases_get_none(block):
    block.again(lease=None, version=4)
    block.make(1, 1)
    assert (block.disks.store / "leases").read_bytes()[: 200 << 20].count(0) == 200 << 20
    assert block.entry(1).slot == 4
    assert now(block.images.lease_of(uuid(3), uuid(4))) is None


# seen


def test_a_template_is_seen_in_every_image_that_is_based_on_it(block):
    block.make(1, 1)
    block.change(1, 1, role=VolumeRole.SHARED)
    block.make(2, 2, parent=1)
    block.make(3, 3, parent=1)
    assert now(block.images.all()) == {
        uuid(3, 1): [uuid(4, 1)],
        uuid(3, 2): [uuid(4, 1), uuid(4, 2)],
        uuid(3, 3): [uuid(4, 1), uuid(4, 3)],
    }
    assert now(block.images.images_with(uuid(4, 1))) == [uuid(3, number) for number in (1, 2, 3)]
    survey = now(block.images.survey(uuid(3, 2)))
    assert [volume.id for volume in survey.chain()] == [uuid(4, 1), uuid(4, 2)]
    assert [volume.id for volume in survey.own()] == [uuid(4, 2)]


def test_the_parent_in_the_metadata_wins_over_the_tag(block):
    """A live merge on another host wrote only the slot."""
    block.make(1, 1)
    block.change(1, 1, role=VolumeRole.SHARED)
    block.make(2, 2, parent=1)
    block.make(2, 3, parent=2)
    block.change(2, 3, parent=uuid(4, 1))
    assert block.entry(3).parent == uuid(4, 2), "without the role no tag is changed"
    chain = now(block.images.survey(uuid(3, 2))).chain(uuid(4, 3))
    assert [volume.id for volume in chain] == [uuid(4, 1), uuid(4, 3)]
    assert uuid(3, 2) in now(block.images.images_with(uuid(4, 1)))
    with block.spm():
        now(block.images.remove(uuid(3, 2), uuid(4, 2)))
    assert block.entry(3).parent == uuid(4, 1)
    assert uuid(3, 2) in now(block.images.images_with(uuid(4, 1))), "the template is still in use"


def test_the_spm_lets_the_tag_follow(block):
    block.make(1, 1)
    block.make(1, 2, parent=1)
    with block.spm():
        block.change(1, 2, parent=volume_metadata.BLANK_UUID)
    assert block.entry(2).parent == volume_metadata.BLANK_UUID


def test_what_a_deleted_volume_left_in_a_slot_is_no_metadata_of_the_next(block):
    block.make(1, 1)
    block.make(2, 2)
    text = (block.disks.store / "metadata").read_bytes()[layout.metadata_offset(1, 5) :][:512]
    with (block.disks.store / "metadata").open("r+b") as file:
        file.seek(layout.metadata_offset(2, 5))
        file.write(text)
    assert not now(block.images.survey(uuid(3, 2))).volume(uuid(4, 2)).readable


def test_everything_is_read_at_once(block):
    for number in range(1, 30):
        block.make(number, number)
    block.disks.commands.clear()
    found = now(block.images.everything())
    assert block.disks.commands == ["lvs"]
    assert all(found[uuid(3, number)].volume(uuid(4, number)).readable for number in range(1, 30))


def test_who_works_for_the_spm_reads_the_group_once(block):
    with block.spm():
        block.make(1, 1)
        block.disks.commands.clear()
        for _ in range(3):
            now(block.images.survey(uuid(3)))
        assert block.disks.commands == []
    now(block.images.survey(uuid(3)))
    assert block.disks.commands == ["lvs"]


@pytest.mark.parametrize("name", ["", "../x", ".x", "a/b"])
def test_no_path_leaves_the_image(block, name):
    with pytest.raises(InvalidParameter):
        block.images.path(uuid(3), name)


# used


def test_volumes_are_active_while_they_are_used_with_all_they_are_based_on(block):
    block.make(1, 1)
    block.make(1, 2, parent=1)
    assert block.active() == set()
    using, again = block.images.used(uuid(3), uuid(4, 2)), block.images.used(uuid(3), uuid(4, 1))
    now(using.__aenter__())
    now(again.__aenter__())
    assert block.active() == {1, 2}
    assert block.images.path(uuid(3), uuid(4, 2)).exists() and block.images.path(uuid(3), uuid(4, 1)).exists()
    now(using.__aexit__(None, None, None))
    assert block.active() == {1}
    now(again.__aexit__(None, None, None))
    assert block.active() == set()
    assert not block.images.path(uuid(3), uuid(4, 1)).parent.exists()


def test_a_prepared_image_stays_active_whoever_else_used_it_and_however_often_the_daemon_starts(block):
    block.make(1, 1)
    block.make(2, 2)
    folder = now(block.images.open(uuid(3)))
    using = block.images.used(uuid(3), uuid(4))
    now(using.__aenter__())
    now(using.__aexit__(None, None, None))
    assert block.active() == {1}
    assert (folder / uuid(4)).resolve() == block.disks.store / uuid(4)
    block.again()
    now(block.lvm.activate(uuid(2), uuid(4, 2)))  # what a killed daemon left
    block.again()
    now(block.images.starts(uuid(3), [uuid(4)], 4096))
    assert block.active() == {1}
    now(block.images.close(uuid(3)))
    now(block.images.close(uuid(3)))
    assert block.active() == set() and not folder.exists()


def test_a_template_is_active_until_the_last_machine_on_it_ends(block):
    block.make(1, 1)
    block.change(1, 1, role=VolumeRole.SHARED)
    for number in (2, 3):
        block.make(number, number, parent=1)
        now(block.images.open(uuid(3, number)))
    now(block.images.close(uuid(3, 2)))
    assert block.active() == {1, 3}
    now(block.images.close(uuid(3, 3)))
    assert block.active() == set()


def test_volumes_that_cannot_be_activated_are_not_in_use_afterwards(block):
    block.make(1, 1)
    now(block.images.starts(uuid(3), [uuid(4)], 4096))
    block.steps.left = 1
    with pytest.raises(Exception, match="played"):
        now(block.images.open(uuid(3)))
    using = block.images.used(uuid(3), uuid(4))
    block.steps.left = 2
    with pytest.raises(OSError):
        now(using.__aenter__())
    now(block.images.starts(uuid(3), [uuid(4)], 4096))
    assert block.active() == set()


# room


def test_room_is_made_and_given_back_but_never_what_is_stored(block):
    block.make(1, 1, size=GIB)
    now(block.images.reserve(uuid(3), uuid(4), 3 * GIB))
    assert block.entry(1).size == 24 * EXTENT
    now(block.images.reserve(uuid(3), uuid(4), GIB))
    assert now(block.images.measure(uuid(3), uuid(4))) == (3 * GIB, 3 * GIB)
    object.__setattr__(block.images, "_qemu", Ends(2 * GIB))
    now(block.images.trim(uuid(3), uuid(4)))
    assert block.entry(1).size == 2 * GIB, "more than the largest size of a disk of 1 GiB"
    object.__setattr__(block.images, "_qemu", Ends(EXTENT))
    now(block.images.trim(uuid(3), uuid(4)))
    assert block.entry(1).size == 9 * EXTENT  # 1.1 GiB, rounded up
    block.change(1, 1, role=VolumeRole.INTERNAL)
    now(block.images.trim(uuid(3), uuid(4), leaf=True))
    assert block.entry(1).size == 9 * EXTENT, "it is going to be written again"
    now(block.images.trim(uuid(3), uuid(4)))
    assert block.entry(1).size == EXTENT


class Ends:
    def __init__(self, end):
        self.place = end

    async def end(self, path):
        return self.place


def test_a_raw_volume_grows_by_extents_and_is_never_trimmed(block):
    block.make(1, 1, form=RAW, size=EXTENT)
    assert now(block.images.grow(uuid(3), uuid(4), EXTENT + 1)) == 2 * EXTENT
    assert now(block.images.grow(uuid(3), uuid(4), 5)) == 2 * EXTENT
    now(block.images.trim(uuid(3), uuid(4)))
    assert block.entry(1).size == 2 * EXTENT


def test_a_volume_made_larger_elsewhere_is_seen_after_a_refresh(block):
    block.make(1, 1)
    now(block.images.open(uuid(3)))
    other = block.disks.lvm()
    now(other.extend(uuid(2), uuid(4), 2048, refresh=False))
    now(block.images.refresh(uuid(3), uuid(4)))
    assert now(block.images.measure(uuid(3), uuid(4)))[0] == 2 * GIB


# removed


def test_removing_is_one_step_of_lvm(block):
    block.make(1, 1)
    with block.spm():
        now(block.images.survey(uuid(3)))
        block.disks.commands.clear()
        now(block.images.remove(uuid(3), uuid(4)))
    assert block.disks.commands == ["lvremove"]


def test_a_volume_of_another_image_is_not_removed(block):
    block.make(1, 1)
    now(block.images.remove(uuid(3, 2), uuid(4)))
    now(block.images.remove(uuid(3, 2), uuid(4, 7)))
    assert block.names() == {1}


def test_an_image_that_is_deleted_takes_what_is_based_on_templates_and_leaves_these(block):
    block.make(1, 1)
    block.make(2, 2, parent=1)
    block.make(2, 3, parent=2)
    now(block.images.delete(uuid(3, 2)))
    assert block.names() == {1} and block.wiper.wiped == []
    with pytest.raises(NoSuchImage):
        now(block.images.delete(uuid(3, 2)))


def test_an_image_to_be_wiped_is_out_of_sight_first(block):
    block.make(1, 1)
    block.make(1, 2, parent=1)
    assert now(block.images.hide(uuid(3), zero=True))
    assert now(block.images.all()) == {}
    assert {f"IU__remove_me_ZERO_{uuid(3)}"} <= block.disks.volumes[uuid(4)].tags
    now(block.images.delete(uuid(3), zero=True))
    assert sorted(block.wiper.wiped) == [uuid(4, 1), uuid(4, 2)] and block.names() == set()


@pytest.mark.parametrize(
    "zero, discard, wiped", [(True, False, 1), (False, True, 1), (True, True, 2), (False, False, 0)]
)
def test_a_volume_is_wiped_and_discarded_as_one_wishes(block, zero, discard, wiped):
    block.make(1, 1)
    now(block.images.remove(uuid(3), uuid(4), zero=zero, discard=discard))
    assert len(block.wiper.wiped) == wiped and block.names() == set()


def test_the_next_spm_finishes_what_was_not_removed(block):
    for number in (1, 2, 3, 4, 6):
        block.make(number, number)
    now(block.images.hide(uuid(3, 1), zero=True))
    now(block.images.hide(uuid(3, 2), zero=False))
    now(block.images.create_data(uuid(3, 5), uuid(4, 5), data(COW, SPARSE, GIB)))
    now(block.images.rename(uuid(3, 3), uuid(4, 3), f"_remove_me_abc_{uuid(4, 3)}"))
    now(block.images.rename(uuid(3, 6), uuid(4, 6), f"_remove_me_ZERO_abc_{uuid(4, 6)}"))
    assert now(block.images.all()) == {uuid(3, 4): [uuid(4, 4)]}
    block.again()
    now(block.images.collect_garbage(volumes=False))
    assert block.wiper.wiped == [uuid(4, 1)]
    renamed = {f"_remove_me_abc_{uuid(4, 3)}", f"_remove_me_ZERO_abc_{uuid(4, 6)}"}
    assert set(block.disks.volumes) - set(SPECIAL) == {uuid(4, 4), *renamed}
    now(block.images.collect_garbage(volumes=True))
    assert block.names() == {4} and block.wiper.wiped == [uuid(4, 1), f"_remove_me_ZERO_abc_{uuid(4, 6)}"]


def test_wiping_ends_with_the_term_of_the_spm(block):
    block.make(1, 1, size=4 * GIB)
    fence = None
    with block.spm():
        from virgate.run.fence import admitted

        fence = admitted()
        now(block.images.hide(uuid(3), zero=True))
        fence.lower(RuntimeError("the lease is gone"))
        with pytest.raises(RuntimeError):
            now(block.images.delete(uuid(3), zero=True))
    assert block.wiper.wiped == [] and block.names() == {1}


# journals


def test_a_slot_of_a_journal_is_cleared(block):
    block.make(1, 1)
    now(block.images.clear_slot(1))
    assert not now(block.images.survey(uuid(3))).volume(uuid(4)).readable


def test_a_lease_of_a_journal_is_renewed(block):
    block.make(1, 1)
    (block.disks.store / "leases").write_bytes(b"x" * 1)
    with (block.disks.store / "leases").open("r+b") as file:
        file.truncate(2 << 30)
    now(block.images.renew_lease(uuid(4)))
    with (block.disks.store / "leases").open("rb") as file:
        file.seek(101 << 20)
        assert file.read(36) == uuid(4).encode()
    with pytest.raises(VolumeDoesNotExist):
        now(block.images.renew_lease(uuid(4, 9)))


def test_a_rename_of_what_is_not_there_is_no_error(block):
    now(block.images.rename(uuid(3), uuid(4), uuid(4, 2)))


def test_metadata_that_are_converted_go_where_the_newer_form_lies(block):
    block.again(version=4)
    block.make(1, 1)
    metadata = now(block.images.survey(uuid(3))).volume(uuid(4)).metadata
    assert metadata.legality is Legality.LEGAL
    now(block.images.write(uuid(3), uuid(4), metadata, version=4, converting=True))
    block.images.version = 5
    assert now(block.images.survey(uuid(3))).volume(uuid(4)).metadata == metadata


def test_a_machine_lets_go_of_volumes_of_its_image_that_were_merged(block):
    block.make(1, 1)
    block.make(1, 2, parent=1)
    folder = now(block.images.open(uuid(3)))
    assert block.active() == {1, 2}
    for _ in range(2):
        now(block.images.let_go(uuid(3), [uuid(4, 2)]))
        assert block.active() == {1}
        assert [path.name for path in folder.iterdir()] == [uuid(4)]
    now(block.images.close(uuid(3)))
    assert block.active() == set()
