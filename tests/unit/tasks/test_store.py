"""The journal on disk: what a crash between two steps leaves, and which folder then counts."""

import os

import pytest
import pytest_twisted

from virgate.node.storage.formats.task_files import TaskRecord, encode
from virgate.node.tasks import folders
from virgate.node.tasks.errors import TasksNotLoaded
from virgate.node.tasks.store import DirectFiles, HelperFiles, TaskStore


def write(folder, **files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def record(verb, steps=()):
    return TaskRecord(id="t", verb=verb, tag="spm", state="running", recoveries=tuple(steps))


@pytest_twisted.ensureDeferred
async def test_a_saved_task_is_loaded_as_it_was(store, a_step):
    saved = record("createVolume", [a_step("a", "b"), a_step()])
    await store.save(saved)
    assert await store.load() == [saved]


@pytest_twisted.ensureDeferred
async def test_saving_again_leaves_one_folder_with_the_new_files_only(store, tmp_path, a_step):
    await store.save(record("one", [a_step(), a_step()]))
    await store.save(record("two"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]
    assert sorted(file.name for file in (tmp_path / "t").iterdir()) == ["t.task"]
    assert (await store.load())[0].verb == "two"


@pytest_twisted.ensureDeferred
async def test_what_a_crash_left_beside_a_folder_does_not_hinder_a_save(store, tmp_path):
    for name in ("t", "t.temp", "t.backup"):
        write(tmp_path / name, **encode(record("old")))
    await store.save(record("new"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]
    assert (await store.load())[0].verb == "new"


@pytest.mark.parametrize(
    ("present", "counts"),
    [
        ({"t": "new", "t.backup": "old"}, "new"),
        ({"t.temp": "new", "t.backup": "old"}, "new"),
        ({"t.temp": "new", "t": "old"}, "old"),
        ({"t.backup": "old"}, "old"),
        ({"t.temp": "new"}, "new"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_folder_counts_then_temp_then_backup(store, tmp_path, present, counts):
    for name, verb in present.items():
        write(tmp_path / name, **encode(record(verb)))
    assert [task.verb for task in await store.load()] == [counts]


@pytest_twisted.ensureDeferred
async def test_a_half_written_folder_does_not_count(store, tmp_path, a_step):
    half = encode(record("new", [a_step(), a_step()]))
    del half["t.recover.1"]
    write(tmp_path / "t.temp", **half)
    write(tmp_path / "t.backup", **encode(record("old")))
    assert [task.verb for task in await store.load()] == ["old"]


@pytest_twisted.ensureDeferred
async def test_what_is_no_task_is_left_alone(store, tmp_path):
    (tmp_path / "a file").write_text("hello")
    write(tmp_path / "empty")
    write(tmp_path / "cut", **{"cut.task": b"id = cut\nna"})
    write(tmp_path / "noise", **{"noise.task": os.urandom(300)})
    assert await store.load() == []
    assert len(list(tmp_path.iterdir())) == 4


@pytest_twisted.ensureDeferred
async def test_removing_takes_all_three_names_and_bears_that_none_is_there(store, tmp_path):
    for name in ("t", "t.temp", "t.backup", "other"):
        write(tmp_path / name, **encode(record("x")))
    await store.remove("t")
    await store.remove("t")
    assert [entry.name for entry in tmp_path.iterdir()] == ["other"]


@pytest_twisted.ensureDeferred
async def test_a_folder_that_cannot_be_listed_is_408(tmp_path):
    with pytest.raises(TasksNotLoaded) as refused:
        await TaskStore(tmp_path / "missing", DirectFiles()).load()
    assert refused.value.code == 408


def test_an_interrupted_swap_never_loses_the_task(tmp_path, monkeypatch):
    """The writer is stopped before each of its steps in turn; a complete version is always readable."""
    steps = []

    def stop_after(count):
        steps.clear()

        def trace(frame, event, argument):
            if frame.f_code is folders.write_folder_atomically.__code__ and event == "line":
                steps.append(frame.f_lineno)
                if len(steps) > count:
                    raise KeyboardInterrupt
            return trace

        return trace

    import sys

    for count in range(40):
        folder = tmp_path / f"t{count}" / "t"
        folder.parent.mkdir()
        folders.write_folder_atomically(str(folder), encode(record("old")))
        monkeypatch.setattr(folders, "_sync", lambda folder: None)
        sys.settrace(stop_after(count))
        try:
            folders.write_folder_atomically(str(folder), encode(record("new")))
            finished = True
        except KeyboardInterrupt:
            finished = False
        finally:
            sys.settrace(None)
        found = folders.read_folders(str(folder.parent))
        loaded = TaskStore(folder.parent, DirectFiles())._choose("t", found)
        assert loaded is not None and loaded.verb in ("old", "new"), f"lost after step {count}"
        if finished:
            assert loaded.verb == "new"
            return
    raise AssertionError("the writer has more steps than this test tries")


def test_a_save_is_lasting_before_it_replaces_the_one_before(tmp_path, monkeypatch):
    """Without its power a disk forgets whatever was not synced: each step may only build on what was."""
    lasting, real = set(), {"fsync": os.fsync, "rename": folders.Path.rename, "rmtree": folders.shutil.rmtree}
    said = []

    def fsync(handle):
        lasting.add(os.readlink(f"/proc/self/fd/{handle}"))
        real["fsync"](handle)

    def rename(self, target):
        if str(self).endswith(folders.TEMP):
            said.append(("swap", {str(file) for file in self.iterdir()} | {str(self)} <= lasting))
            lasting.discard(str(tmp_path))
        return real["rename"](self, target)

    def rmtree(folder):
        if str(folder).endswith(folders.BACKUP) and os.path.exists(folder):
            said.append(("drop", str(tmp_path) in lasting))
        return real["rmtree"](folder)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(folders.Path, "rename", rename)
    monkeypatch.setattr(folders.shutil, "rmtree", rmtree)
    for verb in ("old", "new"):
        folders.write_folder_atomically(str(tmp_path / "t"), encode(record(verb)))
    assert said == [("swap", True), ("swap", True), ("drop", True)]


def test_a_journal_of_another_user_stays_his_as_a_whole(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # whoever runs the test, the journal is another's
    monkeypatch.setattr(os, "chown", lambda place, user, group: given.append((str(place), user, group)))
    old = os.umask(0o077)
    try:
        folders.write_folder_atomically(str(tmp_path / "t"), {"t.task": b""})
    finally:
        os.umask(old)
    owner = (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    assert len(given) == 2 and all((user, group) == owner for _, user, group in given)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "t", tmp_path / "t" / "t.task")]
    assert modes == [0o755, 0o644]


def test_who_may_not_give_files_away_keeps_them(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError

    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    monkeypatch.setattr(os, "chown", refuse)
    folders.write_folder_atomically(str(tmp_path / "t"), encode(record("x")))
    assert folders.read_folders(str(tmp_path))["t"] == encode(record("x"))


def test_a_write_that_fails_leaves_the_old_folder_and_no_rest(tmp_path):
    folder = tmp_path / "t"
    folders.write_folder_atomically(str(folder), encode(record("old")))
    with pytest.raises(OSError, match="too long"):
        folders.write_folder_atomically(str(folder), {"t.task": b"", "x" * 300: b""})
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]
    assert folders.read_folders(str(tmp_path))["t"] == encode(record("old"))


@pytest_twisted.ensureDeferred
async def test_a_helper_does_the_same_by_name(tmp_path):
    class Helper:
        async def call(self, operation, *arguments):
            return folders.OPERATIONS[operation](*arguments)

    store = TaskStore(tmp_path, HelperFiles(Helper()))
    await store.save(record("x"))
    assert await store.load() == [record("x")]
    await store.remove("t")
    assert await store.load() == []


def test_links_and_endless_files_of_other_hosts_are_not_read(tmp_path):
    folder = tmp_path / "tasks" / "t"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "t.task").write_bytes(b"id = t\n")
    (folder / "t.result").symlink_to(tmp_path / "secret")
    with (folder / "t.job.0").open("wb") as endless:
        endless.truncate(1 << 40)
    assert folders.read_folders(str(tmp_path / "tasks")) == {"t": {"t.task": b"id = t\n"}}
