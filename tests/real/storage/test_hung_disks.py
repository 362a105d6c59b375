"""Disks that hang: a played `lvm` that reads disks made of files, as the real one would, and waits where they hang."""

import sys

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from virgate.node.storage.errors.volume_groups import CannotCreateLogicalVolume, CannotListGroups, NoSuchGroup
from virgate.node.storage.lvm import commands, running
from virgate.node.storage.lvm.lvm import Lvm

PLAYED = """#!{python}
import os, pathlib, sys, time
words = sys.argv[1:]
seen = words[words.index("--devices") + 1].split(",") if "--devices" in words else []
with open({log!r}, "a") as log:
    print(words[0], *seen, file=log)
for device in seen:
    while pathlib.Path(device + ".hangs").exists():
        time.sleep(0.02)
groups = dict()
for device in seen:
    groups.setdefault(pathlib.Path(device).read_text(), []).append(device)
wanted = [word for word in words if word in groups]
if words[0] in ("vgs", "lvs") and not wanted and words[-1].startswith("group"):
    sys.exit(5)
for group, devices in groups.items():
    if wanted and group not in wanted or not group:
        continue
    if words[0] == "vgs":
        for device in devices:
            print(f"u-{{group}}|{{group}}|wz--n-|1000|500|10|100|50|tag|10|5|1|{{len(devices)}}|{{device}}")
    if words[0] == "lvs":
        print(f"u|volume|{{group}}|-wi-------|1000|0|{{devices[0]}}(0)|")
"""


class Disks:
    """Each file says which group is on it; one that hangs has a sign beside it."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "lvm").write_text(PLAYED.format(python=sys.executable, log=str(folder / "log")))
        (programs / "lvm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin")
        monkeypatch.setattr(running, "SOON", 0.7)
        monkeypatch.setattr(running, "ANSWER", 0.1)
        self.waiting, self.broken = {}, set()
        self.paths = [self.path(number) for number in range(3)]
        for number in range(3):
            self.hold(number, f"group{number}")
        self.shown = list(self.paths)
        self.lvm = Lvm(lambda: self.shown, answers=self.answers, forget=self.look)

    def look(self):
        self.shown = list(self.paths)

    def path(self, number):
        return str(self.folder / f"disk{number}")

    def hold(self, number, group):
        (self.folder / f"disk{number}").write_text(group)

    def hang(self, number):
        (self.folder / f"disk{number}.hangs").touch()

    def go_on(self, number):
        (self.folder / f"disk{number}.hangs").unlink()
        self.waiting.pop(self.path(number)).callback(True)

    async def answers(self, device):
        if device in self.broken:
            return False
        if (self.folder / f"{device}.hangs").exists():
            assert device not in self.waiting, "one that is asked is not asked again"
            self.waiting[device] = Deferred()
            return await self.waiting[device]
        return True

    def ran(self):
        """Commands since the last look, with the numbers of the disks they were shown."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.replace(str(self.folder) + "/disk", "") for line in lines]


@pytest.fixture
def disks(tmp_path, monkeypatch):
    return Disks(tmp_path, monkeypatch)


@pytest_twisted.ensureDeferred
async def test_what_is_asked_of_one_group_is_read_from_its_own_disks(disks):
    await disks.lvm.groups()
    assert disks.ran() == ["vgs 0 1 2"]
    await disks.lvm.volumes("group1", fresh=True)
    await disks.lvm.group("group2", fresh=True)
    disks.lvm.invalidate()
    await disks.lvm.volumes("group0")
    assert disks.ran() == ["lvs 1", "vgs 2", "lvs 0"]


@pytest_twisted.ensureDeferred
async def test_a_group_on_a_disk_that_hangs_is_told_as_it_was_and_all_others_as_they_are(disks):
    await disks.lvm.groups()
    disks.hang(1)
    disks.ran()
    found = await disks.lvm.groups(fresh=True)
    assert disks.ran() == ["vgs 0 1 2", "vgs 0 2"]
    assert {name: group.partial for name, group in found.items()} == {"group0": False, "group1": True, "group2": False}
    assert (await disks.lvm.recent_group("group1", 60)).away
    await disks.lvm.groups(fresh=True)
    assert disks.ran() == ["vgs 0 2"], "it is left out from then on"


@pytest_twisted.ensureDeferred
async def test_who_asks_for_a_group_that_hangs_hears_so_and_the_others_do_not_wait_for_it(disks):
    await disks.lvm.groups()
    disks.hang(1)
    asked = [Deferred.fromCoroutine(disks.lvm.volumes(f"group{number}", fresh=True)) for number in (0, 2)]
    with pytest.raises(CannotListGroups, match=r"no answer from .*disk1"):
        await disks.lvm.group("group1", fresh=True)
    assert [list(found) for found in await gatherResults(asked)] == [["volume"], ["volume"]]
    disks.ran()
    with pytest.raises(CannotCreateLogicalVolume, match=r"no answer from .*disk1"):
        await disks.lvm.create("group1", "new", 10)
    with pytest.raises(CannotListGroups):
        await disks.lvm.group("group1", fresh=True)
    assert disks.ran() == [], "no program is run for it"


@pytest_twisted.ensureDeferred
async def test_a_disk_that_goes_on_is_used_again_by_itself(disks):
    await disks.lvm.groups()
    disks.hang(1)
    await disks.lvm.groups(fresh=True)
    disks.go_on(1)
    assert not (await disks.lvm.groups())["group1"].partial
    assert not (await disks.lvm.group("group1", fresh=True)).away


@pytest_twisted.ensureDeferred
async def test_a_disk_that_lost_its_paths_keeps_its_group_until_they_work_again(disks):
    await disks.lvm.groups()
    disks.shown.pop(1)
    disks.broken.add(disks.path(1))
    assert (await disks.lvm.groups(fresh=True))["group1"].away
    disks.broken.clear()
    assert not (await disks.lvm.groups(fresh=True))["group1"].away


@pytest_twisted.ensureDeferred
async def test_one_disk_under_two_names_hangs_under_both(disks):
    link = disks.folder / "by-id"
    link.symlink_to(disks.path(1))
    disks.paths[1] = disks.shown[1] = str(link)
    await disks.lvm.groups()
    disks.hang(1)
    (disks.folder / "by-id.hangs").touch()
    await disks.lvm.groups(fresh=True)
    disks.shown[1] = disks.path(1)
    disks.ran()
    assert (await disks.lvm.groups(fresh=True))["group1"].away
    assert disks.ran() == ["vgs 0 2"]


@pytest_twisted.ensureDeferred
async def test_a_change_is_not_begun_a_second_time(disks):
    await disks.lvm.groups()
    disks.hang(1)
    disks.ran()
    command = commands.create_volume("group1", "new", 10)
    with pytest.raises(CannotListGroups, match=r"no answer from .*disk1"):
        await disks.lvm.run(command, "group1", CannotListGroups, patience=0.3)
    assert disks.ran() == ["lvcreate 1"]


@pytest_twisted.ensureDeferred
async def test_a_slow_report_is_waited_for_when_every_disk_answers(disks, monkeypatch):
    monkeypatch.setattr(running, "SOON", 0.001)
    assert set(await disks.lvm.groups()) == {"group0", "group1", "group2"}


@pytest_twisted.ensureDeferred
async def test_a_disk_that_another_host_used_otherwise_has_no_group_any_more(disks):
    await disks.lvm.groups()
    disks.hold(1, "group9")
    assert set(await disks.lvm.groups(fresh=True)) == {"group0", "group2", "group9"}
    with pytest.raises(NoSuchGroup):
        await disks.lvm.group("group1", fresh=True)


@pytest_twisted.ensureDeferred
async def test_a_disk_that_was_taken_away_takes_its_group_along(disks):
    await disks.lvm.groups()
    del disks.paths[1]
    disks.look()
    (disks.folder / "disk1").unlink()
    assert set(await disks.lvm.groups(fresh=True)) == {"group0", "group2"}


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["lvm", "vgs", "--noheadings"], False),
        (["lvm", "lvchange", "--available", "y", "a/b"], False),
        (["lvm", "lvchange", "--addtag", "x", "a/b"], True),
        (["lvm", "lvchange", "--addtag", "x", "--available", "n", "a/b"], True),
        (["lvm", "pvcreate", "--test", "/dev/a"], False),
        (["lvm", "pvmove", "/dev/a"], True),
        (["lvm", "lvextend", "--driverloaded", "n", "a/b"], True),
    ],
)
def test_what_changes_storage_is_known_by_its_words(words, changes):
    assert running.writes(words) is changes
