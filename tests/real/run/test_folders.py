"""Watched folders, on the real file system."""

import os
import shutil

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.run.folders import FolderWatch

QUIET = 0.05


class Told:
    """The calls of a watch, to be awaited one by one."""

    def __init__(self):
        self.calls = []
        self._waiting = None

    def __call__(self, folder):
        self.calls.append(folder)
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting.callback(None)

    async def next(self):
        while not self.calls:
            self._waiting = Deferred().addTimeout(5, reactor)
            await self._waiting
        return self.calls.pop(0)

    async def nothing_more(self):
        await deferLater(reactor, QUIET * 4)
        assert self.calls == []


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def watch(told):
    watch = FolderWatch(told, quiet=QUIET)
    yield watch
    watch.close()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new").write_text("x"),
        lambda folder: (folder / "old").write_text("changed"),
        lambda folder: (folder / "old").unlink(),
        lambda folder: (folder / "old").rename(folder / "other"),
        lambda folder: (folder / "old").chmod(0o755),
        lambda folder: (folder / "link").symlink_to("old"),
        lambda folder: os.replace(folder.parent / "outside", folder / "old"),
    ],
    ids=["create", "write", "remove", "rename", "chmod", "symlink", "replace"],
)
async def test_every_kind_of_change_is_told(watch, told, tmp_path, change):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("old")
    (tmp_path / "outside").write_text("outside")
    watch.add(folder)
    change(folder)
    assert await told.next() == folder


@pytest_twisted.ensureDeferred
async def test_a_burst_is_one_call(watch, told, tmp_path):
    watch.add(tmp_path)
    for number in range(500):
        (tmp_path / f"file{number}").write_text("x")
    assert await told.next() == tmp_path
    await told.nothing_more()


@pytest_twisted.ensureDeferred
async def test_reading_is_no_change(watch, told, tmp_path):
    (tmp_path / "file").write_text("x")
    watch.add(tmp_path)
    (tmp_path / "file").read_text()
    list(tmp_path.iterdir())
    await told.nothing_more()


@pytest_twisted.ensureDeferred
async def test_each_folder_is_told_by_its_own_name(watch, told, tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        watch.add(tmp_path / name)
    (tmp_path / "two/file").touch()
    assert await told.next() == tmp_path / "two"
    await told.nothing_more()


@pytest_twisted.ensureDeferred
async def test_a_folder_that_appears_later_is_told_and_watched(watch, told, tmp_path):
    folder = tmp_path / "a/b/c"
    watch.add(folder)
    folder.mkdir(parents=True)
    assert await told.next() == folder
    await told.nothing_more()
    (folder / "file").touch()
    assert await told.next() == folder


@pytest_twisted.ensureDeferred
async def test_what_happens_around_a_missing_folder_is_not_told(watch, told, tmp_path):
    watch.add(tmp_path / "a/b")
    (tmp_path / "file").touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/other").mkdir()
    await told.nothing_more()
    (tmp_path / "a/b").mkdir()
    assert await told.next() == tmp_path / "a/b"


@pytest_twisted.ensureDeferred
async def test_a_folder_is_told_of_though_another_is_awaited_in_it(watch, told, tmp_path):
    watch.add(tmp_path / "missing")
    watch.add(tmp_path)
    (tmp_path / "file").touch()
    assert await told.next() == tmp_path
    watch.remove(tmp_path)
    (tmp_path / "file").write_text("x")
    await told.nothing_more()
    (tmp_path / "missing").mkdir()
    assert await told.next() == tmp_path / "missing"


@pytest_twisted.ensureDeferred
async def test_a_folder_removed_and_made_anew_is_watched_again(watch, told, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    watch.add(folder)
    shutil.rmtree(folder)
    assert await told.next() == folder
    folder.mkdir()
    assert await told.next() == folder
    (folder / "file").touch()
    assert await told.next() == folder


@pytest_twisted.ensureDeferred
async def test_a_folder_moved_away_is_not_followed(watch, told, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    watch.add(folder)
    folder.rename(tmp_path / "moved")
    assert await told.next() == folder
    (tmp_path / "moved/file").touch()
    await told.nothing_more()
    folder.mkdir()
    assert await told.next() == folder


@pytest_twisted.ensureDeferred
async def test_folders_below_count_when_wanted_also_new_ones(watch, told, tmp_path):
    (tmp_path / "before_vm_start").mkdir()
    watch.add(tmp_path, below=True)
    (tmp_path / "before_vm_start/script").touch()
    assert await told.next() == tmp_path
    (tmp_path / "after_vm_start").mkdir()
    assert await told.next() == tmp_path
    (tmp_path / "after_vm_start/script").touch()
    assert await told.next() == tmp_path


@pytest_twisted.ensureDeferred
async def test_folders_below_do_not_count_otherwise(watch, told, tmp_path):
    (tmp_path / "below").mkdir()
    watch.add(tmp_path)
    (tmp_path / "below/file").touch()
    await told.nothing_more()


@pytest_twisted.ensureDeferred
async def test_a_removed_folder_is_silent_even_in_the_middle_of_a_burst(watch, told, tmp_path):
    watch.add(tmp_path)
    (tmp_path / "file").touch()
    await deferLater(reactor, QUIET / 5)
    watch.remove(tmp_path)
    (tmp_path / "other").touch()
    await told.nothing_more()


@pytest_twisted.ensureDeferred
async def test_a_listener_that_raises_hears_the_next_change_all_the_same(tmp_path):
    heard = Told()

    def changed(folder):
        heard(folder)
        raise ZeroDivisionError

    watch = FolderWatch(changed, quiet=QUIET)
    watch.add(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).touch()
        assert await heard.next() == tmp_path
    watch.close()
    watch.close()
