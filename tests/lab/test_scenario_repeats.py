"""What clients do twice, at once, or too early: nothing hangs and nothing is told that is not so."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.grounds import NfsGround
from lab.pools import BLANK, COW, MIB, MOVE, RAW, Disk, Pool

TIMES = 200


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Lab() as lab:
        yield NfsGround(lab, ["master", "more"], io_timeout=1).pool("east")


def merge(pool: Pool, base: Disk, top: Disk) -> None:
    pool.do("mergeSnapshots", base.domain, pool.id, BLANK, base.image, base.volume, top.volume)


@pytest.mark.timeout(600)
def test_a_domain_leaves_and_comes_back_many_times(pool: Pool) -> None:
    """Each time the host joins the domain's lockspace twice, which takes sanlock seconds. A host that watches the
    domain outside of the pool is joined already: so most of the times can be tried in a short time."""
    domain = pool.domains[1]
    kept = pool.disk(MIB, domain=domain)
    pool.write(kept, 0x61, 0, 65536)
    slow = cycles(pool, domain, 2)
    pool.out(domain)
    pool.spm.call("startMonitoringDomain", domain, 1)
    while not pool.spm.call("repoStats")[domain]["acquired"]:
        time.sleep(0.1)
    pool.back(domain)
    fast = cycles(pool, domain, TIMES)
    pool.out(domain)
    pool.spm.call("stopMonitoringDomain", domain)
    pool.back(domain)
    print(f"detach and attach: {slow:.1f} s, {fast:.2f} s for a host that is joined already")
    assert pool.holds(kept, 0x61, 0, 65536)
    assert pool.spm.call("getStoragePoolInfo", pool.id)["dominfo"][domain]["status"] == "Active"
    assert not pool.findings()


def cycles(pool: Pool, domain: str, times: int) -> float:
    """Seconds that one of them took."""
    began = time.monotonic()
    for _ in range(times):
        pool.out(domain)
        pool.back(domain)
    return (time.monotonic() - began) / times


def test_the_spm_starts_right_after_a_domain_was_attached(pool: Pool) -> None:
    domain = pool.domains[1]
    for _ in range(3):
        pool.out(domain)
        pool.spm.call("attachStorageDomain", domain, pool.id)
        pool.spm.call("spmStop", pool.id)
        pool.start_spm(pool.nodes[0])
        pool.spm.call("activateStorageDomain", domain, pool.id)
    assert pool.status(pool.spm)[0] == "SPM"
    assert not pool.findings()


@pytest.mark.parametrize("form", [COW, RAW], ids=["cow", "raw"])
def test_a_merge_that_is_asked_for_again_is_refused_and_changes_nothing(pool: Pool, form: int) -> None:
    base = pool.disk(4 * MIB, form=form)
    pool.write(base, 0x61, 0, 65536)
    top = pool.disk(4 * MIB, parent=base)
    pool.write(top, 0x62, 65536, 65536)
    merge(pool, base, top)
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            merge(pool, base, top)
        assert base.volume in refusal.value.message
    assert pool.volumes(image=base.image) == {top.volume}
    assert pool.holds(top, 0x61, 0, 65536) and pool.holds(top, 0x62, 65536, 65536)
    assert not pool.findings()


def test_ten_disks_of_a_machine_move_at_once(pool: Pool) -> None:
    source, target = pool.domains
    disks = [pool.disk(8 * MIB) for _ in range(10)]
    disks += [pool.disk(8 * MIB, parent=disk) for disk in disks]
    tops = disks[10:]
    for number, disk in enumerate(tops, start=1):
        pool.write(disk, number, 0, MIB)
    began = time.monotonic()
    tasks = [
        pool.spm.call("moveImage", pool.id, source, target, disk.image, BLANK, MOVE, "false", "false")["uuid"]
        for disk in tops
    ]
    with ThreadPoolExecutor() as waiting:
        list(waiting.map(pool.spm.task, tasks))
    print(f"ten disks moved in {time.monotonic() - began:.1f} s")
    there = set(pool.spm.call("getImagesList", target)["imageslist"])
    assert there >= {disk.image for disk in tops}
    assert not there & set(pool.spm.call("getImagesList", source)["imageslist"])
    for number, disk in enumerate(tops, start=1):
        assert pool.holds(Disk(target, disk.image, disk.volume), number, 0, MIB)
    assert not pool.findings()
