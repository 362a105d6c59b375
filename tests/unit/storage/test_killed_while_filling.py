"""Changes that fill volumes that are there, or change what is known of volumes and domains, cut off before each step.

As test_killed_at_every_step; besides, a volume never passes half new data for good ones.
"""

from functools import partial
from itertools import count

import pytest
from attrs import evolve
from contract.storage.light import begun, now
from contract.storage.room import POOL, uuid
from unit.storage.test_histories import COW, SIZE
from unit.storage.test_killed_at_every_step import CHANGES as ALL
from unit.storage.test_killed_at_every_step import GROUP, Change, check, cut_off_everywhere, given, i, ids, scene, v

import virgate.node.storage.images.remote as remote
import virgate.node.storage.images.sparsifying as sparsifying
from virgate.node.storage.formats.removal import REMOVED
from virgate.node.storage.formats.volume_metadata import VolumeRole

__all__ = ["scene"]

BLOCK = 4096
SERVED = {0: 7, 2: 8, 5: 9}
"""Blocks of the image that the server has."""
jobs = count(1)


class Server:
    """A web server, as the client of it."""

    async def size(self, place):
        return SIZE

    async def get(self, place, take):
        for block in range(SIZE // BLOCK):
            await take(bytes([SERVED.get(block, 0)]) * BLOCK)


@pytest.fixture(autouse=True)
def played(monkeypatch):
    """Small pieces from a played server; no virt-sparsify."""
    monkeypatch.setattr(remote, "PIECE", 2 * BLOCK)
    monkeypatch.setattr(remote, "Remote", partial(remote.Remote, client=Server()))
    monkeypatch.setattr(sparsifying.shutil, "which", lambda name: None)


def a_volume_of_its_own(scene):
    """Something else is in it."""
    scene.volume(20, 20, COW, {0: 99, 1: 98})


def copied_structure(scene):
    arguments = ids(scene, "p", "d", i(5), "o")
    assert scene.house.run(None, "cloneImageStructure", *arguments)


def ends(scene, *numbers):
    return [{"endpoint_type": "div", "sd_id": uuid(2, scene.there), "img_id": i(n), "vol_id": v(m)} for n, m in numbers]


def a_job(*numbers):
    """Another one each time: a client asks for the id of an old one only to hear how it went."""
    return lambda scene: [uuid(9, next(jobs)), *ends(scene, *numbers)]


def jobs_are_done(scene, ended):
    told = now(scene.house.room.ask("getJobs"))["jobs"].values()
    assert {job["status"] for job in told} <= ({"done"} if ended else set()), "nobody knows of jobs after a start"


def changed(scene):
    return [*a_job((9, 9))(scene), {"description": "new", "type": "SHARED", "generation": 7}]


def changed_as_a_whole(scene, ended):
    jobs_are_done(scene, ended)
    found = scene.metadata(9, 9)
    told = (found.description, found.role, found.generation)
    assert told == ("new", VolumeRole.SHARED, 7) or (not ended and told == ("", VolumeRole.LEAF, 0))


def detached(scene, ended):
    """Domain 2 is out of the pool for itself before it is out of it for the pool."""
    record = now(now(scene.house.room.storage.domains.find(uuid(2, 2))).refresh())
    listed = uuid(2, 2) in now(scene.house.room.ask("getStoragePoolInfo", POOL))["info"]["domains"]
    assert (record.pools, listed) in [((), False), *([((), True), ((POOL,), True)] if not ended else [])]


def no_slot_is_taken_twice(scene, ended):
    volumes = scene.house.storage.disks.volumes
    slots = {entry.name: entry.slot for entry in scene.house.entries().values() if entry.known}
    assert slots == {name: volumes[name].first for name in slots}, "old hosts look by the place"


def raised(scene, ended):
    """The version of a member is never before that of its master, and no volume is of neither form."""
    master, member = (now(now(scene.house.room.storage.domains.find(uuid(2, n))).refresh()).version for n in (1, 2))
    assert 3 <= member <= master <= 5
    assert not ended or (master, member) == (5, 5)
    for key in scene.contents:
        assert scene.metadata(*key).capacity.bytes in scene.house.capacities((scene.there, key[0]))


def wiped(scene, ended):
    """What was merged and is not there any more has no data in blocks that somebody else gets."""
    if ended and scene.there == GROUP:
        hidden = [name for name in scene.house.storage.wiper.wiped if name.startswith(REMOVED)]
        assert {name[-len(v(1)) :] for name in hidden} == {v(1), v(2), v(3)}


CHANGES = {
    "merge and wipe": Change(
        "mergeSnapshots", given("d", "p", "b", i(1), v(1), v(3), True), gone=((1, 1), (1, 2)), fine=(252,),
        verify=wiped),
    "download": Change(
        "downloadImage", given({"method": "http", "url": "http://server/image"}, "p", "d", i(9), v(9)), needs=(),
        filled={(9, 9): SERVED}, leaves=True),
    "synchronize": Change(
        "syncImageData", given("p", "d", i(5), "o", "ALL"), needs=(5,), before=copied_structure,
        made=((5, 5, "o"), (5, 6, "o"), (5, 7, "o")), like=((5, 5), (5, 6), (5, 7))),
    "sparsify": Change(
        "sparsifyImage", given("p", "d", i(1), v(3), "d", i(20), v(20)), before=a_volume_of_its_own,
        filled={(20, 20): (1, 2)}, leaves=True),
    "copy data as a job": Change(
        "sdmCopyData", a_job((1, 3), (20, 20)), before=a_volume_of_its_own, filled={(20, 20): (1, 3)},
        leaves=True, verify=jobs_are_done),
    "change a volume as a job": Change("sdmUpdateVolume", changed, needs=(), verify=changed_as_a_whole),
    "detach": Change(
        "detachStorageDomain", given(uuid(2, 2), "p", "b", 1), needs=(), fine=(353,), verify=detached),
    "raise the version from 3": Change(
        "upgradeStoragePool", given("p", "5"), needs=(1, 8, 10), version="3", verify=raised),
    "raise the version from 4": Change(
        "upgradeStoragePool", given("p", "5"), needs=(1, 5), version="4", verify=raised),
}  # fmt: skip


OLD = (
    "create", "snapshot", "clone", "delete a volume", "delete an image", "copy", "move", "merge into one with a parent",
    "merge a raw base", "extend",
)  # fmt: skip


@pytest.mark.parametrize("scene", [GROUP], indirect=True)
@pytest.mark.parametrize("name", OLD)
def test_domains_of_the_first_version_bear_the_same(scene, name):
    """A new volume may lie where a removed one was, and has the slot of that then."""
    assert cut_off_everywhere(scene, evolve(ALL[name], version="0", verify=no_slot_is_taken_twice)) > 1


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_cut_off_anywhere_is_whole_after_the_next_start(scene, name):
    assert cut_off_everywhere(scene, CHANGES[name]) > 1


def reconstructed(one):
    """What the manager does that lost its master: nobody is in the pool."""
    both = {uuid(2, n): "active" for n in (1, 2)}
    return begun(one.house.room.call("reconstructMaster", POOL, "dc1", uuid(2, 2), both, 2, "ON", 5, 60, 10, 3, 1))


def left_alone(one):
    assert now(one.house.room.code("spmStop", POOL)) == 0
    assert now(one.house.room.code("disconnectStoragePool", POOL, 1, POOL)) == 0


def test_a_pool_that_is_made_anew_has_its_old_master_or_its_new_one(scene):
    """Cut off it is the old pool; asked for again it is the new one, with all that its volumes hold."""
    change, step, hung = Change("reconstructMaster", given(), needs=(1,)), 0, True
    while hung:
        step += 1
        one = scene(change.needs)
        left_alone(one)
        steps = one.house.steps
        steps.left, steps.hangs = step, True
        came = reconstructed(one)
        steps.left = None
        hung = steps.hung
        if hung:
            one.start_again()
            assert now(one.house.room.ask("getStoragePoolInfo", POOL))["info"]["master_uuid"] == uuid(2, 1)
            check(one, change, ended=False)
            left_alone(one)
            came = reconstructed(one)
        assert came[0]["status"]["code"] == 0
        assert now(one.house.room.code("connectStoragePool", POOL, 1, POOL, uuid(2, 2), 2)) == 0
        now(one.house.room.start_spm())
        assert now(one.house.room.ask("getStoragePoolInfo", POOL))["info"]["master_uuid"] == uuid(2, 2)
        assert now(one.house.room.ask("getStorageDomainInfo", uuid(2, 1)))["info"]["role"] == "Regular"
        check(one, change, ended=True)
    assert step > 1
