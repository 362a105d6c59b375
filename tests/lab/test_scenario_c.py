"""Three hosts, thin volumes on iSCSI: processes fill them through prepared paths while the SPM makes them larger.

The SPM is the first host; the second calls it at its port, the third asks through the mailbox only. A host of the lab
starts programs ten times slower than a real one, so latencies are told as multiples of a bare lvextend and refresh too.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.cleanup import Lab
from lab.growth import Filler, figures, grow, plugin_settings
from lab.nodes import Node
from lab.pools import BLANK, COW, MIB, SPARSE, Disk, Place, Pool, new_id
from lab.san import GIB, ISCSI, San
from lab.timeline import Timeline

CHUNK, WATERMARK = 128, 160
FILLED = 640
MAILBOX, CALL, HERE = "mailbox", "call", "here"


class Figures:
    def __init__(self) -> None:
        self.timeline = Timeline("three hosts fill thin volumes")
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.bare = 0.0

    def table(self) -> str:
        lines = [f"bare lvextend + refresh: {1000 * self.bare:.0f} ms"]
        for road, seconds in self.seconds.items():
            middle = sorted(seconds)[len(seconds) // 2]
            lines.append(f"{road}: {figures(seconds)}; p50 is {middle / self.bare:.1f} times the bare commands")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def san(lab: Lab) -> San:
    return San(lab, [16 * GIB])


@pytest.fixture(scope="module")
def pool(lab: Lab, san: San) -> Pool:
    settings = {**plugin_settings(lab), "thin.patience": 10.0}
    nodes = san.boot("east", "west", settings=settings)
    nodes += san.boot("north", settings={**settings, "thin.direct": "false"})
    domain = san.make_domain(nodes[0], san.guids(nodes[0])[:1])
    return Pool(nodes, [Place(ISCSI, san.iqn, domain=domain)]).found(nodes[0])


@pytest.fixture(scope="module")
def told(pool: Pool) -> Iterator[Figures]:
    made = Figures()
    yield made
    made.timeline.logs(pool.nodes, "mailbox", "SPM is asked", "does not grow")
    made.timeline.keep("thin-volumes")
    print("\n" + made.table())


def thin(pool: Pool, mib: int = 230) -> Disk:
    """A thin volume with room for 256 MiB."""
    disk = Disk(pool.master, new_id(), new_id())
    order = [disk.domain, pool.id, disk.image, str(4 * GIB), COW, SPARSE, 2, disk.volume, "thin", BLANK, BLANK]
    pool.do("createVolume", *order, str(mib * MIB))
    return disk


def fill(pool: Pool, node: Node, told: Figures) -> set[str]:
    """Fills a volume and keeps it ahead of what is written; the roads that were gone."""
    disk = thin(pool)
    filler = Filler(node, pool.prepare(disk, node), FILLED * MIB, pause=600)
    room, roads = 256, set()
    try:
        while not filler.ended:
            if room - filler.written // MIB < WATERMARK and room < FILLED * 11 // 10:
                room += CHUNK
                answer = grow(node, pool, disk, room)
                assert int(answer["size"]) >= room * MIB
                told.seconds[answer["road"]].append(answer["seconds"])
                roads.add(answer["road"])
                written, took = filler.written // MIB, answer["seconds"]
                told.timeline.note(
                    node.name, f"{room} MiB by {answer['road']} in {took:.2f} s, {written} MiB are written"
                )
            time.sleep(0.2)
        filler.check()
        told.timeline.note(node.name, f"all {FILLED} MiB are written without an error")
    finally:
        pool.teardown(disk, node)
    return roads


def test_what_bare_commands_take(pool: Pool, told: Figures) -> None:
    disk, took = thin(pool), []
    spm, other = pool.nodes[:2]
    pool.prepare(disk, other)
    for room in range(384, 384 + 5 * 128, 128):
        extend = spm.call("labExtendBare", disk.domain, disk.volume, room)["seconds"]
        took.append(extend + other.call("labRefreshBare", disk.domain, disk.volume)["seconds"])
    pool.teardown(disk, other)
    told.bare = sorted(took)[len(took) // 2]


def test_volumes_are_filled_on_three_hosts_at_once_and_nobody_sees_an_error(pool: Pool, told: Figures) -> None:
    with ThreadPoolExecutor(3) as threads:
        roads = list(threads.map(lambda node: fill(pool, node, told), pool.nodes))
    assert roads == [{HERE}, {CALL}, {MAILBOX}]


def test_each_road_in_peace(pool: Pool, told: Figures) -> None:
    """Latencies when nothing else happens."""
    for node in pool.nodes:
        disk = thin(pool)
        pool.prepare(disk, node)
        for room in range(384, 384 + 8 * 128, 128):
            answer = grow(node, pool, disk, room)
            told.seconds[f"{answer['road']} in peace"].append(answer["seconds"])
        pool.teardown(disk, node)


def test_without_an_address_of_the_spm_the_mailbox_carries_the_wish(pool: Pool, san: San) -> None:
    spm, west = pool.nodes[:2]
    disk = thin(pool)
    pool.prepare(disk, west)
    spm.host.shell(f"dd if=/dev/zero of=/dev/{disk.domain}/leases bs=4096 seek=511 count=1 oflag=direct conv=notrunc")
    assert grow(west, pool, disk, 384)["road"] == CALL, "it remembers where the SPM is"
    west.kill()
    west.start()
    san.log_in(west)
    pool.join(west)
    pool.prepare(disk, west)
    assert grow(west, pool, disk, 512)["road"] == MAILBOX
    pool.teardown(disk, west)
