"""Mounts: programs that play mount(8) and umount(8) write a table, as the kernel does."""

from pathlib import Path

import pytest
import pytest_twisted
from attrs import frozen
from contract.storage.light import Direct

from virgate.node.storage.errors import CannotMount, IllegalRemotePath, StorageUnusable
from virgate.node.storage.repository import Repository
from virgate.node.storage.servers import mounts
from virgate.node.storage.servers.mount_table import parse
from virgate.node.storage.servers.mounts import Mounts
from virgate.run import process
from virgate.run.errors import CannotStart

PLAYED = {
    "mount": 'echo "$@" >>$PLACE/calls; test -e $PLACE/hangs && sleep 60; if test -e $PLACE/fails; then'
    ' cat $PLACE/fails >&2; exit 32; fi; for to; do from=$was; was=$to; done;'
    ' echo "1 2 0:5 / $to rw - nfs4 $from rw" >>$PLACE/table',
    "umount": 'echo "umount $4" >>$PLACE/calls; test -e $PLACE/stays || sed -i "\\#$4 #d" $PLACE/table',
}  # fmt: skip


@frozen
class PlayedRepository(Repository):
    def mount_table(self):
        return parse((self.run / "table").read_bytes())


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder, self.left, self.problem = folder, [], None
        self.repository = PlayedRepository(folder / "dc", folder, Direct())
        self.mounts = Mounts(self.repository, 5.0, self.check, self.gone)
        for name in ("table", "calls"):
            (folder / name).touch()

    async def check(self, point):
        if self.problem:
            raise self.problem

    async def gone(self, point):
        self.left.append(point.name)

    async def mount(self, remote="nas:/exp", type="nfs", options="soft", **more):
        await self.mounts.mount(remote, type, options, **more)

    def table(self):
        return (self.folder / "table").read_text()

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def points(self):
        mounts = self.folder / "dc" / "mnt"
        return sorted(str(path.relative_to(mounts)) for path in mounts.rglob("*")) if mounts.exists() else []


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    for name, script in PLAYED.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\nPLACE={tmp_path}\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return Place(tmp_path)


@pytest_twisted.ensureDeferred
async def test_a_place_is_mounted_once_and_its_mount_point_goes_with_it(place):
    await place.mount()
    await place.mount()
    point = f"{place.folder}/dc/mnt/nas:_exp"
    assert place.calls() == [f"-t nfs -o soft -- nas:/exp {point}"]
    assert place.mounts.mounted("nas:/exp") and place.points() == ["nas:_exp"]
    await place.mounts.unmount("nas:/exp")
    await place.mounts.unmount("nas:/exp")
    assert place.calls()[1:] == [f"umount {point}"]
    assert (place.points(), place.left) == ([], ["nas:_exp"])


@pytest_twisted.ensureDeferred
async def test_what_lies_below_a_folder_has_its_mount_point_there(place):
    await place.mount(below="glusterSD")
    assert place.points() == ["glusterSD", "glusterSD/nas:_exp"]
    assert not place.mounts.mounted("nas:/exp") and place.mounts.mounted("nas:/exp", below="glusterSD")
    assert [str(path.relative_to(place.repository.mounts)) for path in await place.repository.connected()] == [
        "glusterSD/nas:_exp"
    ]


@pytest_twisted.ensureDeferred
async def test_another_source_in_its_place_is_told_and_left_alone(place):
    await place.mount("nas:/exp")
    table = place.table().replace(" nas:/exp ", " old:/exp ")
    (place.folder / "table").write_text(table)
    with pytest.raises(CannotMount, match=r"shows old:/exp \(nfs4\)") as told:
        await place.mount("nas:/exp")
    assert told.value.cause == "BUSY" and place.table() == table
    (place.folder / "table").write_text(table.replace("old:", "nas:").replace("nfs4", "ext4"))
    with pytest.raises(CannotMount):
        await place.mount("nas:/exp")


@pytest_twisted.ensureDeferred
async def test_a_failure_is_told_by_its_cause_and_leaves_nothing(place):
    (place.folder / "fails").write_text("mount.nfs: access denied by server while mounting nas:/exp\n")
    with pytest.raises(CannotMount, match=r"does not let this host in.*access denied") as told:
        await place.mount()
    assert (told.value.cause, place.points()) == ("DENIED", [])


@pytest_twisted.ensureDeferred
async def test_a_mount_that_hangs_is_killed(place):
    (place.folder / "hangs").touch()
    place.mounts.limit = 0.2
    with pytest.raises(CannotMount, match=r"no answer in time.*killed after 0\.2 seconds"):
        await place.mount()
    assert place.points() == []


@pytest_twisted.ensureDeferred
async def test_a_place_that_cannot_be_used_does_not_stay_mounted(place):
    place.problem = StorageUnusable("x", "not readable")
    with pytest.raises(StorageUnusable):
        await place.mount()
    assert (place.table(), place.points()) == ("", [])


@pytest_twisted.ensureDeferred
async def test_a_place_that_was_mounted_before_stays_so_when_it_cannot_be_used_now(place):
    await place.mount()
    place.problem = StorageUnusable("x", "not readable")
    with pytest.raises(StorageUnusable):
        await place.mount()
    assert place.mounts.mounted("nas:/exp") and place.left == []


@pytest_twisted.ensureDeferred
async def test_everything_that_is_mounted_at_a_place_is_unmounted(place):
    await place.mount()
    (place.folder / "table").write_text(place.table() * 3)
    await place.mounts.unmount("nas:/exp")
    assert (place.table(), place.points()) == ("", [])


@pytest_twisted.ensureDeferred
async def test_a_mount_that_stays_is_told(place):
    await place.mount()
    (place.folder / "stays").touch()
    with pytest.raises(CannotMount, match="cannot be unmounted"):
        await place.mounts.unmount("nas:/exp")
    assert place.points() == ["nas:_exp"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_mounted_upon_the_link_of_a_local_folder(place):
    (place.folder / "dc" / "mnt").mkdir(parents=True)
    link = place.repository.mount_point("/dev/vdb")
    link.symlink_to("/nowhere")
    with pytest.raises(CannotMount, match="local folder"):
        await place.mount("/dev/vdb", "ext4")
    await place.mounts.unmount("/dev/vdb")
    assert link.is_symlink() and place.calls() == []


@pytest_twisted.ensureDeferred
async def test_a_program_that_is_missing_is_told(place, monkeypatch):
    def none(argv, **options):
        raise CannotStart(argv[0], "No such file or directory", 2)

    monkeypatch.setattr(process, "spawn", none)
    with pytest.raises(CannotMount) as told:
        await place.mount()
    assert told.value.cause == "NO_HELPER"


@pytest.mark.parametrize("remote", ["", ".", "..", "/..", "blockSD", "glusterSD", "a\0b"])
def test_no_remote_name_leads_out_of_its_place(place, remote):
    if remote == "/..":
        assert place.repository.mount_point(remote).name == "_"
    else:
        with pytest.raises(IllegalRemotePath):
            place.repository.mount_point(remote)


@pytest_twisted.ensureDeferred
async def test_mount_points_that_nothing_is_mounted_at_are_gone_after_a_restart(place):
    await place.mount()
    mounts = place.repository.mounts
    for name in ("left", "glusterSD/left", "full/of", "blockSD"):
        (mounts / name).mkdir(parents=True)
    (mounts / "_srv").symlink_to("/srv")
    await place.repository.make()
    assert place.points() == ["_srv", "blockSD", "full", "full/of", "glusterSD", "nas:_exp"]


@pytest_twisted.ensureDeferred
async def test_a_device_is_known_by_any_of_its_names_and_an_image_by_its_own(place, monkeypatch):
    monkeypatch.setattr(mounts, "backing_file", lambda device: "/images/disk.img" if device == "/dev/loop7" else None)
    for remote, source in (
        ("/dev/null", "/dev/null"),
        ("/dev/../dev/null", "/dev/null"),
        ("/images/disk.img", "/dev/loop7"),
    ):
        point = place.repository.mount_point(remote)
        (place.folder / "table").write_text(f"1 2 7:7 / {point} rw - ext4 {source} rw\n")
        await place.mount(remote, "ext4", "")
    assert place.calls() == []
    with pytest.raises(CannotMount, match="shows /dev/loop7"):
        (place.folder / "table").write_text(
            f"1 2 7:7 / {point} rw - ext4 /dev/loop7 rw\n".replace("disk.img", "other.img")
        )
        await place.mount("/images/other.img", "ext4", "")
