"""Block domains on two iSCSI servers: one that freezes hangs nothing but its own domain; what others do to a domain."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.guests import PROJECT
from lab.nodes import Node
from lab.pools import BLANK, MIB, Place, Pool
from lab.san import GIB, ISCSI, San
from lab.servers import IscsiServer
from lab.timeline import Timeline

INTERVAL, PATIENCE = 2.0, 6.0
SETTINGS = {"storage.monitor_interval": INTERVAL, "storage.patience": PATIENCE, "thin.chunk": 128}
SLOW = 40.0
"""Seconds until LVM's look at all disks is late, each disk was asked, and the kernel has given up what it was doing."""


@dataclass
class Site:
    san: San
    other: IscsiServer
    pool: Pool
    spare: str
    """A disk of the first server that no domain has."""
    timeline: Timeline

    @property
    def east(self) -> Node:
        return self.pool.nodes[0]

    @property
    def west(self) -> Node:
        return self.pool.nodes[1]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    timeline = Timeline("one of two iSCSI servers freezes")
    with Lab() as lab:
        san = San(lab, [12 * GIB, 12 * GIB])
        east, west = san.boot("east", "west", settings=SETTINGS)
        first, spare = san.guids(east)
        other = IscsiServer(lab, san.network, "iscsi2", 3261)
        iqn = other.target("other", [12 * GIB])
        for node in (east, west):
            connection = {**san.connection, "id": "other", "iqn": iqn, "port": "3261"}
            (answer,) = node.call("connectStorageServer", ISCSI, BLANK, [connection])["statuslist"]
            assert answer["status"] == 0, node.last_words()
        (second,) = set(san.guids(east)) - {first, spare}
        places = [Place(ISCSI, "", domain=san.make_domain(east, [guid])) for guid in (first, second)]
        pool = Pool([east, west], places).found(east)
        try:
            yield Site(san, other, pool, spare, timeline)
        finally:
            timeline.logs([east, west], "answer", "does not", "is not usable", "SPM")
            timeline.keep("frozen-iscsi")


def until(true: Callable[[], object], seconds: float, node: Node) -> float:
    began = time.monotonic()
    while True:
        try:
            if true():
                return time.monotonic() - began
        except (OSError, Refused):
            pass
        assert time.monotonic() - began < seconds, f"in vain after {seconds} s\n{node.last_words()}"
        time.sleep(0.1)


def entry(node: Node, domain: str) -> dict[str, object]:
    return dict(node.call("repoStats")[domain])


def took(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


@pytest.mark.timeout(300)
def test_a_server_that_freezes_hangs_nothing_but_its_own_domain(site: Site) -> None:
    east, pool = site.east, site.pool
    calm, hung = pool.domains
    until(
        lambda: all(entry(east, domain)["valid"] and entry(east, domain)["acquired"] for domain in pool.domains),
        60,
        east,
    )
    usual = took(lambda: pool.disk(64 * MIB))
    site.other.freeze()
    site.timeline.note("storage", "the second server freezes")
    try:
        work, asked = [], []
        ends = time.monotonic() + SLOW
        while time.monotonic() < ends:
            work.append(took(lambda: pool.disk(64 * MIB)))
            asked.append(took(lambda: east.call("repoStats")))
            if len(work) == 2:  # a look at every disk while one of them hangs
                east.call("getStorageDomainInfo", calm)
        told = entry(east, hung)
        assert not told["valid"], east.last_words()
        for node in (east, site.west):
            health = entry(node, calm)
            assert health["valid"] and float(str(health["lastCheck"])) < 3 * INTERVAL, node.last_words()
        everything = took(lambda: east.call("getVGList"))
    finally:
        site.other.thaw()
        site.timeline.note("storage", "it goes on")
    back = until(lambda: entry(east, hung)["valid"], 120, east)
    print(
        f"\na volume on the other domain: {usual:.1f} s as usual; while one hung {statistics.median(work):.1f} s,"
        f" at most {max(work):.1f} s of {len(work)}; repoStats at most {1000 * max(asked):.0f} ms; all groups listed"
        f" in {everything:.1f} s; valid again {back:.1f} s after the thaw"
    )
    assert statistics.median(work) < 2 * usual + 2
    assert max(work) < usual + 15
    until(lambda: pool.disk(64 * MIB, domain=hung), 60, east)


@pytest.mark.timeout(120)
def test_a_domain_that_another_host_formats_leaves_no_devices_here(site: Site) -> None:
    """Neither does it take devices of other domains along."""
    domain = site.san.make_domain(site.west, [site.spare], name="short")
    assert site.east.call("getStorageDomainInfo", domain)["info"]["name"] == "short"
    mapped = "ls /dev/mapper | grep -c ^%s- || true"
    names = [group.replace("-", "--") for group in (domain, *site.pool.domains)]
    before = [int(site.east.host.shell(mapped % name)) for name in names]
    assert before[0] == 6
    site.west.call("formatStorageDomain", domain)
    site.timeline.note("west", "formats a domain that east has open")
    assert domain not in site.east.call("getStorageDomainsList")["domlist"]
    assert [int(site.east.host.shell(mapped % name)) for name in names] == [0, *before[1:]]
    again = site.san.make_domain(site.east, [site.spare], name="again")
    assert site.west.call("getStorageDomainInfo", again)["info"]["name"] == "again"
    site.east.call("formatStorageDomain", again)


@pytest.mark.timeout(120)
def test_udev_gives_volumes_the_owners_that_every_host_gives_them(site: Site) -> None:
    east, disk = site.east, site.pool.disk(64 * MIB)
    site.pool.prepare(disk)
    rules = PROJECT / "contrib" / "udev" / "57-virgate-block.rules"
    east.host.shell(f"cp {rules} /etc/udev/rules.d/ && udevadm control --reload")
    east.host.shell("udevadm trigger --action=change --subsystem-match=block && udevadm settle")
    names = ["metadata", "inbox", "ids", "leases", "xleases", "master", disk.volume]
    told = east.host.shell(f"cd /dev/{disk.domain} && stat -L -c '%u %G %a' {' '.join(names)}").splitlines()
    assert told[2:5] == ["36 sanlock 660"] * 3
    assert [line.split()[0] for line in told] == ["36"] * 5 + ["0", "36"], told
    assert [line.split()[2] for line in told[:2]] == ["600", "600"]
    site.pool.teardown(disk)
