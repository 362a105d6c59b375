"""What needs device mapper, iSCSI and sanlock: measured in user-mode Linux hosts, which only root can make.

Such a host starts programs ten times slower than a real one, so each figure stands beside that of bare commands there.
"""

import os
import shutil
import statistics
import time
from collections import defaultdict
from pathlib import Path

from figures import Figure, percentile
from lab.cleanup import Lab
from lab.grounds import NfsGround
from lab.growth import grow, plugin_settings
from lab.nodes import Node
from lab.pools import BLANK, COW, MIB, SPARSE, Disk, Place, Pool, new_id
from lab.san import GIB, ISCSI, San
from lab.watcher import free_after

PLUGIN = Path(__file__).parent / "plugins" / "bench_storage.py"
VOLUMES, AT_ONCE = 30, 6
ROUNDS = 20
STEP = 128
HERE, CALL, MAILBOX = "here", "call", "mailbox"
IO_TIMEOUT = 1
ELECTION = {"spm.election_after": 1.0, "spm.election_spread": 0.5}
LOOK = 1.0
"""Seconds between two looks of a host for the SPM."""


def create_on_block_domain(folder: Path) -> list[Figure]:
    if os.geteuid():
        return [_only_root("createVolume (cow, block)")]
    with Lab() as lab:
        san = San(lab, [300 * GIB])
        pool = _pool(san, san.boot("east", settings=_plugins(lab)))
        ours, theirs = [], []
        for _ in range(VOLUMES // AT_ONCE):
            told = pool.spm.call("benchCreateVolumes", pool.id, pool.master, AT_ONCE)
            ours += told["ours"]
            theirs += told["theirs"]
    middle, other = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    return [Figure("createVolume (cow, block) against lvcreate + qemu-img", middle, "ms", "1.3x", other)]


def growing(folder: Path) -> list[Figure]:
    if os.geteuid():
        return [_only_root("thin extension")]
    with Lab() as lab:
        san, settings = San(lab, [64 * GIB]), {**_plugins(lab), "thin.patience": 10.0}
        nodes = san.boot("east", "west", settings=settings)
        nodes += san.boot("north", settings={**settings, "thin.direct": "false"})
        pool = _pool(san, nodes)
        bare = _bare_extensions(pool)
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        for node in pool.nodes:
            for answer in _grown(pool, node, ROUNDS):
                seconds[str(answer["road"])].append(float(answer["seconds"]))
    lines = [("of a host that asks by mailbox", MAILBOX, 0.5, "p50", "0.7 s")]
    lines += [("of a host that asks by mailbox", MAILBOX, 0.95, "p95", "1.2 s")]
    lines += [("of a host that calls the SPM", CALL, 0.95, "p95", "0.5 s")]
    lines += [("of the SPM's own", HERE, 0.95, "p95", "0.25 s")]
    found = [Figure("bare lvextend + refresh, p50", bare, "s", "")]
    for what, road, part, name, target in lines:
        found.append(Figure(f"thin volume {what} grown, {name}", percentile(seconds[road], part), "s", target, bare))
    return found


def failover(folder: Path) -> list[Figure]:
    """The host of the SPM dies; `reference` is the bound that sanlock and the election have together."""
    if os.geteuid():
        return [_only_root("SPM failover")]
    with Lab() as lab:
        ground = NfsGround(lab, ["master"], io_timeout=IO_TIMEOUT)
        pool = ground.pool("east", "west", settings=ELECTION)
        heir = pool.nodes[1]
        bound = free_after(IO_TIMEOUT) + sum(ELECTION.values()) + LOOK
        pool.spm.host.crash()
        began = time.monotonic()
        pool.wait_for_spm([heir], bound + 60)
        took = time.monotonic() - began
    return [Figure("SPM again after its host died", took, "s", f"bound + 3 s = {bound + 3:g} s", bound)]


def _only_root(what: str) -> Figure:
    return Figure(f"{what}: only root can make its hosts", float("nan"), "", "")


def _plugins(lab: Lab) -> dict[str, object]:
    settings = plugin_settings(lab)
    shutil.copy(PLUGIN, lab.folder / "plugins")
    return settings


def _pool(san: San, nodes: list[Node]) -> Pool:
    domain = san.make_domain(nodes[0], san.guids(nodes[0])[:1])
    return Pool(nodes, [Place(ISCSI, san.iqn, domain=domain)]).found(nodes[0])


def _thin(pool: Pool) -> Disk:
    """A thin volume with room for 256 MiB."""
    disk = Disk(pool.master, new_id(), new_id())
    order = [disk.domain, pool.id, disk.image, str(4 * GIB), COW, SPARSE, 2, disk.volume, "thin", BLANK, BLANK]
    pool.do("createVolume", *order, str(230 * MIB))
    return disk


def _bare_extensions(pool: Pool) -> float:
    """The middle of lvextend on the SPM and a refresh on another host."""
    disk, took = _thin(pool), []
    spm, other = pool.nodes[:2]
    pool.prepare(disk, other)
    for room in range(3 * STEP, (3 + ROUNDS // 2) * STEP, STEP):
        extended = spm.call("labExtendBare", disk.domain, disk.volume, room)["seconds"]
        took.append(extended + other.call("labRefreshBare", disk.domain, disk.volume)["seconds"])
    pool.teardown(disk, other)
    return statistics.median(took)


def _grown(pool: Pool, node: Node, rounds: int) -> list[dict[str, object]]:
    disk = _thin(pool)
    pool.prepare(disk, node)
    found = [grow(node, pool, disk, room) for room in range(3 * STEP, (3 + rounds) * STEP, STEP)]
    pool.teardown(disk, node)
    return found
