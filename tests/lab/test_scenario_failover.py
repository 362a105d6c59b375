"""The manager of a pool dies in the middle of its work: another host takes over, and nothing is left half done."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.grounds import NfsGround
from lab.pools import BLANK, MIB, RAW, SPARSE, Disk, Pool, new_id
from lab.timeline import Timeline
from lab.watcher import Watcher, dead_after, free_after

LEAF = 8
SIZE = 1024 * MIB
BEGUN = 64 * MIB
WAIT, SPREAD, LOOK = 1.0, 0.5, 1.0
"""Seconds without an SPM before hosts contend, random delay beyond that, seconds between two looks."""
ELECTION = {"spm.election_after": WAIT, "spm.election_spread": SPREAD}
MARGIN = 3.0


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


@pytest.fixture
def timeline() -> Iterator[Timeline]:
    made = Timeline("the SPM's host dies in the middle of a copy")
    yield made
    print(made)


@pytest.mark.timeout(600)
def test_another_host_becomes_spm_and_leaves_no_half_copy(lab: Lab, timeline: Timeline) -> None:
    ground = NfsGround(lab, ["master", "more"], io_timeout=2)
    pool = ground.pool("east", "west", settings=ELECTION)
    east, west = pool.nodes
    copy = Copy(ground, pool)
    timeline.note("east", "SPM of a pool of two domains")
    assert "address is not written" not in east.log()
    with ExitStack() as watching:
        watchers = [
            watching.enter_context(Watcher(ground.leases(place), timeline, name=name))
            for name, place in ground.places.items()
        ]
        task = copy.begin()
        part = copy.wait_until_under_way()
        east.host.crash()
        died = timeline.note("east", f"the power fails; {part:.0%} of the volume are copied")
        bound = free_after(ground.io_timeout) + WAIT + SPREAD + LOOK + MARGIN
        pool.wait_for_spm([west], bound)
        took = timeline.note("west", "SPM") - died
        done = pool.settle()
        timeline.note("west", f"{done} tasks are done, those of the dead SPM undone")
        timeline.note("west", f"the copy is {copy.check()}")
        copy.target = Disk(copy.target.domain, new_id(), new_id())
        pool.spm.task(copy.begin())
        assert copy.check() == "finished"
        timeline.note("west", "the same copy again, finished")
    timeline.logs(pool.nodes, "SPM", "spm", task)
    for watcher in watchers:
        watcher.check()
    assert not pool.findings()
    print(
        f"failover after {took:.1f} s; sanlock takes {dead_after(ground.io_timeout)} s at least,"
        f" {free_after(ground.io_timeout)} s at most, at an io timeout of {ground.io_timeout} s"
    )
    assert took <= bound
