"""A storage server that freezes: its domain is told invalid, everything else goes on, and it comes back by itself."""

import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from lab.cleanup import Lab
from lab.grounds import NfsGround
from lab.pools import MIB, Pool, local_place

INTERVAL, PATIENCE = 2.0, 6.0
SETTINGS = {"storage.monitor_interval": INTERVAL, "storage.patience": PATIENCE, "spm.election_after": 0}
SLOW_HOST = 5.0
"""Seconds that a host of user-mode Linux may need to start the helper of its own that a hung domain gets."""
CALM = """
modprobe loop
mkdir -p /srv/calm
truncate -s 512M "$1"
mke2fs -q -t ext4 "$1"
mount -o loop "$1" /srv/calm
"""


@pytest.fixture(scope="module")
def ground() -> Iterator[NfsGround]:
    with Lab() as lab:
        yield NfsGround(lab, ["data"], nfs_timeout=60.0)


@pytest.fixture(scope="module")
def pool(ground: NfsGround) -> Pool:
    """Its master is a folder of the host, its other domain on the server."""
    (node,) = ground.boot("east", settings=SETTINGS)
    node.host.run("sh", "-ec", CALM, "sh", str(node.host.folder / "calm.img"))
    pool = Pool([node], [local_place("/srv/calm"), ground.places["data"]]).make()
    wait(pool, lambda told: told["acquired"] and told["valid"], 60)
    return pool


def entry(pool: Pool, number: int = 1) -> dict[str, object]:
    return dict(pool.spm.call("repoStats")[pool.domains[number]])


def wait(pool: Pool, true: Callable[[dict[str, object]], object], seconds: float) -> list[float]:
    """Until the report about the server's domain is as wanted; answers how long each question took meanwhile."""
    took, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        told = entry(pool)
        took.append(time.monotonic() - began)
        if true(told):
            return took
        time.sleep(0.05)
    raise AssertionError(f"in vain after {seconds} s: {told}\n{pool.spm.last_words()}")


def test_a_frozen_server_hangs_nothing_but_its_own_domain(ground: NfsGround, pool: Pool) -> None:
    usual = [time_of(pool) for _ in range(40)]
    ground.nfs.freeze()
    frozen = time.monotonic()
    try:
        took = wait(pool, lambda told: not told["valid"], INTERVAL + 2 + PATIENCE + SLOW_HOST)
        reported = time.monotonic() - frozen
        assert entry(pool)["code"] == 200
        pool.disk(MIB)
        calm = entry(pool, 0)
        assert calm["valid"] and float(str(calm["lastCheck"])) < 2 * INTERVAL
        took += [time_of(pool) for _ in range(40)]
    finally:
        ground.nfs.thaw()
    thawed = time.monotonic()
    wait(pool, lambda told: told["valid"], 60)
    back = time.monotonic() - thawed
    usual_ms, took_ms = ([round(seconds * 1000) for seconds in sorted(times)] for times in (usual, took))
    print(
        f"\nrepoStats over TLS: usual median {statistics.median(usual_ms)} ms, most {usual_ms[-1]} ms; frozen median"
        f" {statistics.median(took_ms)} ms, most {took_ms[-1]} ms\ntold after {reported:.1f} s, back after {back:.1f} s"
    )
    assert statistics.median(took_ms) < 100
    assert took_ms[int(len(took_ms) * 0.95)] < 100 + usual_ms[-1]
    assert pool.disk(MIB, domain=pool.domains[1])


def time_of(pool: Pool) -> float:
    began = time.monotonic()
    entry(pool)
    return time.monotonic() - began
