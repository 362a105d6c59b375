"""The manager of a pool on iSCSI loses its cable, then its power, in the middle of a copy between block domains."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.block_leases import BlockLeases, Region, region
from lab.calls import Refused
from lab.cleanup import Lab
from lab.nodes import Node
from lab.pools import BLANK, MIB, PREALLOCATED, RAW, Disk, Place, Pool, new_id
from lab.san import GIB, IO_TIMEOUT, ISCSI, San
from lab.timeline import Timeline
from lab.watcher import Watcher, dead_after, fails_after, free_after

LEAF = 8
SIZE = 1024 * MIB
BEGUN = 48 * MIB
WAIT, SPREAD, LOOK = 1.0, 0.5, 1.0
"""Seconds without an SPM before hosts contend, random delay beyond that, seconds between two looks."""
SETTINGS = {"spm.election_after": WAIT, "spm.election_spread": SPREAD, "storage.monitor_interval": 2}
MARGIN = 3.0
BOUND = free_after(IO_TIMEOUT) + WAIT + SPREAD + LOOK + MARGIN
"""Seconds after which another host is SPM at the latest."""
NOT_SPM = 654
KERNEL_PATIENCE = 240


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    """What hosts come to by themselves."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except (OSError, Refused):
            pass
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def monitored(node: Node) -> list[dict[str, Any]]:
    """What the node says of the domains it watches."""
    return [told for told in node.call("repoStats").values() if isinstance(told, dict) and "acquired" in told]


@dataclass
class Scene:
    san: San
    pool: Pool
    timeline: Timeline
    watchers: list[Watcher]
    source: Disk
    data: str = ""

    @property
    def other(self) -> Node:
        return next(node for node in self.pool.nodes if node is not self.pool.spm)

    def disk_file(self, disk: Disk) -> Path:
        return self.san.server.file(self.san.iqn, self.pool.domains.index(disk.domain) + 1)

    def where(self, disk: Disk, node: Node) -> Region | None:
        return region(node, disk, self.disk_file(disk))

    def fill(self) -> None:
        """Random bytes, written where the server keeps them."""
        place = self.where(self.source, self.pool.spm)
        assert place is not None
        with place.file.open("r+b") as file:
            file.seek(place.offset)
            for _ in range(SIZE // (16 * MIB)):
                file.write(os.urandom(16 * MIB))
        self.data = place.digest()

    def begin_copy(self) -> tuple[Disk, str]:
        """Comes back when it is under way; target and task."""
        target = Disk(self.pool.domains[1], new_id(), new_id())
        file, source = self.disk_file(target), self.source
        before = file.stat().st_blocks
        where = [source.domain, self.pool.id, BLANK, source.image, source.volume, target.image, target.volume]
        form = [target.domain, LEAF, RAW, PREALLOCATED, "false", "false"]
        task = str(self.pool.spm.call("copyImage", *where, "a copy", *form)["uuid"])
        deadline = time.monotonic() + 60
        while (file.stat().st_blocks - before) * 512 < BEGUN:
            assert time.monotonic() < deadline, self.pool.spm.last_words()
            time.sleep(0.01)
        return target, task

    def take_over(self, target: Disk, accident: str, at: float) -> float:
        """The other host becomes SPM and the copy is gone or whole. Returns when it became SPM."""
        heir = self.other
        self.pool.wait_for_spm([heir], BOUND)
        took = self.timeline.note(heir.name, "SPM")
        done = self.pool.settle()
        self.timeline.note(heir.name, f"{done} tasks are done; the copy is {self.outcome(target)}")
        least, most = dead_after(IO_TIMEOUT), free_after(IO_TIMEOUT)
        print(
            f"{accident}: failover after {took - at:.1f} s; sanlock takes {least} to {most} s at this io timeout,"
            f" the bound with the election is {BOUND:.1f} s"
        )
        assert took - at <= BOUND
        return took

    def outcome(self, target: Disk) -> str:
        """Nothing between all and nothing will do."""
        place = self.where(target, self.pool.spm)
        if target.image in self.pool.spm.call("getImagesList", target.domain)["imageslist"]:
            assert place is not None and self.pool.info(target)["legality"] == "LEGAL"
            assert place.digest() == self.data
            return "finished"
        assert place is None
        return "rolled back"

    def check(self) -> None:
        for watcher in self.watchers:
            watcher.check()
        assert not self.pool.findings()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    timeline = Timeline("the SPM of a pool on iSCSI fails in the middle of a copy")
    with Lab() as lab, ExitStack() as watching:
        san = San(lab, [12 * GIB, 12 * GIB])
        nodes = san.boot("east", "west", settings=SETTINGS)
        guids = san.guids(nodes[0])
        places = [Place(ISCSI, san.iqn, domain=san.make_domain(nodes[0], [guid])) for guid in guids]
        watchers = [
            watching.enter_context(
                Watcher(BlockLeases(san.server.file(san.iqn, lun)), timeline, name=("master", "more")[lun - 1])
            )
            for lun in (1, 2)
        ]
        pool = Pool(nodes, places).found(nodes[0])
        source = pool.disk(SIZE, form=RAW, allocation=PREALLOCATED)
        scene = Scene(san, pool, timeline, watchers, source)
        scene.fill()
        try:
            yield scene
        finally:
            timeline.logs(nodes, "SPM", "leases of", "is not usable")
            timeline.keep("block-failover")


@pytest.mark.timeout(500)
def test_when_the_cable_is_cut_the_spm_gives_up_before_another_takes_over_and_writes_nothing_later(
    scene: Scene,
) -> None:
    failed, heir = scene.pool.spm, scene.other
    target, _ = scene.begin_copy()
    place = scene.where(target, heir)
    assert place is not None
    failed.host.port.cut()
    cut = scene.timeline.note(failed.name, "its cable is cut in the middle of the copy")
    took = scene.take_over(target, "cable cut", cut)
    gave_up = min(at for at, _ in failed.said("not the SPM any more") if at > cut)
    assert gave_up - cut < fails_after(IO_TIMEOUT) + MARGIN
    assert gave_up < took
    until(lambda: failed.host.run("pgrep", "qemu-img", check=False).code == 1, KERNEL_PATIENCE, "the copy is dead")
    scene.timeline.note(failed.name, "no qemu-img runs")

    left = place.digest()
    failed.host.port.mend()
    scene.timeline.note(failed.name, "its cable is mended")
    until(lambda: failed.code("getAllTasksStatuses") == NOT_SPM, 60, "it answers, and is not the SPM")
    until(
        lambda: all(told["acquired"] and told["valid"] for told in monitored(failed)),
        KERNEL_PATIENCE,
        "it has its host ids again",
    )
    scene.timeline.note(failed.name, "has its host ids again")
    assert place.digest() == left, "something arrived late"
    assert scene.outcome(target) == "rolled back"
    assert scene.pool.status(heir)[0] == "SPM"
    scene.check()


@pytest.mark.timeout(400)
def test_when_the_power_fails_the_copy_is_whole_or_gone(scene: Scene) -> None:
    failed, heir = scene.pool.spm, scene.other
    target, _ = scene.begin_copy()
    failed.host.crash()
    scene.take_over(target, "power fails", scene.timeline.note(failed.name, "its power fails in the middle of a copy"))
    again, task = scene.begin_copy()
    heir.task(task, seconds=120)
    assert scene.outcome(again) == "finished"
    scene.timeline.note(heir.name, "the same copy again, finished")
    scene.check()


@pytest.mark.timeout(200)
def test_an_spm_whose_lease_is_taken_from_it_stops_at_once_and_hosts_elect_one(scene: Scene) -> None:
    """sanlock ends who holds a lease when it is in doubt: here somebody else does that, while a copy runs."""
    spm = scene.pool.spm
    target, _ = scene.begin_copy()
    told = spm.host.shell("sanlock client status")
    holder = re.findall(r"^r \S+:SDM:\S+ p (\d+)", told, re.MULTILINE)[0]
    lost = time.time()
    spm.host.run("kill", "-9", holder)
    scene.timeline.note(spm.name, "the process that holds its lease is killed")
    until(lambda: any(at > lost for at, _ in spm.said("not the SPM any more")), 10, "it notices")
    gave_up = min(at for at, _ in spm.said("not the SPM any more") if at > lost)
    print(f"lease lost: the role was given up after {gave_up - lost:.2f} s")
    until(lambda: spm.host.run("pgrep", "qemu-img", check=False).code == 1, 10, "the copy is dead")
    heir = scene.pool.wait_for_spm([node for node in scene.pool.nodes if not node.host.dead], 60)
    scene.timeline.note(heir.name, "SPM by election")
    scene.pool.settle()
    assert scene.outcome(target) == "rolled back"
    scene.check()
