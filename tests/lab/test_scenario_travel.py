"""A domain leaves its pool and is taken up by another pool's hosts, with all that is in it."""

from typing import Any

import pytest

from lab.calls import Refused
from lab.cleanup import Lab
from lab.grounds import NfsGround
from lab.pools import COW, MIB, RAW, Disk, Pool

ALREADY_ATTACHED = 380
TOLD_APART = ("ctime", "mtime", "status")


def contents(pool: Pool, disks: list[Disk]) -> list[dict[str, Any]]:
    """What a pool knows of volumes that another one must know, too."""
    known = [pool.info(disk) for disk in disks]
    return [{key: value for key, value in info.items() if key not in TOLD_APART} for info in known]


@pytest.mark.timeout(300)
def test_a_domain_moves_to_another_pool_with_its_contents(lab: Lab) -> None:
    ground = NfsGround(lab, ["ours", "theirs", "traveller"], io_timeout=1)
    east, west = ground.boot("east", "west")
    traveller = ground.places["traveller"]
    ours = Pool([east], [ground.places["ours"], traveller]).make()
    theirs = Pool([west], [ground.places["theirs"]]).make()

    raw = ours.disk(4 * MIB, form=RAW, domain=traveller.domain)
    ours.write(raw, 0x61, 0, MIB)
    top = ours.disk(4 * MIB, parent=raw)
    ours.write(top, 0x62, MIB, MIB)
    cow = ours.disk(4 * MIB, form=COW, domain=traveller.domain)
    ours.write(cow, 0x63, 0, 65536)
    disks = [raw, top, cow]
    before = contents(ours, disks)

    theirs.connect_servers(west, [traveller])
    with pytest.raises(Refused) as refusal:
        theirs.spm.call("attachStorageDomain", traveller.domain, theirs.id)
    assert refusal.value.code == ALREADY_ATTACHED

    ours.out(traveller.domain)
    theirs.back(traveller.domain)
    theirs.places.append(traveller)
    assert contents(theirs, disks) == before
    assert theirs.volumes(traveller.domain) == {disk.volume for disk in disks}
    assert theirs.holds(top, 0x61, 0, MIB) and theirs.holds(top, 0x62, MIB, MIB) and theirs.holds(cow, 0x63, 0, 65536)
    assert not theirs.findings()

    theirs.write(cow, 0x64, 65536, 65536)
    theirs.out(traveller.domain)
    ours.back(traveller.domain)
    assert ours.holds(cow, 0x63, 0, 65536) and ours.holds(cow, 0x64, 65536, 65536)
    assert not ours.findings()
