"""Volumes and images under change: what is asked of them, what is refused, and what is left when it fails."""

import pytest
from contract.storage.light import load, now, seen, write
from contract.storage.room import BLANK, POOL, uuid

from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.removal import REMOVED
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.operations import OPERATIONS

RAW, COW = VolumeFormat.RAW, VolumeFormat.COW
SD, OTHER, IMG, NEW = uuid(2), uuid(2, 2), uuid(3), uuid(3, 9)
SIZE = "16384"
LEAF_ROLE, SHARED_ROLE = 8, 6


@pytest.fixture
def two(light):
    """A pool of two active domains."""
    light.pool(domains=2)
    return light


@pytest.fixture
def chain(two):
    """Base 1 (raw), 2, and the leaf 3, each with its own block written."""
    two.volume(1, size=SIZE)
    write(folder(two) / uuid(4, 1), RAW, {0: 1})
    for number in (2, 3):
        two.volume(number, form=4, parent=(1, number - 1))
        write(folder(two) / uuid(4, number), COW, {number - 1: number})
    return two


def folder(light, image=1, domain=1):
    return light.folder(domain) / "images" / uuid(3, image)


def volumes(light, image=1, domain=1):
    return sorted(int(path.name[33:36]) for path in folder(light, image, domain).glob("*.meta"))


def metadata(light, number, image=1, domain=1):
    return volume_metadata.decode((folder(light, image, domain) / f"{uuid(4, number)}.meta").read_bytes())


def fails(light, *call):
    """The code that a task ends with, undone."""
    status = light.task(*call)
    assert status["taskResult"] == "cleanSuccess", status
    return status["code"]


def legality(light, number, word, image=1, domain=1):
    light.ask("setVolumeLegality", uuid(2, domain), POOL, uuid(3, image), uuid(4, number), word)


# made


def snapshot(number, parent, image=IMG, source=BLANK):
    return ("createVolume", SD, POOL, image, "1", 4, 2, "DATA", uuid(4, number), "d", source, uuid(4, parent))


def test_a_volume_remembers_what_it_was_asked_to_be(two):
    two.clock.advance(1234.9)
    two.done("createVolume", SD, POOL, IMG, "5000", 5, 1, "OVFS", uuid(4), '{"a":1}', BLANK, BLANK)
    found = metadata(two, 1)
    assert (found.disk_type, found.description, found.created) == ("OVFS", '{"a":1}', 1234)
    assert (found.capacity.bytes, found.format.name, found.allocation.name) == (8192, "RAW", "PREALLOCATED")
    assert (folder(two) / uuid(4)).stat().st_size == 8192
    assert "allocate" in two.steps.names


def test_only_a_volume_with_children_or_a_parent_is_no_template(chain):
    for parent in (1, 2, 3):
        assert fails(chain, *snapshot(9, parent, NEW, IMG)) == 100
        assert not folder(chain, 9).exists()
    assert metadata(chain, 1).role.name == "INTERNAL"


@pytest.mark.parametrize(("word", "code"), [("ILLEGAL", 226), ("FAKE", None), ("LEGAL", None)])
def test_nothing_is_based_on_data_that_are_not_to_be_trusted(two, word, code):
    two.volume(1, size=SIZE)
    legality(two, 1, word)
    for call in (snapshot(9, 1, NEW, IMG), snapshot(2, 1)):
        if code is None:
            two.done(*call)
            two.done("deleteVolume", SD, POOL, call[3], [call[8]], "", True)
            two.done("deleteImage", SD, POOL, IMG)
            two.volume(1, size=SIZE)
        else:
            assert fails(two, *call) == code
            assert (volumes(two), metadata(two, 1).role.name) == ([1], "LEAF")


def test_a_second_clone_leaves_the_template_as_it_is(two):
    two.volume(1, size=SIZE)
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    before = (folder(two) / f"{uuid(4)}.meta").stat().st_ino
    two.done(*snapshot(3, 1, uuid(3, 3), IMG))
    assert (folder(two) / f"{uuid(4)}.meta").stat().st_ino == before
    assert (folder(two) / uuid(4)).stat().st_nlink == 3


def test_a_snapshot_in_the_image_of_a_clone_is_based_on_the_clones_leaf(two):
    two.volume(1, size=SIZE)
    write(folder(two) / uuid(4), RAW, {2: 5})
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    two.done(*snapshot(3, 2, uuid(3, 2)))
    assert metadata(two, 2, 2).role.name == "INTERNAL"
    assert seen(folder(two, 2) / uuid(4, 3), COW) == {2: 5}
    header = load(folder(two, 2) / uuid(4, 2))
    assert (header["backing"], header["form"]) == (uuid(4, 1), "raw")


# deleted


def test_what_was_deleted_before_a_failure_stays_deleted(chain):
    assert fails(chain, "deleteVolume", SD, POOL, IMG, [uuid(4, 3), uuid(4, 1), uuid(4, 2)]) == 100
    assert volumes(chain) == [1, 2]
    assert (metadata(chain, 2).role.name, metadata(chain, 1).role.name) == ("LEAF", "INTERNAL")


def test_a_volume_with_damaged_metadata_can_be_deleted(chain):
    (folder(chain) / f"{uuid(4, 3)}.meta").write_bytes(b"rubbish")
    chain.done("deleteVolume", SD, POOL, IMG, [uuid(4, 3)])
    assert (volumes(chain), metadata(chain, 2).role.name) == ([1, 2], "LEAF")


def test_a_clone_that_is_deleted_leaves_its_template(two):
    two.volume(1, size=SIZE)
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    assert fails(two, "deleteVolume", SD, POOL, uuid(3, 2), [uuid(4, 1)]) == 223
    two.done("deleteVolume", SD, POOL, uuid(3, 2), [uuid(4, 2)])
    assert not folder(two, 2).exists()
    assert ((folder(two) / uuid(4)).stat().st_nlink, metadata(two, 1).legality.value) == (1, "LEGAL")


def test_a_forced_deletion_of_a_link_leaves_the_templates_metadata_alone(two):
    two.volume(1, size=SIZE)
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    two.done("deleteVolume", SD, POOL, uuid(3, 2), [uuid(4, 1)], "", True)
    assert (volumes(two, 2), metadata(two, 1).legality.value) == ([2], "LEGAL")


def test_a_template_is_deleted_when_nobody_uses_it_any_more(two):
    two.volume(1, size=SIZE)
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    assert two.code("deleteImage", SD, POOL, IMG) == 223
    two.done("deleteImage", SD, POOL, uuid(3, 2))
    two.done("deleteImage", SD, POOL, IMG)
    assert two.ask("getImagesList", SD)["imageslist"] == []
    assert two.code("deleteImage", SD, POOL, IMG) == 268


# grown


def test_only_raw_ends_of_chains_grow(chain):
    assert fails(chain, "extendVolumeSize", POOL, SD, IMG, uuid(4, 2), "32768") == 100
    chain.done("extendVolumeSize", POOL, SD, IMG, uuid(4, 3), "32768")
    assert metadata(chain, 3).capacity.bytes == int(SIZE)
    chain.done("extendVolumeSize", POOL, SD, IMG, uuid(4, 1), "32768")
    assert (folder(chain) / uuid(4, 1)).stat().st_size == 32768
    chain.done("extendVolumeSize", POOL, SD, IMG, uuid(4, 1), "32768")
    assert fails(chain, "extendVolumeSize", POOL, SD, IMG, uuid(4, 1), "28672") == 232


def test_a_disk_that_nobody_uses_grows_by_its_leaf(chain):
    images = chain.room.storage.images
    assert now(images.resize_offline(POOL, SD, IMG, uuid(4, 3), 20480)) == 20480
    assert metadata(chain, 3).capacity.bytes == 20480
    assert now(images.resize_offline(POOL, SD, IMG, uuid(4, 3), 20480)) == 20480
    chain.steps.left = 2
    with pytest.raises(Exception, match="played"):
        now(images.resize_offline(POOL, SD, IMG, uuid(4, 3), 40960))
    assert metadata(chain, 3).capacity.bytes == 20480


# copied


def copy(volume=3, *, domain=OTHER, form=3, allocation=0, role=SHARED_ROLE, force=False, target=9):
    ids = (IMG, uuid(4, volume), NEW, uuid(4, target))
    return ("copyImage", SD, POOL, BLANK, *ids, "a copy", domain, role, form, allocation, False, force)


@pytest.mark.parametrize(
    ("form", "allocation", "found"), [(3, 0, "COW SPARSE"), (5, 1, "RAW PREALLOCATED"), (4, 2, "COW SPARSE")]
)
def test_a_copy_has_the_form_that_is_wanted_or_that_of_its_source(chain, form, allocation, found):
    before = len(chain.steps.names)
    chain.done(*copy(form=form, allocation=allocation))
    made = metadata(chain, 9, 9, 2)
    assert f"{made.format.name} {made.allocation.name}" == found
    assert ("allocate" in chain.steps.names[before:]) is (allocation == 1)
    assert (made.role.name, made.legality.value, made.description) == ("SHARED", "LEGAL", "a copy")
    assert (made.parent, made.domain, made.image) == (BLANK, OTHER, NEW)
    assert seen(folder(chain, 9, 2) / uuid(4, 9), made.format) == {0: 1, 1: 2, 2: 3}


def test_a_copy_of_a_part_of_a_chain_holds_that_part(chain):
    chain.done(*copy(2, role=LEAF_ROLE, domain=BLANK))
    assert seen(folder(chain, 9) / uuid(4, 9), COW) == {0: 1, 1: 2}
    assert metadata(chain, 9, 9).role.name == "LEAF"


@pytest.mark.parametrize("word", ["ILLEGAL", "FAKE"])
def test_only_what_is_copied_must_be_legal(chain, word):
    legality(chain, 2, word)
    assert fails(chain, *copy(3)) == 262
    assert fails(chain, *copy(2)) == 262
    assert not folder(chain, 9, 2).exists()
    chain.done(*copy(1))


def test_a_copy_that_cannot_be_read_or_written_leaves_nothing(chain):
    chain.steps.left = 7
    assert fails(chain, *copy()) == 261
    assert not folder(chain, 9, 2).exists()
    assert chain.ask("getImagesList", OTHER)["imageslist"] == []


def test_a_copy_is_not_trusted_before_it_is_whole(chain):
    chain.steps.left, chain.steps.hangs = 7, True
    chain.ask(*copy())
    chain.steps.hung = False
    assert metadata(chain, 9, 9, 2).legality.value == "ILLEGAL"
    assert chain.code("prepareImage", POOL, OTHER, NEW, uuid(4, 9)) == 227


def test_what_is_illegal_or_unwanted_makes_room_for_a_copy(chain):
    chain.done(*copy())
    assert fails(chain, *copy()) == 212
    legality(chain, 9, "FAKE", 9, 2)
    chain.done(*copy(1))
    assert seen(folder(chain, 9, 2) / uuid(4, 9), metadata(chain, 9, 9, 2).format) == {0: 1}
    chain.done(*copy(2, force=True))
    assert seen(folder(chain, 9, 2) / uuid(4, 9), COW) == {0: 1, 1: 2}


# moved


def move(operation=2, force=False):
    return ("moveImage", POOL, SD, OTHER, IMG, BLANK, operation, False, force)


def test_a_moved_chain_keeps_everything_but_its_domain(chain):
    chain.ask("setVolumeDescription", SD, POOL, IMG, uuid(4, 2), "the middle")
    now(chain.room.storage.images.resize_offline(POOL, SD, IMG, uuid(4, 3), 32768))
    before = {number: metadata(chain, number) for number in (1, 2, 3)}
    chain.done(*move())
    assert not folder(chain).exists()
    for number, old in before.items():
        found = metadata(chain, number, 1, 2)
        assert (found.domain, found.legality.value) == (OTHER, "LEGAL")
        for key in ("capacity", "role", "parent", "description", "disk_type", "created", "format", "allocation"):
            assert getattr(found, key) == getattr(old, key), (number, key)
    assert seen(folder(chain, 1, 2) / uuid(4, 3), COW) == {0: 1, 1: 2, 2: 3}


def test_each_volume_of_a_moved_chain_holds_only_its_own_data(chain):
    chain.done(*move(1))
    header = load(folder(chain, 1, 2) / uuid(4, 3))
    assert (header["blocks"], header["backing"], header["form"]) == ({"2": 3}, uuid(4, 2), "qcow2")
    middle = load(folder(chain, 1, 2) / uuid(4, 2))
    assert (middle["blocks"], middle["form"]) == ({"1": 2}, "raw")
    assert volumes(chain) == [1, 2, 3]


@pytest.mark.parametrize("word", ["ILLEGAL", "FAKE"])
def test_a_chain_with_something_illegal_does_not_move(chain, word):
    legality(chain, 2, word)
    assert fails(chain, *move()) == 262
    assert (volumes(chain), folder(chain, 1, 2).exists()) == ([1, 2, 3], False)


def test_what_is_there_already_is_replaced_only_if_it_is_illegal_or_one_insists(chain):
    chain.done(*move(1))
    write(folder(chain) / uuid(4, 3), COW, {3: 7})
    assert fails(chain, *move(1)) == 212
    assert volumes(chain, 1, 2) == [1, 2, 3]
    legality(chain, 3, "ILLEGAL", 1, 2)
    chain.done(*move(1))
    assert seen(folder(chain, 1, 2) / uuid(4, 3), COW)[3] == 7
    write(folder(chain) / uuid(4, 3), COW, {3: 8})
    chain.done(*move(1, force=True))
    assert seen(folder(chain, 1, 2) / uuid(4, 3), COW)[3] == 8


def test_a_clone_moves_where_its_template_is(two):
    two.volume(1, size=SIZE)
    write(folder(two) / uuid(4), RAW, {0: 4})
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    clone = ("moveImage", POOL, SD, OTHER, uuid(3, 2), BLANK, 2)
    assert two.code(*clone) == 268
    assert [two.code(*move(operation)) for operation in (1, 2)] == [266, 266]
    ids = (IMG, uuid(4), IMG, uuid(4))
    two.done("copyImage", SD, POOL, BLANK, *ids, "", OTHER, SHARED_ROLE, 5, 2)
    two.done(*clone)
    assert volumes(two, 2, 2) == [1, 2]
    assert (folder(two, 1, 2) / uuid(4)).stat().st_nlink == 2
    assert (folder(two) / uuid(4)).stat().st_nlink == 1
    assert seen(folder(two, 2, 2) / uuid(4, 2), COW) == {0: 4}


def test_a_preallocated_volume_gets_its_room_where_it_moves(two):
    two.done("createVolume", SD, POOL, IMG, SIZE, 5, 1, 2, uuid(4), "")
    before = len(two.steps.names)
    two.done(*move())
    assert two.steps.names[before:].count("allocate") == 1
    assert metadata(two, 1, 1, 2).allocation.name == "PREALLOCATED"


def test_data_are_synced_only_between_equal_chains(chain):
    ids = (POOL, SD, IMG, OTHER)
    chain.done("cloneImageStructure", *ids)
    assert [metadata(chain, number, 1, 2).role.name for number in (1, 2, 3)] == ["INTERNAL", "INTERNAL", "LEAF"]
    assert fails(chain, "syncImageData", *ids, "EVERYTHING") == 100
    chain.done("syncImageData", *ids, "INTERNAL")
    assert seen(folder(chain, 1, 2) / uuid(4, 3), COW) == {0: 1, 1: 2}
    chain.done("syncImageData", *ids, "LEAF")
    assert seen(folder(chain, 1, 2) / uuid(4, 3), COW) == {0: 1, 1: 2, 2: 3}
    chain.done("deleteVolume", OTHER, POOL, IMG, [uuid(4, 3)])
    assert fails(chain, "syncImageData", *ids, "ALL") == 260


def test_a_structure_needs_the_template_and_a_legal_chain(two):
    two.volume(1, size=SIZE)
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    assert fails(two, "cloneImageStructure", POOL, SD, uuid(3, 2), OTHER) == 268
    legality(two, 1, "ILLEGAL")
    assert fails(two, "cloneImageStructure", POOL, SD, IMG, OTHER) == 262


# merged


def merge(first, last):
    return ("mergeSnapshots", SD, POOL, BLANK, IMG, uuid(4, first), uuid(4, last))


def test_a_merge_into_the_middle_gives_the_rest_its_new_base(chain):
    chain.done(*merge(1, 2))
    assert (volumes(chain), metadata(chain, 2).format, metadata(chain, 2).parent) == ([2, 3], RAW, BLANK)
    assert metadata(chain, 2).role.name == "INTERNAL"
    header = load(folder(chain) / uuid(4, 3))
    assert (header["backing"], header["form"]) == (uuid(4, 2), "raw")
    assert seen(folder(chain) / uuid(4, 3), COW) == {0: 1, 1: 2, 2: 3}


def test_a_merge_above_the_base_keeps_the_base(chain):
    chain.done(*merge(2, 3))
    assert (volumes(chain), metadata(chain, 3).parent, metadata(chain, 3).format) == ([1, 3], uuid(4, 1), COW)
    assert load(folder(chain) / uuid(4, 3))["form"] == "raw"


def hidden(light):
    return [path.name for path in folder(light).iterdir() if path.name.startswith(REMOVED)]


@pytest.mark.parametrize(("first", "last"), [(1, 2), (2, 3), (1, 3)])
def test_merged_volumes_that_cannot_be_deleted_are_in_nobodys_way(chain, monkeypatch, first, last):
    remove = OPERATIONS["remove_volume"]

    def breaks(path):
        if REMOVED in path:
            raise OSError(5, "no storage")
        remove(path)

    with monkeypatch.context() as context:
        context.setitem(OPERATIONS, "remove_volume", breaks)
        chain.done(*merge(first, last))
    left = {uuid(4, number) for number in (1, 2, 3) if not first <= number < last}
    assert set(chain.ask("getVolumesList", SD, POOL, IMG)["uuidlist"]) == left
    chain.ask("prepareImage", POOL, SD, IMG, uuid(4, 3))
    assert seen(folder(chain) / uuid(4, 3), metadata(chain, 3).format) == {0: 1, 1: 2, 2: 3}
    assert hidden(chain)
    chain.ask("spmStop", POOL)
    chain.start_spm()
    assert not hidden(chain)
    assert set(chain.ask("getVolumesList", SD, POOL, IMG)["uuidlist"]) == left


def test_a_preallocated_base_stays_preallocated(two):
    two.done("createVolume", SD, POOL, IMG, SIZE, 5, 1, 2, uuid(4), "")
    two.volume(2, form=4, parent=(1, 1))
    before = len(two.steps.names)
    two.done(*merge(1, 2))
    assert metadata(two, 2).allocation.name == "PREALLOCATED"
    assert "allocate" in two.steps.names[before:]


def test_what_is_no_part_of_a_chain_is_not_merged(chain):
    assert [fails(chain, *merge(*pair)) for pair in ((3, 1), (2, 2), (9, 3))] == [252, 252, 252]
    assert fails(chain, *merge(1, 9)) == 201
    legality(chain, 1, "ILLEGAL")
    assert fails(chain, *merge(2, 3)) == 262
    assert volumes(chain) == [1, 2, 3]


def test_a_template_is_not_merged_away(two):
    two.volume(1, size=SIZE)
    two.done(*snapshot(2, 1, uuid(3, 2), IMG))
    call = ("mergeSnapshots", SD, POOL, BLANK, uuid(3, 2), uuid(4, 1), uuid(4, 2))
    assert fails(two, *call) == 252
    assert (volumes(two), volumes(two, 2)) == ([1], [1, 2])


# set right


def reconciled(light, leaf=3):
    return [int(volume[33:36]) for volume in light.ask("reconcileVolumeChain", POOL, SD, IMG, uuid(4, leaf))["volumes"]]


def test_metadata_follow_what_the_headers_say(chain):
    now(chain.room.storage.volumes.qemu.rebase(folder(chain) / uuid(4, 3), uuid(4, 1), "raw", unsafe=True))
    assert reconciled(chain) == [1, 3]
    assert (metadata(chain, 3).parent, metadata(chain, 1).role.name) == (uuid(4, 1), "INTERNAL")
    assert metadata(chain, 2).parent == uuid(4, 1)


def test_a_leaf_that_was_merged_away_drops_out(chain):
    legality(chain, 3, "ILLEGAL")
    assert reconciled(chain) == [1, 2]
    assert metadata(chain, 2).role.name == "LEAF"
    legality(chain, 2, "ILLEGAL")
    chain.done("deleteVolume", SD, POOL, IMG, [uuid(4, 3)])
    assert reconciled(chain, 1) == [1]
    assert metadata(chain, 1).role.name == "LEAF"


def test_a_chain_that_is_right_is_not_written(chain):
    before = len(chain.steps.names)
    assert reconciled(chain) == [1, 2, 3]
    assert chain.steps.names[before:] == []
    assert chain.code("reconcileVolumeChain", POOL, SD, IMG, uuid(4, 9)) == 201


# prepared


def test_a_chain_is_prepared_from_its_base_up_to_what_is_asked_for(chain):
    (folder(chain) / uuid(4, 1)).chmod(0o600)
    made = chain.ask("prepareImage", POOL, SD, IMG, uuid(4, 2))
    assert [entry["volumeID"] for entry in made["imgVolumesInfo"]] == [uuid(4, 1), uuid(4, 2)]
    assert made["path"] == f"{chain.base}/data-center/{POOL}/{SD}/images/{IMG}/{uuid(4, 2)}"
    assert (folder(chain) / uuid(4, 1)).stat().st_mode & 0o777 == 0o660
    assert made["info"] == made["imgVolumesInfo"][-1]


def test_nothing_is_prepared_of_an_image_with_something_illegal(chain):
    legality(chain, 3, "ILLEGAL")
    assert chain.code("prepareImage", POOL, SD, IMG, uuid(4, 1)) == 227
    legality(chain, 3, "FAKE")
    chain.ask("prepareImage", POOL, SD, IMG, uuid(4, 1))


def test_only_the_connected_pool_is_prepared_in_and_no_pool_needs_none(chain):
    assert chain.code("prepareImage", uuid(1, 9), SD, IMG, uuid(4, 3)) == 309
    made = chain.ask("prepareImage", BLANK, SD, IMG, uuid(4, 3))
    assert made["path"].startswith(f"{chain.base}/run/storage/")
    chain.ask("deleteImage", SD, POOL, IMG)
    assert not (chain.base / "run/storage" / SD / IMG).is_symlink()


def test_an_image_is_looked_for_on_active_data_domains(two):
    two.volume(1)
    two.done(*move(1))
    assert sorted(two.ask("getImageDomainsList", POOL, IMG)["domainslist"]) == [SD, OTHER]
    two.ask("deactivateStorageDomain", OTHER, POOL, BLANK, 0)
    assert two.ask("getImageDomainsList", POOL, IMG)["domainslist"] == [SD]


# told


def test_a_volume_is_as_well_as_its_data_and_metadata_are(chain):
    assert chain.info(3)["status"] == "OK"
    legality(chain, 3, "ILLEGAL")
    assert (chain.info(3)["status"], chain.info(3)["legality"]) == ("ILLEGAL", "ILLEGAL")
    legality(chain, 3, "LEGAL")
    (folder(chain) / uuid(4, 3)).unlink()
    assert (chain.info(3)["status"], chain.info(3)["apparentsize"]) == ("INVALID", "0")
    (folder(chain) / f"{uuid(4, 3)}.meta").write_bytes(b"rubbish")
    assert (chain.info(3)["status"], chain.info(3)["truesize"]) == ("INVALID", "0")
    for image, volume in ((BLANK, uuid(4)), (IMG, BLANK)):
        assert chain.code("getVolumeInfo", SD, POOL, image, volume) == 1000
    assert chain.code("getVolumeInfo", SD, POOL, uuid(3, 8), uuid(4)) == 254
    assert chain.code("setVolumeLegality", SD, POOL, IMG, uuid(4, 1), "legal") == 1000
