"""What an oVirt host that was SPM may leave in the journal (spec xmlrpc-storage 5.3), undone on real files.

Each test writes such a journal, takes the role of SPM, and looks at what is left on the domain.
"""

import pytest
from contract.storage.light import now, seen, write
from contract.storage.room import BLANK, POOL, uuid
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.task_files import JobRecord, Recovery, TaskRecord
from virgate.node.storage.formats.volume_metadata import VolumeFormat

SD, IMG, VOL, LEAF = uuid(2), uuid(3), uuid(4), uuid(4, 2)
TASK = uuid(6)
FOLDER = f"/rhev/data-center/{POOL}/{SD}/images/{IMG}"
FILE, ANY = ("fileVolume", "FileVolume"), ("volume", "Volume")


def step(place, function, *params, name="a step"):
    return Recovery(name, *place, function, params)


@pytest.fixture
def stopped(pooled):
    """The pool with a raw base and a qcow2 leaf; nobody is SPM."""
    pooled.volume(1, size="16384")
    pooled.volume(2, form=4, parent=(1, 1))
    pooled.ask("spmStop", POOL)
    return pooled


def undone(light, *steps, state="running", **policies):
    """How the task of another host ends when this host becomes SPM."""
    record = TaskRecord(
        id=TASK,
        verb="createVolume",
        tag="spm",
        state=state,
        recoveries=steps,
        jobs=(JobRecord("j", "run"),),
        **policies,
    )
    pool = light.room.storage.pools.connected
    now(pool.spm.journal(now(pool.master())).save(record))
    light.start_spm()
    for _ in range(50):  # a step that fails is tried again for some minutes
        status = light.ask("getTaskStatus", TASK)["taskStatus"]
        if status["taskState"] == "cleaning":
            light.clock.advance(8)
    return status["taskState"], status["taskResult"]


UNDONE = ("finished", "cleanSuccess")


def folder(light, image=IMG):
    return light.folder() / "images" / image


def files(light, image=IMG):
    return sorted(path.name for path in folder(light, image).iterdir()) if folder(light, image).exists() else None


def both(*volumes):
    return sorted(name for volume in volumes for name in (volume, f"{volume}.meta"))


def told(light, number):
    return light.info(number)


def forget_metadata(light, volume=LEAF):
    (folder(light) / f"{volume}.meta").unlink()


def test_an_image_folder_is_removed_if_it_is_empty(stopped):
    other = uuid(3, 2)
    folder(stopped, other).mkdir()
    path = FOLDER.replace(IMG, other)
    assert undone(stopped, step(("image", "Image"), "createImageRollback", path)) == UNDONE
    assert files(stopped, other) is None


def test_an_image_folder_with_something_in_it_stays(stopped):
    assert undone(stopped, step(("image", "Image"), "createImageRollback", FOLDER)) == UNDONE
    assert files(stopped) == both(VOL, LEAF)


@pytest.mark.parametrize("params", [(f"{FOLDER}/{LEAF}",), (SD, LEAF, f"{FOLDER}/{LEAF}")])
def test_data_without_metadata_are_removed(stopped, params):
    forget_metadata(stopped)
    assert undone(stopped, step(FILE, "halfbakedVolumeRollback", *params)) == UNDONE
    assert files(stopped) == both(VOL)


def test_data_with_metadata_are_no_half_baked_volume(stopped):
    assert undone(stopped, step(FILE, "halfbakedVolumeRollback", f"{FOLDER}/{LEAF}")) == UNDONE
    assert files(stopped) == both(VOL, LEAF)


def test_metadata_of_a_volume_that_was_not_finished_are_removed(stopped):
    assert undone(stopped, step(FILE, "createVolumeMetadataRollback", f"{FOLDER}/{LEAF}")) == UNDONE
    assert files(stopped) == both(VOL)


@pytest.mark.parametrize("place", [FILE, ("glusterVolume", "GlusterVolume")])
def test_a_finished_volume_is_deleted_and_its_parent_is_a_leaf_again(stopped, place):
    params = (f"/rhev/data-center/{POOL}", SD, IMG, LEAF, FOLDER)
    assert told(stopped, 1)["voltype"] == "INTERNAL"
    assert undone(stopped, step(place, "createVolumeRollback", *params)) == UNDONE
    assert files(stopped) == both(VOL)
    assert told(stopped, 1)["voltype"] == "LEAF"


def test_the_last_volume_takes_its_image_along(stopped):
    steps = [
        step(FILE, "createVolumeRollback", f"/rhev/data-center/{POOL}", SD, IMG, volume, FOLDER)
        for volume in (VOL, LEAF)
    ]
    assert undone(stopped, *steps) == UNDONE
    assert files(stopped) is None


def test_a_volume_whose_metadata_cannot_be_read_is_deleted_all_the_same(stopped):
    (folder(stopped) / f"{LEAF}.meta").write_bytes(b"rubbish")
    params = (f"/rhev/data-center/{POOL}", SD, IMG, LEAF, FOLDER)
    assert undone(stopped, step(FILE, "createVolumeRollback", *params)) == UNDONE
    assert files(stopped) == both(VOL)


def test_a_link_to_a_template_goes_and_the_template_stays(pooled):
    pooled.volume(1, size="16384")
    pooled.volume(2, image=2, form=4, parent=(1, 1))
    pooled.ask("spmStop", POOL)
    clone = uuid(3, 2)
    (folder(pooled, clone) / f"{LEAF}.meta").unlink()
    (folder(pooled, clone) / LEAF).unlink()
    path = f"{FOLDER.replace(IMG, clone)}/{VOL}"
    assert undone(pooled, step(FILE, "shareVolumeRollback", path)) == UNDONE
    assert (files(pooled), files(pooled, clone)) == (both(VOL), [])
    assert (folder(pooled) / VOL).stat().st_nlink == 1


def test_a_volume_is_not_taken_for_a_link_to_itself(stopped):
    assert undone(stopped, step(FILE, "shareVolumeRollback", f"{FOLDER}/{VOL}")) == UNDONE
    assert files(stopped) == both(VOL, LEAF)


@pytest.mark.parametrize("place", [FILE, ANY])
@pytest.mark.parametrize("domain", [(), (SD,)], ids=["two paths", "with the domain"])
def test_a_renamed_volume_gets_its_name_back_with_all_its_files(stopped, place, domain):
    for ending in ("", ".meta"):
        (folder(stopped) / f"{LEAF}{ending}").rename(folder(stopped) / f"_remove_me_abcdefgh_{LEAF}{ending}")
    new, old = f"{FOLDER}/_remove_me_abcdefgh_{LEAF}", f"{FOLDER}/{LEAF}"
    assert undone(stopped, step(place, "renameVolumeRollback", *domain, new, old)) == UNDONE
    assert files(stopped) == both(VOL, LEAF)


def test_a_parent_without_children_is_a_leaf_and_one_with_children_is_not(stopped):
    assert undone(stopped, step(ANY, "parentVolumeRollback", SD, IMG, VOL)) == UNDONE
    assert told(stopped, 1)["voltype"] == "INTERNAL"
    stopped.ask("clearTask", TASK)
    stopped.ask("spmStop", POOL)
    for ending in ("", ".meta"):
        (folder(stopped) / f"{LEAF}{ending}").unlink()
    assert undone(stopped, step(ANY, "parentVolumeRollback", SD, IMG, VOL)) == UNDONE
    assert told(stopped, 1)["voltype"] == "LEAF"


def test_a_rebased_volume_lies_on_its_old_parent_again(stopped):
    write(folder(stopped) / VOL, VolumeFormat.RAW, {1: 7})
    write(folder(stopped) / LEAF, VolumeFormat.COW, {0: 9})
    meta = folder(stopped) / f"{LEAF}.meta"
    meta.write_bytes(meta.read_bytes().replace(f"PUUID={VOL}".encode(), f"PUUID={BLANK}".encode()))
    now(stopped.room.storage.volumes.qemu.rebase(folder(stopped) / LEAF, "", "", unsafe=True))
    assert undone(stopped, step(ANY, "rebaseVolumeRollback", SD, IMG, LEAF, "5", VOL, "True")) == UNDONE
    assert told(stopped, 2)["parent"] == VOL
    assert seen(folder(stopped) / LEAF, VolumeFormat.COW) == {0: 9, 1: 7}


def test_a_size_is_what_the_data_have(stopped):
    (folder(stopped) / VOL).write_bytes(bytes(32768))
    steps = [step(ANY, "extendSizeFinalize", SD, IMG, volume) for volume in (VOL, LEAF)]
    assert undone(stopped, *steps) == UNDONE
    assert (told(stopped, 1)["capacity"], told(stopped, 2)["capacity"]) == ("32768", "16384")


@pytest.mark.parametrize(
    ("place", "function", "params"),
    [
        (("image", "Image"), "createImageRollback", (FOLDER,)),
        (FILE, "startCreateVolumeRollback", (SD, IMG, VOL)),
        (FILE, "halfbakedVolumeRollback", (f"{FOLDER}/{VOL}",)),
        (FILE, "createVolumeMetadataRollback", (f"{FOLDER}/{VOL}",)),
        (FILE, "createVolumeRollback", (f"/rhev/data-center/{POOL}", SD, IMG, VOL, FOLDER)),
        (FILE, "shareVolumeRollback", (f"{FOLDER}/{VOL}",)),
        (ANY, "parentVolumeRollback", (SD, IMG, VOL)),
        (ANY, "rebaseVolumeRollback", (SD, IMG, LEAF, "5", VOL, "True")),
        (ANY, "extendSizeFinalize", (SD, IMG, VOL)),
        (ANY, "killProcRollback", ("123", "456")),
        (("blockVolume", "BlockVolume"), "createVolumeMetadataRollback", (SD, "7")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("there", ["nothing", "folder"])
def test_every_step_bears_that_there_is_nothing_to_undo(pooled, place, function, params, there):
    pooled.ask("spmStop", POOL)
    if there == "folder":
        folder(pooled).mkdir()
    assert undone(pooled, step(place, function, *params)) == UNDONE


def test_a_step_that_fails_is_told_and_the_others_are_done(stopped):
    forget_metadata(stopped)
    steps = [
        step(FILE, "halfbakedVolumeRollback", f"{FOLDER}/{LEAF}"),
        step(FILE, "createVolumeMetadataRollback", "/etc/passwd"),
        step(ANY, "extendSizeFinalize", uuid(2, 9), IMG, VOL),
    ]
    assert undone(stopped, *steps) == ("finished", "cleanFailure")
    assert files(stopped) == both(VOL)


@pytest.mark.parametrize(
    ("state", "policies", "ends", "left"),
    [
        ("finished", {}, ("finished", "success"), True),
        ("recovered", {}, ("finished", "cleanSuccess"), True),
        ("failed", {}, ("finished", "cleanFailure"), True),
        ("preparing", {}, UNDONE, False),
        ("queued", {}, UNDONE, False),
        ("racquiring", {}, UNDONE, False),
        ("recovering", {}, UNDONE, False),
        ("aborting", {}, UNDONE, False),
        ("waitrecover", {}, ("cleaning", ""), True),
        ("running", {"recovery_policy": "none"}, ("finished", "cleanFailure"), True),
        ("a word of tomorrow", {}, UNDONE, False),
    ],
)
def test_a_task_of_any_state_ends_as_the_specification_says(stopped, state, policies, ends, left):
    steps = step(FILE, "createVolumeRollback", f"/rhev/data-center/{POOL}", SD, IMG, LEAF, FOLDER)
    assert undone(stopped, steps, state=state, **policies) == ends
    assert files(stopped) == (both(VOL, LEAF) if left else both(VOL))


ids = st.sampled_from([SD, IMG, VOL, LEAF, uuid(2, 9), uuid(3, 9), uuid(4, 9), BLANK, "", ".", "..", "x", "5", "True"])
paths = st.builds(
    lambda *parts: "/".join(parts), st.sampled_from(["", "/rhev/data-center", "..", "/etc"]), ids, ids, ids, ids
)
functions = st.sampled_from(
    [
        ("Image", "createImageRollback"),
        ("FileVolume", "halfbakedVolumeRollback"),
        ("FileVolume", "createVolumeMetadataRollback"),
        ("FileVolume", "createVolumeRollback"),
        ("FileVolume", "shareVolumeRollback"),
        ("FileVolume", "renameVolumeRollback"),
        ("Volume", "parentVolumeRollback"),
        ("Volume", "rebaseVolumeRollback"),
        ("Volume", "extendSizeFinalize"),
        ("StorageDomain", "create_image_rollback"),
        ("os", "system"),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=functions, params=st.lists(ids | paths, max_size=6))
def test_no_journal_whatever_it_says_reaches_beyond_the_images_of_its_domain(stopped, found, params):
    """The task ends; the role is taken; outside of the image nothing changes, and the base keeps its data."""
    (stopped.base / "outside").write_bytes(b"not ours")
    outside = {path: path.read_bytes() for path in (stopped.base / "outside", stopped.folder() / "dom_md" / "ids")}
    steps = Recovery("x", "m", *found, tuple(params))
    state, result = undone(stopped, steps)
    assert (state, result in ("cleanSuccess", "cleanFailure")) == ("finished", True)
    stopped.ask("clearTask", TASK)
    stopped.ask("spmStop", POOL)
    assert {path: path.read_bytes() for path in outside} == outside
    names = {path.name for path in stopped.folder().iterdir()}
    assert names == {"dom_md", "images", "master"}
    assert {path.name for path in (stopped.folder() / "dom_md").iterdir()} == {
        "ids", "inbox", "leases", "metadata", "outbox",
    }  # fmt: skip
    for meta in (stopped.folder() / "images").rglob("*.meta"):
        volume_metadata.decode(meta.read_bytes())
