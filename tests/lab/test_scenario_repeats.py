"""What clients do twice, at once, or too early: nothing hangs and nothing is told that is not so."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.grounds import LocalGround
from lab.pools import BLANK, COW, MIB, RAW, Disk, Pool

MOVE = 2
TIMES = 200


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Lab() as lab:
        yield LocalGround(lab, ["master", "more"]).pool("east")


def out(pool: Pool, domain: str) -> None:
    pool.spm.call("deactivateStorageDomain", domain, pool.id, BLANK, 0)
    pool.spm.call("detachStorageDomain", domain, pool.id, BLANK, 0)


def back(pool: Pool, domain: str) -> None:
    pool.spm.call("attachStorageDomain", domain, pool.id)
    pool.spm.call("activateStorageDomain", domain, pool.id)


def merge(pool: Pool, base: Disk, top: Disk) -> None:
    pool.do("mergeSnapshots", base.domain, pool.id, BLANK, base.image, base.volume, top.volume)


def sound(pool: Pool) -> None:
    """What stands in for a look at each byte: no finding worse than a note."""
    for domain in pool.domains:
        check = pool.spm.call("checkStorageDomain", domain)["check"]
        assert check["sound"], check["findings"]


def test_a_domain_leaves_and_comes_back_many_times(pool: Pool) -> None:
    domain = pool.domains[1]
    kept = pool.disk(MIB, domain=domain)
    pool.write(kept, 0x61, 0, 65536)
    pool.spm.call("startMonitoringDomain", domain, 1)  # so that the host stays in its lockspace: joining takes seconds
    began = time.monotonic()
    for _ in range(TIMES):
        out(pool, domain)
        back(pool, domain)
    print(f"detach and attach: {(time.monotonic() - began) / TIMES * 1000:.0f} ms each, {TIMES} times")
    assert pool.holds(kept, 0x61, 0, 65536)
    assert pool.spm.call("getStoragePoolInfo", pool.id)["dominfo"][domain]["status"] == "Active"


def test_the_spm_starts_right_after_a_domain_was_attached(pool: Pool) -> None:
    domain = pool.domains[1]
    for _ in range(3):
        out(pool, domain)
        pool.spm.call("attachStorageDomain", domain, pool.id)
        pool.spm.call("spmStop", pool.id)
        pool.start_spm(pool.nodes[0])
        pool.spm.call("activateStorageDomain", domain, pool.id)
    assert pool.status(pool.spm)[0] == "SPM"
    sound(pool)


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
    sound(pool)


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
    sound(pool)
