"""Block domains on iSCSI: what clients do twice, at once or too early, and a domain that travels between two pools."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lab.block_leases import BlockLeases
from lab.calls import Refused
from lab.cleanup import Lab
from lab.pools import BLANK, COPY, COW, MIB, MOVE, PREALLOCATED, RAW, Disk, Place, Pool, nfs_place
from lab.san import GIB, ISCSI, San
from lab.servers import NfsServer
from lab.timeline import Timeline
from lab.watcher import Watcher

TIMES, PATIENCE = 200, 45.0
"""How often a domain is taken out and back, if that takes no longer than so many seconds."""
ALREADY_ATTACHED = 380
TOLD_APART = ("ctime", "mtime", "status")
SIZE = 64 * MIB


@dataclass
class Site:
    """East's pool has the first two disks and a folder, west's the third disk. Both hosts see all disks."""

    ours: Pool
    theirs: Pool
    timeline: Timeline
    watchers: list[Watcher]

    @property
    def master(self) -> str:
        return self.ours.domains[0]

    @property
    def traveller(self) -> str:
        return self.ours.domains[1]

    @property
    def files(self) -> str:
        return self.ours.domains[2]

    def note(self, what: str, pool: Pool | None = None) -> None:
        self.timeline.note((pool or self.ours).spm.name, what)

    def check(self) -> None:
        for watcher in self.watchers:
            watcher.check()
        assert not self.ours.findings()
        assert not self.theirs.findings()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    timeline = Timeline("block domains leave, come back and travel; disks move at once")
    with Lab() as lab, ExitStack() as watching:
        san = San(lab, [12 * GIB, 12 * GIB, 12 * GIB], io_timeout=1)
        east, west = san.boot("east", "west", settings={"thin.chunk": 128, "spm.election_after": 0})
        first, second, third = (Place(ISCSI, san.iqn, domain=san.make_domain(east, [guid])) for guid in san.guids(east))
        folder = nfs_place(NfsServer(lab, san.network, ["data"]), "data")
        ours = Pool([east], [first, second, folder])
        ours.connect_servers(east, [folder])
        ours.create_domain(east, folder, "files")
        watchers = [
            watching.enter_context(Watcher(BlockLeases(san.server.file(san.iqn, lun)), timeline, name=f"disk {lun}"))
            for lun in (1, 2, 3)
        ]
        ours.found(east)
        theirs = Pool([west], [third]).found(west)
        try:
            yield Site(ours, theirs, timeline, watchers)
        finally:
            timeline.logs([east, west], "SPM", "is not usable")
            timeline.keep("block-repeats")


def contents(pool: Pool, disks: list[Disk]) -> list[dict[str, Any]]:
    known = [pool.info(disk) for disk in disks]
    return [{key: value for key, value in info.items() if key not in TOLD_APART} for info in known]


@pytest.mark.timeout(300)
def test_a_domain_travels_to_another_pool_and_back_with_its_contents(site: Site) -> None:
    ours, theirs, traveller = site.ours, site.theirs, site.traveller
    raw = ours.disk(SIZE, form=RAW, allocation=PREALLOCATED, domain=traveller)
    ours.write(raw, 0x61, 0, MIB)
    top = ours.disk(SIZE, parent=raw)
    ours.write(top, 0x62, MIB, MIB)
    cow = ours.disk(SIZE, form=COW, domain=traveller)
    ours.write(cow, 0x63, 0, 65536)
    disks = [raw, top, cow]
    before = contents(ours, disks)
    with pytest.raises(Refused) as refusal:
        theirs.spm.call("attachStorageDomain", traveller, theirs.id)
    assert refusal.value.code == ALREADY_ATTACHED

    ours.out(traveller)
    site.note("the domain has left")
    theirs.back(traveller)
    site.note("the domain is here", theirs)
    theirs.places.append(ours.places[1])
    assert contents(theirs, disks) == before
    assert theirs.volumes(traveller) == {disk.volume for disk in disks}
    assert theirs.holds(top, 0x61, 0, MIB) and theirs.holds(top, 0x62, MIB, MIB) and theirs.holds(cow, 0x63, 0, 65536)
    theirs.write(cow, 0x64, 65536, 65536)
    newer = theirs.disk(SIZE, parent=cow)
    theirs.write(newer, 0x65, 2 * 65536, 65536)
    assert not theirs.findings()

    theirs.out(traveller)
    theirs.places.pop()
    ours.back(traveller)
    site.note("the domain is back")
    values = {0: 0x63, 65536: 0x64, 2 * 65536: 0x65}
    assert all(ours.holds(newer, value, offset, 65536) for offset, value in values.items())
    site.check()


@pytest.mark.timeout(300)
def test_a_domain_leaves_and_comes_back_many_times(site: Site) -> None:
    """The host watches the domain outside of the pool, too: so sanlock need not be waited for each time."""
    pool, domain = site.ours, site.traveller
    kept = pool.disk(SIZE, domain=domain)
    pool.write(kept, 0x61, 0, 65536)
    began = time.monotonic()
    pool.out(domain)
    pool.spm.call("startMonitoringDomain", domain, 1)
    while not pool.spm.call("repoStats")[domain]["acquired"]:
        time.sleep(0.1)
    pool.back(domain)
    slow, began, times = time.monotonic() - began, time.monotonic(), 0
    while times < TIMES and time.monotonic() - began < PATIENCE:
        pool.out(domain)
        pool.back(domain)
        times += 1
    took = (time.monotonic() - began) / times
    pool.out(domain)
    pool.spm.call("stopMonitoringDomain", domain)
    pool.back(domain)
    site.note(f"left and came back {times} times")
    print(f"\n{times} times out and back, {took:.2f} s each; {slow:.1f} s with joining")
    assert pool.holds(kept, 0x61, 0, 65536)
    assert pool.spm.call("getStoragePoolInfo", pool.id)["dominfo"][domain]["status"] == "Active"
    site.check()


@pytest.mark.timeout(200)
def test_the_spm_starts_right_after_a_domain_was_attached(site: Site) -> None:
    pool, domain = site.ours, site.traveller
    for _ in range(2):
        pool.out(domain)
        pool.spm.call("attachStorageDomain", domain, pool.id)
        pool.spm.call("spmStop", pool.id)
        pool.start_spm(pool.nodes[0])
        pool.spm.call("activateStorageDomain", domain, pool.id)
    assert pool.status(pool.spm)[0] == "SPM"
    site.note("the SPM started twice right after an attach")
    site.check()


def move_all(site: Site, disks: list[Disk], target: str) -> list[Disk]:
    """Side by side, as a client moves the disks of a machine."""
    pool = site.ours
    began = time.monotonic()
    tasks = [
        pool.spm.call("moveImage", pool.id, disk.domain, target, disk.image, BLANK, MOVE, "false", "false")["uuid"]
        for disk in disks
    ]
    with ThreadPoolExecutor() as waiting:
        list(waiting.map(lambda task: pool.spm.task(task, seconds=180), tasks))
    kinds = ["block" if domain != site.files else "file" for domain in (disks[0].domain, target)]
    said = f"{len(disks)} disks moved from {kinds[0]} to {kinds[1]} in {time.monotonic() - began:.1f} s"
    site.note(said)
    print(f"\n{said}")
    moved = [replace(disk, domain=target) for disk in disks]
    assert set(pool.spm.call("getImagesList", target)["imageslist"]) >= {disk.image for disk in moved}
    left = set(pool.spm.call("getImagesList", disks[0].domain)["imageslist"])
    assert not left & {disk.image for disk in moved}
    return moved


@pytest.mark.timeout(500)
def test_ten_disks_of_a_machine_move_at_once_to_a_block_domain_and_back(site: Site) -> None:
    pool = site.ours
    disks = [pool.disk(8 * MIB, domain=site.files) for _ in range(10)]
    for number, disk in enumerate(disks, start=1):
        pool.write(disk, number, 0, MIB)
    for target in (site.traveller, site.files):
        disks = move_all(site, disks, target)
    for number, disk in enumerate(disks, start=1):
        assert pool.holds(disk, number, 0, MIB)
        pool.do("deleteImage", disk.domain, pool.id, disk.image, "false", "false")
    site.check()


@pytest.mark.timeout(200)
def test_data_that_need_far_more_than_their_size_come_to_a_block_domain_whole(site: Site) -> None:
    """A snapshot inside of the qcow2 data keeps what was written over: twice the virtual size is in use."""
    pool, size = site.ours, 128 * MIB
    disk = pool.disk(size, domain=site.files)
    path = pool.prepare(disk)
    write = f"qemu-io -f qcow2 -t none -c 'write -P %d 0 {size}' {path}"
    pool.spm.host.shell(f"{write % 7}; qemu-img snapshot -c inside {path}; {write % 8}", timeout=120)
    pool.teardown(disk)
    pool.do("moveImage", pool.id, site.files, site.master, disk.image, BLANK, COPY, "false", "false")
    copied = replace(disk, domain=site.master)
    assert pool.holds(copied, 8, 0, size)
    site.note(f"{size // MIB} MiB whose data need twice of that were copied to a block domain")
    site.check()


@pytest.mark.timeout(200)
def test_a_merge_that_is_asked_for_again_is_refused_and_changes_nothing(site: Site) -> None:
    pool = site.ours
    base = pool.disk(SIZE)
    pool.write(base, 0x61, 0, 65536)
    top = pool.disk(SIZE, parent=base)
    pool.write(top, 0x62, 65536, 65536)
    merge = ("mergeSnapshots", base.domain, pool.id, BLANK, base.image, base.volume, top.volume)
    pool.do(*merge)
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            pool.do(*merge)
        assert base.volume in refusal.value.message
    assert pool.volumes(image=base.image) == {top.volume}
    assert pool.holds(top, 0x61, 0, 65536) and pool.holds(top, 0x62, 65536, 65536)
    site.check()
