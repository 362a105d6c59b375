"""The manager of a pool dies in the middle of its work: another host takes over, and nothing is left half done."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.grounds import NfsGround
from lab.nodes import Node
from lab.pools import BLANK, MIB, RAW, SPARSE, Disk, Pool, new_id
from lab.timeline import Timeline
from lab.watcher import Watcher, dead_after, fails_after, free_after

LEAF = 8
SIZE = 1024 * MIB
BEGUN = 64 * MIB
IO_TIMEOUT = 2
WAIT, SPREAD, LOOK = 1.0, 0.5, 1.0
"""Seconds without an SPM before hosts contend, random delay beyond that, seconds between two looks."""
ELECTION = {"spm.election_after": WAIT, "spm.election_spread": SPREAD}
MARGIN = 3.0
NOT_SPM = 654
KERNEL_PATIENCE = 240
"""Seconds: after a long outage the kernel tries a connection again late, and until then nothing on it can be killed."""


def fill(path: Path) -> str:
    """Random bytes, written where the server keeps them; returns their digest."""
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        for _ in range(SIZE // (16 * MIB)):
            piece = os.urandom(16 * MIB)
            digest.update(piece)
            file.write(piece)
        os.fsync(file.fileno())
    return digest.hexdigest()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Copy:
    """A copy of a large volume to another domain, as the server sees it."""

    def __init__(self, ground: NfsGround, pool: Pool) -> None:
        self.pool = pool
        self._folders = [ground.nfs.path(export) for export in ground.places]
        self.source = pool.disk(SIZE, form=RAW)
        self.target = Disk(pool.domains[1], new_id(), new_id())
        self.data = fill(self.file(self.source))

    def file(self, disk: Disk) -> Path:
        folder = self._folders[self.pool.domains.index(disk.domain)]
        return folder / disk.domain / "images" / disk.image / disk.volume

    def begin(self) -> str:
        source, target = self.source, self.target
        where = [source.domain, self.pool.id, BLANK, source.image, source.volume, target.image, target.volume]
        form = [target.domain, LEAF, RAW, SPARSE, "false", "false"]
        return str(self.pool.spm.call("copyImage", *where, "a copy", *form)["uuid"])

    def wait_until_under_way(self) -> float:
        """Returns the part that is copied, between 0 and 1."""
        file, deadline = self.file(self.target), time.monotonic() + 30
        while not file.exists() or file.stat().st_blocks * 512 < BEGUN:
            assert time.monotonic() < deadline, "the copy does not begin"
            time.sleep(0.01)
        return file.stat().st_blocks * 512 / SIZE

    def check(self) -> str:
        """How it ended. Nothing between all and nothing will do."""
        folder = self.file(self.target).parent
        if self.target.image in self.pool.spm.call("getImagesList", self.target.domain)["imageslist"]:
            assert self.pool.info(self.target)["legality"] == "LEGAL"
            assert digest(self.file(self.target)) == self.data
            return "finished"
        assert not folder.exists(), list(folder.iterdir())
        assert not list(folder.parent.glob("_remove_me*"))
        return "rolled back"


@dataclass
class Scene:
    """A pool whose SPM changes from test to test, and somebody who looks at its leases."""

    ground: NfsGround
    pool: Pool
    timeline: Timeline
    watchers: list[Watcher]

    @property
    def other(self) -> Node:
        return next(node for node in self.pool.nodes if node is not self.pool.spm)

    @property
    def bound(self) -> float:
        """Seconds after which another host is SPM at the latest."""
        return free_after(self.ground.io_timeout) + WAIT + SPREAD + LOOK + MARGIN

    def take_over(self, copy: Copy, accident: str, at: float) -> None:
        """The other host becomes SPM, and the copy that was under way is whole or gone."""
        failed, heir = self.pool.spm, self.other
        self.pool.wait_for_spm([heir], self.bound)
        took = self.timeline.note(heir.name, "SPM") - at
        done = self.pool.settle()
        self.timeline.note(heir.name, f"{done} tasks are done, those of {failed.name} undone")
        self.timeline.note(heir.name, f"the copy is {copy.check()}")
        least, most = dead_after(self.ground.io_timeout), free_after(self.ground.io_timeout)
        print(f"{accident}: failover after {took:.1f} s; sanlock takes {least} to {most} s at this io timeout")
        assert took <= self.bound

    def check(self) -> None:
        for watcher in self.watchers:
            watcher.check()
        assert not self.pool.findings()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    timeline = Timeline("the SPM fails in the middle of a copy")
    with Lab() as lab, ExitStack() as watching:
        ground = NfsGround(lab, ["master", "more"], io_timeout=IO_TIMEOUT)
        watchers = [
            watching.enter_context(Watcher(ground.leases(place), timeline, name=name))
            for name, place in ground.places.items()
        ]
        pool = ground.pool("east", "west", settings=ELECTION)
        yield Scene(ground, pool, timeline, watchers)
        timeline.logs(pool.nodes, "SPM", "leases of")
        timeline.keep("failover")


@pytest.mark.timeout(600)
def test_when_the_spms_host_dies_another_becomes_spm_and_leaves_no_half_copy(scene: Scene) -> None:
    failed, heir = scene.pool.spm, scene.other
    assert "address is not written" not in failed.log()
    copy = Copy(scene.ground, scene.pool)
    copy.begin()
    part = copy.wait_until_under_way()
    failed.host.crash()
    scene.take_over(copy, "power fails", scene.timeline.note(failed.name, f"its power fails; {part:.0%} are copied"))
    copy.target = Disk(copy.target.domain, new_id(), new_id())
    heir.task(copy.begin())
    assert copy.check() == "finished"
    scene.timeline.note(heir.name, "the same copy again, finished")
    scene.check()


@pytest.mark.timeout(600)
def test_when_the_spms_cable_is_cut_it_gives_the_role_up_before_another_has_it(scene: Scene) -> None:
    """What it had begun is killed by then: nothing arrives when its cable is mended."""
    for node in scene.pool.nodes:
        if node.host.dead:
            node.boot()
            scene.pool.rejoin(node)
            scene.timeline.note(node.name, "back in the pool")
    failed, heir = scene.pool.spm, scene.other
    copy = Copy(scene.ground, scene.pool)
    copy.begin()
    part = copy.wait_until_under_way()
    failed.host.port.cut()
    cut = scene.timeline.note(failed.name, f"its cable is cut; {part:.0%} are copied")
    scene.take_over(copy, "cable cut", cut)
    gave_up = min(at for at, _ in failed.said("not the SPM any more") if at > cut)
    assert gave_up - cut < fails_after(IO_TIMEOUT) + MARGIN < dead_after(IO_TIMEOUT) - 2 * IO_TIMEOUT

    failed.host.port.mend()
    scene.timeline.note(failed.name, "its cable is mended")
    until(lambda: failed.code("getAllTasksStatuses") == NOT_SPM, 60)
    until(lambda: failed.host.run("pgrep", "qemu-img", check=False).code == 1, KERNEL_PATIENCE)
    assert copy.check() == "rolled back"
    assert scene.pool.status(heir)[0] == "SPM"
    scene.check()


def until(true: Callable[[], bool], seconds: float) -> None:
    """What another host comes to by itself."""
    deadline = time.monotonic() + seconds
    while not _holds(true):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.2)


def _holds(true: Callable[[], bool]) -> bool:
    try:
        return true()
    except (OSError, Refused):
        return False
